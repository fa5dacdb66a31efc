"""A connection to one server, with who that is and what it can do; and in what words a session fails."""

from __future__ import annotations

from typing import Any

from mailer.deliver.smtp.reason import Reason
from mailer.net.client import ClientConnection
from mailer.wire.smtp.client import Failure, Step
from mailer.wire.smtp.offers import Offers

__all__ = ["MessageRefused", "RetryInPlaintext", "Session", "SiteFailed", "breakdown", "no_smtputf8"]

_STEPS = {
    Step.GREETING: "receiving the initial server greeting",
    Step.EHLO: "performing the EHLO handshake",
    Step.HELO: "performing the HELO handshake",
    Step.LHLO: "performing the LHLO handshake",
    Step.STARTTLS: "receiving the STARTTLS response",
    Step.AUTH: "performing the EHLO handshake",
    Step.XFORWARD_NAME: "sending XFORWARD name/address",
    Step.XFORWARD_HELO: "sending XFORWARD protocol/helo_name",
    Step.MAIL: "sending MAIL FROM",
    Step.RCPT: "sending RCPT TO",
    Step.DATA: "sending DATA command",
    Step.BODY: "sending message body",
    Step.DOT: "sending end of data -- message may be sent more than once",
    Step.RSET: "sending final RSET",
    Step.PROBE: "sending RSET probe",
    Step.QUIT: "sending QUIT",
}


class SiteFailed(Exception):
    """This server is of no use now; another one may be."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.text)
        self.reason = reason


class RetryInPlaintext(SiteFailed):
    """TLS does not work with this server; the same one may be tried once more without."""


class MessageRefused(Exception):
    """This server cannot take this message; nothing is wrong with the server."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.text)
        self.reason = reason


class Session:
    """``name`` is ``host[address]``, ``relay`` the same with its port, as logs show them.

    ``offers`` is what the last EHLO offered; ``esmtp`` whether the greeting said ESMTP; ``tls`` and ``login`` belong to
    the policy (``mailer.deliver.smtp.encryption.SessionTls``).
    """

    __slots__ = (
        "connection",
        "offers",
        "host",
        "address",
        "name",
        "relay",
        "key",
        "best_mx",
        "esmtp",
        "tls",
        "login",
        "pix",
        "started",
        "uses",
        "queue_id",
        "quick",
    )

    def __init__(self, connection: ClientConnection, host: str, address: str, port: int, key: Any = None) -> None:
        self.connection = connection
        self.offers = Offers()
        self.host = host
        self.address = address
        self.name = f"{host}[{address}]"
        self.relay = f"{self.name}:{port}" if port else self.name
        self.key = key
        self.best_mx = False
        self.esmtp = False
        self.tls: Any = None
        self.login: Any = None
        self.pix: frozenset[str] = frozenset()
        self.started = 0.0
        self.uses = 0
        self.quick = False  # whether the server answered at once, the last time
        self.queue_id = ""  # of the message under way


def breakdown(failure: Failure, step: Step, session: Session) -> Reason:
    """A conversation that broke off, in words."""
    if failure is Failure.TIMEOUT:
        return Reason("4.4.2", f"conversation with {session.name} timed out while {_STEPS[step]}")
    if failure is Failure.LOCAL:
        return Reason("4.3.0", f"local data error while talking to {session.name}")
    return Reason("4.4.2", f"lost connection with {session.name} while {_STEPS[step]}")


def no_smtputf8(session: Session) -> Reason:
    return Reason("5.6.7", f"SMTPUTF8 is required, but was not offered by host {session.name}")
