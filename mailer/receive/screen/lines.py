"""The log lines of the screen, each in one place, as log analysers know them from postscreen(8). Text only."""

from __future__ import annotations

from mailer.message.address import quote
from mailer.receive.lines import escaped

__all__ = ["Words", "early", "hangup", "neutral", "pipelining", "rejected"]


class Words:
    """:param respectful: respectful_logging."""

    def __init__(self, respectful: bool) -> None:
        self.allowed = "ALLOWLISTED" if respectful else "WHITELISTED"
        self.denied = "DENYLISTED" if respectful else "BLACKLISTED"
        self.veto = "ALLOWLIST VETO" if respectful else "WHITELIST VETO"


def early(octets: bytes, delay: str, client: str) -> str:
    return f"PREGREET {len(octets)} after {delay} from {client}: {escaped(octets[:100])}"


def hangup(delay: str, client: str, when: str) -> str:
    """:param when: ``before`` or ``after`` (the greeting)."""
    return f"HANGUP after {delay} from {client} in tests {when} SMTP handshake"


def pipelining(client: str, command: str, octets: bytes) -> str:
    return f"COMMAND PIPELINING from {client} after {command}: {escaped(octets[:100])}"


def rejected(client: str, text: str, sender: str, recipient: str, protocol: str, helo: str) -> str:
    """Addresses in internal form."""
    return (
        f"NOQUEUE: reject: RCPT from {client}: {text}; from=<{neutral(quote(sender))}>, to=<{neutral(quote(recipient))}>,"
        f" proto={protocol}, helo=<{neutral(helo)}>"
    )


def neutral(text: str) -> str:
    """What a client said, with question marks for what a log should not hold."""
    return "".join(character if character.isprintable() else "?" for character in text)
