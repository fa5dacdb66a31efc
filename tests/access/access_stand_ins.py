"""An Access in memory, and sessions to put before it."""

from __future__ import annotations

from typing import Any

from smtpd_stand_ins import Server, real_access

from mailer.message.envelope import Client, Envelope
from mailer.message.session import Session
from mailer.testing.dns import FakeResolver

ADDRESS = "192.0.2.7"


def answer(coroutine: Any) -> Any:
    """The result of a coroutine that must not suspend."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise AssertionError("it suspended")


class World:
    """One service's Access with its settings, log and DNS. ``tls`` and ``login`` are the next session's."""

    def __init__(self, zone: Any = None, record: Any = None, plugins: Any = None, **settings: str) -> None:
        given = {
            "mydestination": "mail.example",
            "mynetworks": "127.0.0.0/8",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "local_recipient_maps": "",
            "smtpd_relay_restrictions": "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination",
            **({"smtpd_sasl_auth_enable": "yes"} if "smtpd_sasl_auth_enable" not in settings else {}),
            **settings,
        }
        self.dns = FakeResolver(zone or {})
        self.server = Server(given, self.dns, access=object())
        self.context = self.server.context
        self.log = self.server.log
        self.access = real_access(self.context, record, plugins)

    def session(self, sender: str = "a@example.org", login: str = "", tls: Any = None, **client: str) -> Session:
        known = {"address": ADDRESS, "helo": "client.example", "protocol": "ESMTP", **client}
        peer = Client(sasl_username=login, sasl_method="PLAIN" if login else "", **known)
        session = Session(peer, "RCPT", Envelope(sender=sender, client=peer), tls=tls)
        session.instance = "1"
        return session

    def recipient(self, recipient: str = "u@mail.example", session: Session | None = None, **more: Any) -> str:
        """What RCPT is told: the refusal, or ""."""
        session = session or self.session(**more)
        session.recipient = recipient
        reply = answer(self.access.rcpt(session))
        return "" if reply is None else str(reply)
