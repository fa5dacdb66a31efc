"""What restrictions look at, and how replies name it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mailer.message.session import Session

__all__ = [
    "CLIENT",
    "CLIENT_STAGE",
    "DATA_STAGE",
    "END_STAGE",
    "ETRN_STAGE",
    "HELO",
    "HELO_STAGE",
    "RECIPIENT",
    "RECIPIENT_STAGE",
    "REVERSE_CLIENT",
    "SENDER",
    "SENDER_STAGE",
    "Subject",
    "sender_of",
]

CLIENT_STAGE = "Client host"
HELO_STAGE = "Helo command"
SENDER_STAGE = "Sender address"
RECIPIENT_STAGE = "Recipient address"
DATA_STAGE = "Data command"
END_STAGE = "End-of-data"
ETRN_STAGE = "Etrn command"


def sender_of(session: Session) -> str:
    """The envelope sender; "" outside a transaction, too."""
    return session.envelope.sender if session.envelope is not None else ""


@dataclass(frozen=True)
class Subject:
    """``word`` is its part of restriction names, ``stage`` its name in replies, ``value(session)`` what is looked up ("" if
    there is nothing); ``named_client``: replies name the client as ``name[address]``, not the value."""

    word: str
    stage: str
    value: Callable[[Session], str]
    named_client: bool = False

    def shown(self, state: Any) -> str:
        """What stands in ``<>``."""
        return state.rules.client(state.session) if self.named_client else self.value(state.session)


CLIENT = Subject("client", CLIENT_STAGE, lambda session: session.client.name, named_client=True)
REVERSE_CLIENT = Subject(
    "reverse_client_hostname", "Unverified Client host", lambda session: session.client.reverse_name
)
HELO = Subject("helo", HELO_STAGE, lambda session: session.client.helo)
SENDER = Subject("sender", SENDER_STAGE, sender_of)
RECIPIENT = Subject("recipient", RECIPIENT_STAGE, lambda session: session.recipient)
