"""Header fields of an outgoing message: checked (smtp_header_checks ...), then, in the primary section, with their addresses as
strangers are to see them (smtp_generic_maps)."""

from __future__ import annotations

from typing import Any

from mailer.deliver.smtp.outgoing.actions import Remarks, act
from mailer.message.address import encode
from mailer.message.header import Field, shorten, text_of, unfold
from mailer.message.mailboxes import fold, parse
from mailer.message.mime import MIME_FIELDS, SectionKind

__all__ = ["FieldRules"]

_ADDRESSES = frozenset(
    b"apparently-to bcc cc disposition-notification-to errors-to from mail-followup-to reply-to resent-bcc resent-cc"
    b" resent-from resent-reply-to resent-sender resent-to return-path return-receipt-to sender to".split()
)


class FieldRules:
    """:param checks: tables by section kind (None: the primary one); they may be empty.
    :param generic: a coroutine function from an address to the one to be shown, or None."""

    def __init__(self, checks: dict[SectionKind | None, Any], generic: Any, size: int, tokens: int, log: Any) -> None:
        self._checks = checks
        self._generic = generic
        self._size = size
        self._tokens = tokens
        self._log = log

    async def apply(self, queue_id: str, fields: list[Field], kind: SectionKind | None) -> list[Field]:
        """:return: the fields that take these fields' place; the very same list if nothing changes.
        :raise TemporaryError: a table cannot tell now."""
        result: list[Field] = []
        changed = False
        for field in fields:
            put = await self._checked(queue_id, field, kind)
            if kind is None and self._generic is not None:
                put = [await self._mapped(each) if each[0].lower() in _ADDRESSES else each for each in put]
            changed = changed or len(put) != 1 or put[0] is not field
            result += put
        return result if changed else fields

    async def _checked(self, queue_id: str, field: Field, kind: SectionKind | None) -> list[Field]:
        name, body = field
        tables = self._checks[SectionKind.PART if name.lower() in MIME_FIELDS else kind]
        if not tables:
            return [field]
        text = text_of(name, body)
        value = await tables.lookup(text)
        edited = act(Remarks(self._log, queue_id, "header", tables.title), text, value) if value is not None else None
        if edited is None:
            return [field]
        if edited.content is None:
            return []
        if edited.before is not None:
            return [_field(edited.before), field]
        return [_field(edited.content)]

    async def _mapped(self, field: Field) -> Field:
        name, body = field
        addresses = parse(unfold(body), self._tokens)
        for address in addresses.addresses:
            if address.internal:
                shown = await self._generic(address.internal)
                if shown != address.internal:
                    address.internal = shown
        if not addresses.changed:
            return field
        prefix = name.decode() + ":"
        text = fold(f"{prefix} {addresses.text()}"[: self._size])[len(prefix) :].replace("\n", "\r\n")
        return name, encode(text) + b"\r\n"

    def shortened(self, fields: list[Field]) -> list[Field]:
        """Within header_size_limit."""
        return [(name, shorten(name, body, self._size)) for name, body in fields]


def _field(text: str) -> Field:
    name, _, body = encode(text).partition(b":")
    return name, body.replace(b"\n", b"\r\n") + b"\r\n"
