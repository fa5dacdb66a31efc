"""From a connection to a finished EHLO: the greeting, who the server says it is, what it offers.

smtp(8); postconf(5): smtp_always_send_ehlo, smtp_never_send_ehlo, smtp_skip_5xx_greeting, smtp_discard_ehlo_keywords,
smtp_pix_workarounds.
"""

from __future__ import annotations

from typing import Any

from mailer.deliver.smtp.parameters import ClientParameters
from mailer.deliver.smtp.reason import LOOP_STATUS, Reason, from_reply
from mailer.deliver.smtp.session import Session, SiteFailed, breakdown
from mailer.message.delivery import DeliveryRequest
from mailer.message.status import TemporaryError
from mailer.net.client import BrokenOff
from mailer.wire.smtp.client import Failure, Step
from mailer.wire.smtp.offers import parse_offers
from mailer.wire.smtp.replies import PeerReply

__all__ = ["greet", "hello"]

#: The keywords that can be ignored, in the order and with the names under which Postfix logs them.
_KEYWORDS = (
    "8BITMIME", "AUTH", "ETRN", "PIPELINING", "SIZE", "VRFY", "XCLIENT", "XFORWARD", "STARTTLS",
    "ENHANCEDSTATUSCODES", "DSN", "EHLO_MASK_SMTPUTF8", "CHUNKING",
)  # fmt: skip


async def greet(session: Session, request: DeliveryRequest, detect_loops: bool, desk: Any) -> None:
    """Receive the greeting.

    :param desk: ``parameters``, ``log``, ``seconds``, and the tables ``ehlo_keywords`` and ``pix_maps`` (or None).
    :raise SiteFailed: the server will not have us.
    """
    try:
        greeting = await session.connection.greeting()
    except BrokenOff as broken:
        raise SiteFailed(breakdown(broken.failure, broken.step, session)) from None
    if greeting.code // 100 != 2:
        raise SiteFailed(_refusal(greeting, session, desk.parameters.skip_5xx_greeting))
    session.esmtp = "ESMTP" in greeting.text.upper().split()[1:]
    await _note_pix(session, greeting, request, desk)
    _note_own_name(session, greeting, detect_loops, desk)


async def hello(session: Session, request: DeliveryRequest, detect_loops: bool, desk: Any) -> None:
    """Say EHLO, HELO or LHLO, and learn what the server offers. :raise SiteFailed: the server will not have us."""
    try:
        reply = await _say_hello(session, desk.parameters)
    except BrokenOff as broken:
        raise SiteFailed(breakdown(broken.failure, broken.step, session)) from None
    if reply is not None:
        await _take_offers(session, reply, request.nexthop, detect_loops, desk)


def _refusal(reply: PeerReply, session: Session, soften: bool = False) -> Reason:
    soften = soften and reply.code // 100 == 5
    return from_reply(reply, session.host, f"host {session.name} refused to talk to me: {reply.line}", soften)


async def _say_hello(session: Session, parameters: ClientParameters) -> PeerReply | None:
    """The reply with the server's offers; None if it makes none."""
    name = parameters.helo_name.encode("ascii", "replace")
    if parameters.lmtp:
        reply = await session.connection.command(b"LHLO " + name, Step.LHLO)
        if reply.code // 100 != 2:
            raise SiteFailed(_refusal(reply, session))
        return reply
    if (
        (parameters.always_send_ehlo or session.esmtp)
        and not parameters.never_send_ehlo
        and "disable_esmtp" not in session.pix
    ):
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
