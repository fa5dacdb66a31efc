"""A connection to one server, with who that is and what it can do: from the call to a finished EHLO.

smtp(8); postconf(5): smtp_always_send_ehlo, smtp_never_send_ehlo, smtp_skip_5xx_greeting, smtp_discard_ehlo_keywords,
smtp_pix_workarounds. TLS and SASL have their place in ``Policy.established``.
"""

from __future__ import annotations

from typing import Any, Protocol

from mailer.deliver.smtp.parameters import ClientParameters
from mailer.deliver.smtp.reason import LOOP_STATUS, Reason, from_reply
from mailer.message.delivery import DeliveryRequest
from mailer.message.status import TemporaryError
from mailer.net.client import BrokenOff, ClientConnection
from mailer.wire.smtp.client import Failure, Step
from mailer.wire.smtp.offers import Offers, parse_offers
from mailer.wire.smtp.replies import PeerReply

__all__ = ["MessageRefused", "Policy", "Session", "SiteFailed", "breakdown", "greet", "no_smtputf8"]

_STEPS = {
    Step.GREETING: "receiving the initial server greeting",
    Step.EHLO: "performing the EHLO handshake",
    Step.HELO: "performing the HELO handshake",
    Step.LHLO: "performing the LHLO handshake",
    Step.STARTTLS: "receiving the STARTTLS response",
    Step.AUTH: "authenticating with the server",
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


#: The keywords that can be ignored, in the order and with the names under which Postfix logs them.
_KEYWORDS = (
    "8BITMIME", "AUTH", "ETRN", "PIPELINING", "SIZE", "VRFY", "XCLIENT", "XFORWARD", "STARTTLS",
    "ENHANCEDSTATUSCODES", "DSN", "EHLO_MASK_SMTPUTF8", "CHUNKING",
)  # fmt: skip


class SiteFailed(Exception):
    """This server is of no use now; another one may be."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.text)
        self.reason = reason


class MessageRefused(Exception):
    """This server cannot take this message; nothing is wrong with the server."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.text)
        self.reason = reason


class Session:
    """``name`` is ``host[address]``, ``relay`` the same with its port, as logs show them."""

    __slots__ = (
        "connection",
        "offers",
        "host",
        "address",
        "name",
        "relay",
        "key",
        "best_mx",
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
        self.pix: frozenset[str] = frozenset()
        self.started = 0.0
        self.uses = 0
        self.quick = False  # whether the server answered at once, the last time
        self.queue_id = ""  # of the message under way


class Policy(Protocol):
    """What else has to be settled before a session may carry mail: encryption and authentication."""

    def key(self, site: str, request: DeliveryRequest) -> Any:
        """What two deliveries must have in common, beside the site, to share a session."""

    async def established(self, session: Session, request: DeliveryRequest) -> None:
        """EHLO is done. :raise SiteFailed, MessageRefused:"""


def breakdown(failure: Failure, step: Step, session: Session) -> Reason:
    """A conversation that broke off, in words."""
    if failure is Failure.TIMEOUT:
        return Reason("4.4.2", f"conversation with {session.name} timed out while {_STEPS[step]}")
    if failure is Failure.LOCAL:
        return Reason("4.3.0", f"local data error while talking to {session.name}")
    return Reason("4.4.2", f"lost connection with {session.name} while {_STEPS[step]}")


def no_smtputf8(session: Session) -> Reason:
    return Reason("5.6.7", f"SMTPUTF8 is required, but was not offered by host {session.name}")


async def greet(session: Session, request: DeliveryRequest, detect_loops: bool, desk: Any) -> None:
    """Receive the greeting, say EHLO (or HELO, or LHLO), learn what the server offers.

    :param desk: ``parameters``, ``log``, and the tables ``ehlo_keywords`` and ``pix_maps`` (or None).
    :raise SiteFailed: it will not have us.
    """
    parameters: ClientParameters = desk.parameters
    try:
        greeting = await session.connection.greeting()
        if greeting.code // 100 != 2:
            raise SiteFailed(_refusal(greeting, session, parameters.skip_5xx_greeting))
        await _note_pix(session, greeting, request, desk)
        _note_own_name(session, greeting, detect_loops, desk)
        reply = await _hello(session, greeting, parameters)
    except BrokenOff as broken:
        raise SiteFailed(breakdown(broken.failure, broken.step, session)) from None
    if reply is not None:
        await _take_offers(session, reply, request.nexthop, detect_loops, desk)


def _refusal(reply: PeerReply, session: Session, soften: bool = False) -> Reason:
    soften = soften and reply.code // 100 == 5
    return from_reply(reply, session.host, f"host {session.name} refused to talk to me: {reply.line}", soften)


async def _hello(session: Session, greeting: PeerReply, parameters: ClientParameters) -> PeerReply | None:
    """The reply with the server's offers; None if it makes none."""
    name = parameters.helo_name.encode("ascii", "replace")
    if parameters.lmtp:
        reply = await session.connection.command(b"LHLO " + name, Step.LHLO)
        if reply.code // 100 != 2:
            raise SiteFailed(_refusal(reply, session))
        return reply
    esmtp = parameters.always_send_ehlo or "ESMTP" in greeting.text.upper().split()[1:]
    if esmtp and not parameters.never_send_ehlo and "disable_esmtp" not in session.pix:
        reply = await session.connection.command(b"EHLO " + name, Step.EHLO)
        if reply.code // 100 == 2:
            return reply
        if reply.code == 421:
            raise SiteFailed(_refusal(reply, session))
    reply = await session.connection.command(b"HELO " + name, Step.HELO)
    if reply.code // 100 != 2:
        raise SiteFailed(_refusal(reply, session))
    return None


async def _take_offers(session: Session, reply: PeerReply, nexthop: str, detect_loops: bool, desk: Any) -> None:
    parameters, log = desk.parameters, desk.log
    name = "lmtp_discard_lhlo_keyword_address_maps" if parameters.lmtp else "smtp_discard_ehlo_keyword_address_maps"
    words = await _look_up(desk.ehlo_keywords, session, name, desk)
    ignored = {
        word.lower() for word in (parameters.discard_keywords if words is None else words.replace(",", " ").split())
    }
    if ignored and "silent-discard" not in ignored:
        listed = [word for word in _KEYWORDS if word.rpartition("_")[2].lower() in ignored]
        log.info("discarding EHLO keywords: " + " ".join(listed))
    offers = session.offers = parse_offers(reply.text, ignored)
    session.connection.conversation.pipelining = offers.pipelining
    if offers.bad_size:
        log.warning(f'bad EHLO SIZE limit "{offers.bad_size}" from {session.relay}')
    if offers.smtputf8 and not offers.eightbit:
        log.info(f"host {session.name} offers SMTPUTF8 support, but not 8BITMIME")
        offers.eightbit = True
    if detect_loops and offers.host.lower() == parameters.myhostname.lower():
        log.warning(f"host {session.relay} replied to HELO/EHLO with my own hostname {parameters.myhostname}")
        status = LOOP_STATUS if session.best_mx else "4" + LOOP_STATUS[1:]
        raise SiteFailed(Reason(status, f"mail for {nexthop} loops back to myself"))


async def _look_up(table: Any, session: Session, name: str, desk: Any) -> str | None:
    """What a table of server addresses says."""
    if table is None:
        return None
    try:
        found: str | None = await table.lookup(session.address)
    except TemporaryError:
        desk.log.warning(f"{session.queue_id}: {name} map lookup error for {session.address}")
        raise SiteFailed(breakdown(Failure.LOCAL, Step.EHLO, session)) from None
    return found


def _note_own_name(session: Session, greeting: PeerReply, detect_loops: bool, desk: Any) -> None:
    words = greeting.text.replace("-", " ", 1).split()
    own = desk.parameters.myhostname
    if detect_loops and len(words) > 1 and words[1].lower() == own.lower():
        desk.log.warning(f"host {session.relay} greeted me with my own hostname {own}")


async def _note_pix(session: Session, greeting: PeerReply, request: DeliveryRequest, desk: Any) -> None:
    """A greeting of nothing but ``2``, ``0`` and asterisks is what a certain firewall leaves of it."""
    if greeting.text.strip("20 *\t\n"):
        return
    name = "lmtp_pix_workaround_maps" if desk.parameters.lmtp else "smtp_pix_workaround_maps"
    words = await _look_up(desk.pix_maps, session, name, desk)
    chosen = {
        name.lower() for name in (desk.parameters.pix_workarounds if words is None else words.replace(",", " ").split())
    }
    if desk.seconds() - request.envelope.arrival < desk.parameters.pix_threshold_time:
        chosen.discard("delay_dotcrlf")
    session.pix = frozenset(chosen)
    listed = [name for name in ("disable_esmtp", "delay_dotcrlf") if name in chosen]
    if listed:
        desk.log.info(f"{request.queue_id}: enabling PIX workarounds: {' '.join(listed)} for {session.relay}")
