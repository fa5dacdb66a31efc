"""header_checks, mime_header_checks, nested_header_checks and body_checks: which tables see what (header_checks(5))."""

from __future__ import annotations

from typing import Any

from mailer.clean.actions import UNCHANGED, Edited, Subject, act
from mailer.clean.addresses import not_written
from mailer.clean.passage import Passage
from mailer.message.header import Field, shorten, text_of
from mailer.message.mime import MIME_FIELDS, SectionKind
from mailer.message.status import TemporaryError

__all__ = ["CheckRule", "Checks"]


class Verbatim(bytes):
    """The name of a field that a check put in: no further rule knows it."""

    __slots__ = ()

    def lower(self) -> bytes:
        return b""


class Checks:
    """The tables of a service."""

    def __init__(self, settings: Any, tables: Any) -> None:
        self.primary = tables.maps(settings.header_checks, "header_checks")
        self.mime = tables.maps(settings.mime_header_checks, "mime_header_checks")
        self.nested = tables.maps(settings.nested_header_checks, "nested_header_checks")
        self.body = tables.maps(settings.body_checks, "body_checks")
        self.field_limit = settings.header_size_limit
        self.body_limit = settings.body_checks_size_limit
        self.walks_mime = not settings.disable_mime_input_processing and bool(self.mime or self.nested)

    @property
    def any_header(self) -> bool:
        return bool(self.primary or self.mime)

    def tables_for(self, key: bytes, kind: SectionKind | None) -> Any:
        """The tables that see a field. :param key: its name in lower case. :param kind: None for the primary section."""
        if kind is SectionKind.PART or key in MIME_FIELDS:
            return self.mime
        return self.primary if kind is None else self.nested

    async def fields(self, passage: Passage, fields: list[Field], kind: SectionKind | None) -> list[Field]:
        """:return: the fields that take these fields' place; the very same list if nothing changes."""
        result: list[Field] = []
        changed = False
        for field in fields:
            name, body = field
            tables = self.tables_for(name.lower(), kind)
            if not tables or passage.checks_ended:
                result.append(field)
                continue
            text = text_of(name, body)
            edited = await self._ask(tables, Subject(passage, "header", text, tables.title))
            if not edited.changed:
                result.append(field)
                continue
            changed = True
            if edited.before is not None:
                before, value = _field(edited.before)
                result.append((Verbatim(before), value))
            if edited.content is not None:
                result.append(field if edited.before is not None else _field(edited.content))
        return result if changed else fields

    async def line(self, passage: Passage, line: bytes) -> Edited:
        """:param line: a body line, or a piece of a long one, without its line end."""
        text = line.decode("utf-8", "surrogateescape")
        return await self._ask(self.body, Subject(passage, "body", text, self.body.title))

    @staticmethod
    async def _ask(tables: Any, subject: Subject) -> Edited:
        try:
            value = await tables.lookup(subject.text)
        except TemporaryError as error:
            passage = subject.passage
            passage.log.warning(
                f"{passage.queue_id}: {subject.title} map lookup problem -- message not accepted, try again later"
            )
            raise not_written() from error
        return UNCHANGED if value is None else await act(subject, value)


def _field(text: str) -> Field:
    """A field from a table, as it stands there: what is before the colon is the name, white space included."""
    name, _, body = text.encode("utf-8", "surrogateescape").partition(b":")
    return name, body.replace(b"\n", b"\r\n") + b"\r\n"


class CheckRule:
    """header_checks on the primary section: a header rule for one message."""

    __slots__ = ("_checks", "_passage")

    def __init__(self, checks: Checks, passage: Passage) -> None:
        self._checks = checks
        self._passage = passage

    async def fields(self, fields: list[Field]) -> list[Field]:
        if self._passage.checked:
            fields = await self._checks.fields(self._passage, fields, None)
        limit = self._checks.field_limit
        if all(len(name) + len(body) <= limit for name, body in fields):
            return fields
        return [(name, shorten(name, body, limit)) for name, body in fields]

    async def end(self) -> list[Field]:
        return []
