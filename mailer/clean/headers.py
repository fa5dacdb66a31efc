"""The step that takes content apart: rules for the header section, and perhaps one for the body.

A header rule sees the fields in the order of the message, some at a time when there are very many. Without a body rule the
body passes in bulk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from mailer.clean.passage import Passage, Writer
from mailer.clean.pump import PumpingWriter
from mailer.message.header import Field, HeaderScanner, join
from mailer.message.mime import MIME_FIELDS

#: How much of a header section is gathered before it is looked at.
_EARLY = 8192
#: How many fields that describe the body are kept for its rule, about.
_DESCRIBED = 100

__all__ = ["BodyFactory", "BodyRule", "ContentStep", "HeaderRule", "RuleFactory"]


class HeaderRule(Protocol):
    """One rule at work on one message. Both coroutines raise MailError to refuse it."""

    async def fields(self, fields: list[Field]) -> list[Field]:
        """What is to stand in these fields' place; the very same list if nothing changes."""

    async def end(self) -> list[Field]:
        """What is to be added at the end of the section."""


class BodyRule(Protocol):
    """The rule at work on one message's body."""

    async def text(self, chunk: bytes, last: bool = False) -> bytes:
        """What is to stand in the content's place; some of it may be held back until more comes.

        The body begins with the empty line. :param last: no more comes. :raise MailError: the message is refused."""


#: Makes the rule for one message; None if it does not concern that message.
RuleFactory = Callable[[Passage], HeaderRule | None]
#: Given the fields of the primary section that describe the body; None if the body may pass as it is.
BodyFactory = Callable[[Passage, list[Field]], BodyRule | None]


class ContentStep:
    """:param limit: header_size_limit. :param rules: make each message's rules, in the order in which they work.
    :param body: makes its body rule. :param stepwise: each field goes through all rules before the next one does, so
        that what several rules log stays in the order of the message.
    :param whole_lines: the first rule wants fields longer than the limit, and cuts them."""

    def __init__(
        self, limit: int, rules: Sequence[RuleFactory], body: BodyFactory, stepwise: bool, whole_lines: bool
    ) -> None:
        self.limit = limit
        self.rules = rules
        self.body = body
        self.stepwise = stepwise
        self.whole_lines = whole_lines

    def open(self, passage: Passage, writer: Writer) -> Writer:
        return _ContentWriter(self, passage, writer)


class _ContentWriter(PumpingWriter):
    __slots__ = ("_body", "_described", "_early", "_in_body", "_rules", "_scanner", "_step")

    def __init__(self, step: ContentStep, passage: Passage, writer: Writer) -> None:
        super().__init__(passage, writer)
        self._step = step
        self._scanner = HeaderScanner(step.limit, step.whole_lines)
        self._rules = [rule for make in step.rules if (rule := make(passage)) is not None]
        self._in_body = False
        #: What has come so far, until enough has; None from then on.
        self._early: bytes | None = b""
        self._body: BodyRule | None = None
        self._described: list[Field] = []

    def write(self, chunk: bytes) -> None:
        early = self._early
        if early is None:
            if self._in_body and self._body is None and not self._busy:
                self.pass_on(chunk)
            else:
                super().write(chunk)
        elif len(early) + len(chunk) < _EARLY and b"\r\n\r\n" not in chunk and chunk[:1] not in (b"\r", b"\n"):
            # Received comes alone, and small pieces are not worth a coroutine each.
            self._early = early + chunk
        else:
            self._early = None
            super().write(early + chunk if early else chunk)

    async def process(self, chunk: bytes) -> None:
        if not self._in_body:
            await self._scan(chunk)
        elif self._body is None:
            self.pass_on(chunk)
        else:
            self.pass_on(await self._body.text(chunk))

    async def finish(self) -> None:
        if not self._in_body:
            await self._scan(self._early or b"", last=True)
        if self._body is not None and self.passage.refusal is None:
            self.pass_on(await self._body.text(b"", last=True))

    async def _scan(self, chunk: bytes, last: bool = False) -> None:
        if self.passage.prepare is not None:
            prepare, self.passage.prepare = self.passage.prepare, None
            await prepare()
        scanner = self._scanner
        found = scanner.feed(chunk, last)
        if self._step.stepwise:
            if len(self._described) < _DESCRIBED:
                self._described += [field for field in found if field[0].lower() in MIME_FIELDS]
            fields = await self._one_by_one(found)
        else:
            fields = found
            for rule in self._rules:
                fields = await rule.fields(fields)
        content = scanner.section if fields is found and scanner.section is not None else join(fields)
        if scanner.ended:
            content += await self._end()
        if content:
            self.pass_on(content)

    async def _one_by_one(self, found: list[Field]) -> list[Field]:
        result: list[Field] = []
        changed = False
        for field in found:
            alone = fields = [field]
            for rule in self._rules:
                fields = await rule.fields(fields)
            changed = changed or fields is not alone
            result += fields
        return result if changed else found

    async def _end(self) -> bytes:
        """What comes behind the fields: those that rules add, and the beginning of the body."""
        scanner = self._scanner
        self._in_body = True
        added = b"".join([join(fields) for rule in self._rules if (fields := await rule.end())])
        rest, scanner.rest = scanner.rest, b""
        if scanner.abrupt:
            rest = b"\r\n" + rest
        self._body = self._step.body(self.passage, self._described)
        return added + (rest if self._body is None or not rest else await self._body.text(rest))
