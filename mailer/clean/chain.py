"""Build the chain of steps between whoever receives a message and the queue.

From the outside in: size, characters, content (header rules and the body rule), recipients, queue. Each step wraps the next
one's writer and knows only its own rule; all share the message's `Passage`. Header rules: checks on the fields as they came,
what is missing (before any is dropped), what is noted and dropped, addresses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from zope.interface import implementer

from mailer.clean.addresses import AddressRules
from mailer.clean.bodies import BodyRules
from mailer.clean.characters import CharacterStep, unescape
from mailer.clean.checks import CheckRule, Checks
from mailer.clean.headers import ContentStep, RuleFactory
from mailer.clean.hygiene import Hygiene
from mailer.clean.limits import SizeStep
from mailer.clean.missing import MissingFields
from mailer.clean.passage import Passage, Step, Writer
from mailer.clean.recipients import RecipientStep
from mailer.clean.rewriting import HeaderRewriting
from mailer.clean.smtputf8 import Utf8Detection
from mailer.clean.strict import Strictness, StrictRule
from mailer.interfaces.sink import IMessageSink, IMessageWriter
from mailer.message.envelope import Envelope, Recipient

__all__ = ["CleanSink", "build"]

_STRAY = re.compile(rb"\r(?!\n)")


@implementer(IMessageSink)
class CleanSink:
    """:param steps: from the outside in. :param queue: the IMessageSink behind the last one.
    :param replaces_stray: a carriage return that ends no line becomes a space (cleanup_replace_stray_cr_lf)."""

    def __init__(
        self, steps: Sequence[Step], rules: AddressRules, queue: Any, log: Any, replaces_stray: bool = True
    ) -> None:
        self._replaces_stray = replaces_stray
        self._inside_out = tuple(reversed(steps))
        self._rules = rules
        self._queue = queue
        self._log = log

    def open(self, envelope: Envelope, producer: Any = None) -> Writer:
        passage = Passage(envelope, producer, self._rules, self._log)
        writer: Writer = self._queue.open(envelope, producer)
        passage.queue_id = writer.queue_id
        for step in self._inside_out:
            writer = step.open(passage, writer)
        return _CleanWriter(passage, writer, self._replaces_stray)


@implementer(IMessageWriter)
class _CleanWriter:
    """What the sender of a message holds: the outermost writer, which leaves nothing behind when it fails."""

    __slots__ = ("_cut", "_next", "_passage", "_replaces_stray", "queue_id")

    def __init__(self, passage: Passage, writer: Writer, replaces_stray: bool) -> None:
        self._replaces_stray = replaces_stray
        self._cut = b""  # a carriage return at the end of a chunk, whose line feed may be still to come
        self._passage = passage
        self._next = writer
        self.queue_id = writer.queue_id

    def recipient(self, recipient: Recipient) -> None:
        self._next.recipient(recipient)

    def write(self, chunk: bytes) -> None:
        prepend = self._passage.envelope.prepend
        if prepend:
            # Access checks ask for these before the content; they go above all that the message has.
            lines = [line.rstrip(b"\r\n") + b"\r\n" for line in prepend]
            prepend.clear()
            chunk = b"".join(lines) + chunk
        if self._replaces_stray:
            chunk = self._without_stray(chunk)
        self._next.write(chunk)

    def _without_stray(self, chunk: bytes) -> bytes:
        """Before all else that looks at content, so that no later hop sees the end of a message where we saw none.

        All line feeds of content end a line, so that two counts tell whether there is anything to do.
        """
        if self._cut:
            chunk, self._cut = self._cut + chunk, b""
        if chunk.count(b"\r") == chunk.count(b"\n"):
            return chunk
        if chunk.endswith(b"\r"):
            chunk, self._cut = chunk[:-1], b"\r"
        return _STRAY.sub(b" ", chunk)

    async def commit(self) -> str:
        if self._cut:
            self._next.write(b" ")
        try:
            return await self._next.commit()
        except BaseException:
            self._next.abort()
            raise

    def abort(self) -> None:
        self._next.abort()


def build(context: Any, addressing: Any, queue: Any) -> CleanSink:
    """:param context: mailer.interfaces.context.Context with ``settings``, ``tables``, ``log`` and ``seconds``.
    :param addressing: mailer.addressing.service.Addressing of the same settings.
    :param queue: the IMessageSink that takes cleaned messages."""
    settings = context.settings
    rules = AddressRules(settings, addressing)
    checks = Checks(settings, context.tables)
    strictness = Strictness(settings)
    detection = Utf8Detection(settings)
    header_rules: list[RuleFactory] = [
        MissingFields(settings, context.seconds),
        Hygiene(settings),
        HeaderRewriting(settings, addressing, rules),
        detection,
    ]
    if strictness:
        header_rules.insert(0, partial(StrictRule, strictness))
    if checks.any_header:
        header_rules.insert(0, partial(CheckRule, checks))
    bodies = BodyRules(settings, checks, strictness)
    stepwise = checks.any_header or checks.walks_mime or bool(checks.body or strictness)
    characters = CharacterStep(
        unescape(settings.message_strip_characters), unescape(settings.message_reject_characters)
    )
    steps: list[Step] = [
        SizeStep(settings.message_size_limit),
        *([characters] if characters else []),
        ContentStep(settings.header_size_limit, header_rules, bodies, stepwise, checks.any_header),
        # Milters that see every message belong here: all headers are as they will be, recipients not yet expanded.
        RecipientStep(settings, addressing, rules, detection),
    ]
    return CleanSink(steps, rules, queue, context.log, settings.cleanup_replace_stray_cr_lf)
