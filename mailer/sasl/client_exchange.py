"""What a client's mechanism is, and how it fails. The words of failures are those that Cyrus SASL has for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Credentials", "Exchange", "ExchangeFailed"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """``name`` logs in with ``password`` (or a token). ``acting_as``: the authorization identity, mostly empty.
    ``service``, ``host`` and ``port`` are the server's, for mechanisms that bind to them."""

    name: str
    password: str
    acting_as: str = ""
    host: str = ""
    port: int = 0


class ExchangeFailed(Exception):
    """The login cannot go on: what the server says makes no sense, or it is not the server that it should be.

    ``remark`` is what the log should say besides.
    """

    def __init__(self, text: str, remark: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.remark = remark


class Exchange(Protocol):
    """One login. ``slow``: a step may take long enough not to be done between other things."""

    slow: bool

    def begin(self) -> bytes | None:
        """The initial response; None if the server speaks first."""

    def step(self, challenge: bytes) -> bytes:
        """Answer a challenge. :raise ExchangeFailed:"""

    def end(self) -> None:
        """The server has said yes. :raise ExchangeFailed: it has not shown that it may."""
