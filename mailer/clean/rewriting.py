"""Addresses in header fields: completed and mapped for local clients, and for others if remote_header_rewrite_domain
says with what. A field none of whose addresses changes stays as it came, octet for octet."""

from __future__ import annotations

import re
from typing import Any

from mailer.clean.addresses import AddressRules
from mailer.clean.fields import RECIPIENT_FIELDS, SENDER_FIELDS
from mailer.clean.passage import Passage
from mailer.message.address import encode
from mailer.message.header import Field, unfold
from mailer.message.mailboxes import fold, parse

__all__ = ["HeaderRewriting"]

_ATOM = rb"[A-Za-z0-9#$&'*+/=?^_`{|}~\-]+"
_ADDRESS = _ATOM + rb"(?:\." + _ATOM + rb")*@" + _ATOM + rb"(?:\." + _ATOM + rb")+"
_PHRASE = rb"(?:(?:\"[^\"\\\r\n]*\"|" + _ATOM + rb")[ \t]+)*"
_MAILBOX = rb"(?:" + _ADDRESS + rb"|" + _PHRASE + rb"<" + _ADDRESS + rb">)"
#: Lists in which every address is complete, as nearly all are: nothing to do when no table has a say.
_COMPLETE = re.compile(rb"\s*" + _MAILBOX + rb"(?:,\s*" + _MAILBOX + rb")*\s*").fullmatch


class HeaderRewriting:
    """The rule's settings; calling it makes the rule for one message."""

    def __init__(self, settings: Any, addressing: Any, rules: AddressRules) -> None:
        self.completions = addressing.completions
        self.rules = rules
        self.rewrites_remote = bool(settings.remote_header_rewrite_domain)
        self.size_limit = settings.header_size_limit
        self.token_limit = settings.header_address_token_limit

    def __call__(self, passage: Passage) -> _RewritingRule:
        return _RewritingRule(self, passage)


class _RewritingRule:
    __slots__ = ("_passage", "_settings")

    def __init__(self, settings: HeaderRewriting, passage: Passage) -> None:
        self._settings = settings
        self._passage = passage

    async def fields(self, fields: list[Field]) -> list[Field]:
        if self._passage.envelope.context != "local" and not self._settings.rewrites_remote:
            return fields
        result = fields
        for index, field in enumerate(fields):
            key = field[0].lower()
            if key in SENDER_FIELDS:
                rewritten = await self._rewritten(field, self._settings.rules.header_sender)
            elif key in RECIPIENT_FIELDS:
                rewritten = await self._rewritten(field, self._settings.rules.header_recipient)
            else:
                continue
            if rewritten is not field:
                if result is fields:
                    result = list(fields)
                result[index] = rewritten
        return result

    async def end(self) -> list[Field]:
        return []

    async def _rewritten(self, field: Field, kind: Any) -> Field:
        name, body = field
        settings, passage = self._settings, self._passage
        mapped = passage.mapped and not kind.plain
        if not mapped and _COMPLETE(body):
            return field
        addresses = parse(unfold(body), settings.token_limit)
        completion = settings.completions[passage.envelope.context]
        for address in addresses.addresses:
            completion.rewrite_header(address)
            if mapped:
                await settings.rules.header(address, kind, passage.queue_id)
        if not addresses.changed:
            return field
        prefix = name.decode() + ":"
        text = fold(f"{prefix} {addresses.text()}"[: settings.size_limit])[len(prefix) :].replace("\n", "\r\n")
        return name, encode(text) + b"\r\n"
