"""What a client would be told, and why: the restriction lists of an SMTP service, asked as the server asks them.

Nothing is sent and nothing is taken; policy servers, DNS lists and tables are really asked. Address verification is not: whoever
depends on it is told to come again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mailer.access.evaluation import Decision
from mailer.access.service import Access
from mailer.addressing.service import Addressing
from mailer.commands.explain_address import lookups
from mailer.message.envelope import Client, Envelope
from mailer.message.session import Session
from mailer.message.status import Reply
from mailer.receive.peername import OK, PeerNames
from mailer.tables.match import AddressList, matches_subdomains
from mailer.tables.traced import Trace

__all__ = ["Caller", "explain_session"]


@dataclass(frozen=True)
class Caller:
    """Who calls and what is said. ``name`` is "" if the DNS is to be asked."""

    address: str
    name: str = ""
    helo: str = ""
    login: str = ""
    sender: str = ""
    recipients: Sequence[str] = ()


class _Recorder:
    """Asks at each stage, and keeps what was decided."""

    def __init__(self, session: Session, record: list[Decision], trace: Trace, settings: Any) -> None:
        self._session = session
        self._record = record
        self._trace = trace
        self._settings = settings
        self.stages: list[dict[str, Any]] = []

    async def ask(self, stage: str, question: Awaitable[Reply | None]) -> bool:
        """:return: whether it may go on."""
        self._record.clear()
        before = len(self._trace.asked)
        reply = await question
        self.stages.append(
            {
                "stage": stage,
                "reply": "" if reply is None else str(reply),
                "decisions": [self._told(decision) for decision in self._record],
                "log": [f"{word}: {text}".removeprefix(": ") for word, text in self._session.decisions],
                "lookups": lookups(self._trace.asked[before:], self._settings),
            }
        )
        self._session.decisions.clear()
        return reply is None

    def _told(self, decision: Decision) -> dict[str, Any]:
        return {**asdict(decision), "where": self._settings.where(decision.parameter) if decision.parameter else ""}


async def explain_session(caller: Caller, context: Any, trace: Trace) -> dict[str, Any]:
    """:param context: of the SMTP service; ``tables`` record into ``trace``. :return: plain data."""
    settings = context.settings
    record: list[Decision] = []
    networks = AddressList(settings.mynetworks, context, "mynetworks", matches_subdomains(settings, "mynetworks"))
    access = Access(context, Addressing(context), networks, record)
    session = await _session(caller, context)
    recorder = _Recorder(session, record, trace, settings)
    try:
        await _stages(caller, access, session, recorder, context.seconds)
    finally:
        access.close()
    client = session.client
    return {
        "service": context.name,
        "client": client.printable,
        "reverse": client.reverse_name,
        "problems": access.problems,
        "stages": recorder.stages,
    }


async def _session(caller: Caller, context: Any) -> Session:
    settings = context.settings
    client = Client(
        address=caller.address,
        protocol="ESMTP" if caller.helo else "SMTP",
        sasl_username=caller.login,
        sasl_method="PLAIN" if caller.login else "",
    )
    session = Session(client)
    if caller.name:
        client.name = client.reverse_name = caller.name
        session.client_status = session.reverse_status = OK
        return session
    dns = context.dns if settings.smtpd_peername_lookup else None
    found = await PeerNames(dns, context.reactor.seconds).look_up(caller.address)
    client.name, client.reverse_name = found.name, found.reverse_name
    session.client_status, session.reverse_status = found.status, found.reverse_status
    return session


async def _stages(
    caller: Caller, access: Access, session: Session, recorder: _Recorder, seconds: Callable[[], float]
) -> None:
    """CONNECT to DATA, as far as the client gets."""
    if not await recorder.ask("CONNECT", access.connect(session)):
        return
    if caller.helo:
        session.client.helo = caller.helo
        session.protocol_state, session.ehlo = "EHLO", True
        if not await recorder.ask("EHLO", access.helo(session)):
            return
    session.envelope = Envelope(sender=caller.sender, client=session.client, arrival=seconds())
    session.instance = "explain"
    session.protocol_state = "MAIL"
    if not await recorder.ask(f"MAIL FROM:<{caller.sender}>", access.mail(session)):
        return
    accepted = [recipient for recipient in caller.recipients if await _recipient(recipient, access, session, recorder)]
    if accepted:
        session.recipient = accepted[0] if len(accepted) == 1 else ""
        session.protocol_state = "DATA"
        await recorder.ask("DATA", access.data(session))


async def _recipient(recipient: str, access: Access, session: Session, recorder: _Recorder) -> bool:
    session.protocol_state, session.recipient = "RCPT", recipient
    good = await recorder.ask(f"RCPT TO:<{recipient}>", access.rcpt(session))
    session.recipient_count += good
    return good
