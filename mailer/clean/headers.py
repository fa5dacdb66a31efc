"""The step that finds the header section and lets its rules work on it; the body passes in bulk.

A rule sees the fields in the order of the message, some at a time when there are very many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from mailer.clean.passage import Passage, Writer
from mailer.clean.pump import PumpingWriter
from mailer.message.header import Field, HeaderScanner, join

__all__ = ["HeaderRule", "HeaderStep", "RuleFactory"]


class HeaderRule(Protocol):
    """One rule at work on one message. Both coroutines raise MailError to refuse it."""

    async def fields(self, fields: list[Field]) -> list[Field]:
        """What is to stand in these fields' place; the very same list if nothing changes."""

    async def end(self) -> list[Field]:
        """What is to be added at the end of the section."""


RuleFactory = Callable[[Passage], HeaderRule]


class HeaderStep:
    """:param limit: header_size_limit. :param rules: make each message's rules, in the order in which they work."""

    def __init__(self, limit: int, rules: Sequence[RuleFactory]) -> None:
        self.limit = limit
        self.rules = rules

    def open(self, passage: Passage, writer: Writer) -> Writer:
        return _HeaderWriter(self, passage, writer)


class _HeaderWriter(PumpingWriter):
    __slots__ = ("_in_body", "_rules", "_scanner")

    def __init__(self, step: HeaderStep, passage: Passage, writer: Writer) -> None:
        super().__init__(passage, writer)
        self._scanner = HeaderScanner(step.limit)
        self._rules = [make(passage) for make in step.rules]
        self._in_body = False

    def write(self, chunk: bytes) -> None:
        if self._in_body and not self._busy:
            self.pass_on(chunk)
        else:
            super().write(chunk)

    async def process(self, chunk: bytes) -> None:
        if self._in_body:
            self.pass_on(chunk)
        else:
            await self._scan(chunk)

    async def finish(self) -> None:
        if not self._in_body:
            await self._scan(b"", last=True)

    async def _scan(self, chunk: bytes, last: bool = False) -> None:
        scanner = self._scanner
        found = scanner.feed(chunk, last)
        fields = found
        for rule in self._rules:
            fields = await rule.fields(fields)
        section = scanner.section if fields is found and scanner.section is not None else join(fields)
        if scanner.ended:
            self._in_body = True
            section += await self._additions() + scanner.rest
            scanner.rest = b""
        if section:
            self.pass_on(section)

    async def _additions(self) -> bytes:
        return b"".join([join(fields) for rule in self._rules if (fields := await rule.end())])
