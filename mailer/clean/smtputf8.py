"""smtputf8_autodetect_classes: messages that need SMTPUTF8 (RFC 6531) although nobody could say so when they came in."""

from __future__ import annotations

from typing import Any

from mailer.clean.passage import Passage
from mailer.message.envelope import Envelope
from mailer.message.header import Field

__all__ = ["Utf8Detection"]

#: How main.cf names the ways that messages come in.
_CLASSES = {"local": "sendmail", "smtp": "smtpd", "notify": "notify", "forward": "forward"}


class Utf8Detection:
    """The rule's settings; calling it makes the rule for one message, or None where nothing is to be detected."""

    def __init__(self, settings: Any) -> None:
        self._classes = frozenset(settings.smtputf8_autodetect_classes) if settings.smtputf8_enable else frozenset()

    def applies(self, envelope: Envelope) -> bool:
        """Whether the message may turn out to need SMTPUTF8."""
        if envelope.smtputf8 or not self._classes:
            return False
        way = "verify" if envelope.probe else _CLASSES.get(envelope.source, "")
        return way in self._classes or "all" in self._classes

    def __call__(self, passage: Passage) -> _DetectingRule | None:
        return _DetectingRule(passage) if self.applies(passage.envelope) else None


class _DetectingRule:
    __slots__ = ("_envelope",)

    def __init__(self, passage: Passage) -> None:
        self._envelope = passage.envelope

    async def fields(self, fields: list[Field]) -> list[Field]:
        if not all(body.isascii() for _, body in fields):
            self._envelope.smtputf8 = True
        return fields

    async def end(self) -> list[Field]:
        return []
