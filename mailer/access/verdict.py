"""What a restriction may answer: permit, refuse with a reply, or nothing (None: ask the next one)."""

from __future__ import annotations

from dataclasses import dataclass

from mailer.message.status import Reply

__all__ = ["PERMIT", "Verdict", "refuse", "reply_with"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """``reply`` is what the client is refused with; None: the list ends here with permission."""

    reply: Reply | None = None


PERMIT = Verdict()


def reply_with(code: int, enhanced: str, text: str) -> Reply:
    """A reply; the class of the enhanced code follows the code, as a 4xx parameter makes a 5.7.1 a 4.7.1."""
    return Reply(code, f"{code // 100}{enhanced[1:]}" if 400 <= code < 600 else enhanced, text)


def refuse(code: int, enhanced: str, text: str) -> Verdict:
    """A refusal, as reply_with words it."""
    return Verdict(reply_with(code, enhanced, text))
