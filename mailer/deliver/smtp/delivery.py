"""One delivery: a message, a nexthop, some recipients; from server to server until each recipient's fate is known.

Which failure leads to the next server, which one is final, and in what words, follows Postfix's smtp(8): a temporary
failure at one server is no fate as long as there is another one to try; the last one's failure counts.
"""

from __future__ import annotations

from typing import Any

from mailer.deliver.smtp.content import prepare
from mailer.deliver.smtp.destination import BadDestination, Destination, parse, split_sites
from mailer.deliver.smtp.envelope import mail_command, rcpt_command, xforward_commands
from mailer.deliver.smtp.reason import LOOP_STATUS, Reason, from_reply
from mailer.deliver.smtp.route import Address, Route
from mailer.deliver.smtp.session import MessageRefused, Session, SiteFailed, breakdown, no_smtputf8
from mailer.interfaces.transport import TransportUnavailable
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Recipient
from mailer.message.status import Fate, Outcome, Reply
from mailer.wire.smtp.client import Failure, Step, Transaction
from mailer.wire.smtp.replies import PeerReply

__all__ = ["Delivery"]


class TransportBroken(TransportUnavailable):
    """Something is wrong with the configuration; nothing goes until that has been mended."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.reply = Reply(451, "4.3.0", "unknown mail transport error")


class Delivery:
    """Carries out one request.

    :param desk: what all deliveries of the transport share (``mailer.deliver.smtp.transport.Desk``).
    """

    def __init__(self, desk: Any, request: DeliveryRequest, outcomes: Any) -> None:
        self._desk = desk
        self._parameters = desk.parameters
        self._request = request
        self._outcomes = outcomes
        self._left: list[Recipient] = list(request.recipients)  # no fate yet, not tried at the current server
        self._kept: list[Recipient] = []  # failed for now at the current server: for the next one
        self._why: Reason | None = None
        self._final_nexthop = False
        self._final_server = False
        self._carried = False  # a session got through a message, so the nexthop works
        self._broken = False  # a kept session broke off, so its server may be called again
        self._connected: float | None = None

    async def run(self) -> None:
        if await self._desk.flags.loops(self._request):
            reason = Reason(LOOP_STATUS, f"mail forwarding loop for {self._request.recipients[0].address}")
            for recipient in self._left:
                self._failed(recipient, reason, None, "lmtp" if self._parameters.lmtp else "smtp")
            return
        sites = split_sites(self._request.nexthop)
        primary = len(sites)
        sites.extend(site for entry in self._parameters.fallback_relay for site in split_sites(entry))
        tried = -1
        for tried, site in enumerate(sites):
            self._final_nexthop = tried == len(sites) - 1
            await self._site(self._parse(site))
            if not self._left:
                return
            if self._final_nexthop:
                break
        self._leftovers(tried >= primary, sites[0] if sites else "")

    def _parse(self, site: str) -> Destination:
        desk = self._desk
        try:
            return parse(site, self._parameters.port, self._parameters.lmtp, desk.ports)
        except BadDestination as error:
            desk.log.fatal(str(error))
            raise TransportBroken(str(error)) from None

    # One site: its servers in turn.

    async def _site(self, destination: Destination) -> None:
        key = (destination.site, self._desk.policy.key(destination.site, self._request))
        visited = await self._reuse(key, destination)
        if not self._left:
            return
        route = await self._route(destination)
        if route.reason is not None:
            self._why = route.reason
        if route.is_mx or (not route.addresses and route.reason is not None and route.reason.loop):
            self._final_nexthop = True
        await self._servers(destination, key, route.addresses, visited)

    def _detects_loops(self, destination: Destination) -> bool:
        return destination.port == 25 and not self._parameters.lmtp

    async def _route(self, destination: Destination) -> Route:
        if destination.path:
            return Route((Address(self._parameters.myhostname, destination.path),))
        return await self._desk.finder.find(destination, self._detects_loops(destination))

    async def _reuse(self, key: Any, destination: Destination) -> str:
        """Deliver through an open session, if there is one. :return: the address that was tried, or ""."""
        while True:
            session = self._desk.pool.take(key)
            if session is None:
                return ""
            self._final_server = False
            if await self._converse(session, destination, reused=True):
                return "" if self._broken else session.address
            # The server had closed the session in the meantime, which says nothing about the message.

    async def _servers(self, destination: Destination, key: Any, addresses: tuple[Address, ...], visited: str) -> None:
        detect_loops = self._detects_loops(destination)
        limit = self._parameters.mx_address_limit or len(addresses)
        candidates = [each for each in addresses if each.address != visited][:limit]
        sessions = 0
        for number, address in enumerate(candidates):
            session = await self._connect(destination, key, address)
            if session is None:
                continue
            session.best_mx = address.preference == addresses[0].preference
            last = number == len(candidates) - 1
            self._final_server = self._final_nexthop and last
            try:
                await self._desk.greet(session, self._request, detect_loops)
            except (SiteFailed, MessageRefused) as failed:
                self._fail(failed.reason, session, throttle=isinstance(failed, SiteFailed))
                session.connection.quit()
            else:
                sessions += 1
                if sessions == self._parameters.mx_session_limit:
                    last = True
                    self._final_server = self._final_nexthop
                await self._converse(session, destination)
            self._next_round()
            if last or not self._left:
                return

    async def _connect(self, destination: Destination, key: Any, address: Address) -> Session | None:
        session = await self._desk.connect(destination, address, key)
        if isinstance(session, Reason):
            self._why = session
            if not destination.path:
                self._desk.log.info(session.text)
            return None
        return session

    def _next_round(self) -> None:
        self._left, self._kept = self._kept, []

    # One session.

    async def _converse(self, session: Session, destination: Destination, reused: bool = False) -> bool:
        """Carry the message. :return: False if a session that had been kept turned out to be gone."""
        desk, request = self._desk, self._request
        session.uses += 1
        session.queue_id = request.queue_id
        refusal = await self._unfit(session)
        if refusal is not None:
            self._fail(refusal, session, throttle=False)
            self._turn_away(session, destination, refusal)
            return True
        self._connected = desk.seconds()
        last = not self._keeps(session, destination)
        transaction = self._transaction(session, last)
        content = None
        if request.probe:
            transaction.stop = Step.DATA if self._parameters.verify_target == "data" else Step.RCPT
        else:
            transaction.body, content = prepare(*desk.content(request, session, self._left))
        await session.connection.deliver(transaction, content)
        if reused and _stale(transaction):
            session.connection.abort()
            return False
        if reused and not _flawless(transaction):
            await self._look_ahead(transaction, session, destination)
        self._judge(transaction, session)
        self._put_away(session, destination, last)
        if reused:
            self._next_round()
        return True

    async def _look_ahead(self, transaction: Transaction, session: Session, destination: Destination) -> None:
        """After trouble in a session that had been kept: whether there is anywhere else to try.

        A connection that broke may be made anew, unless the message may have arrived.
        """
        self._broken = transaction.failure is not None and transaction.step is not Step.DOT
        if self._broken or not self._final_nexthop:
            return
        addresses = (await self._route(destination)).addresses[: self._parameters.mx_address_limit or None]
        self._final_server = all(each.address == session.address for each in addresses)

    def _turn_away(self, session: Session, destination: Destination, refusal: Reason) -> None:
        """The session was not needed after all."""
        if self._keeps(session, destination):
            self._desk.pool.put(session)
        elif refusal.status == "5.6.7":
            session.connection.quit()
        else:
            session.connection.leave()

    def _keeps(self, session: Session, destination: Destination) -> bool:
        """Whether the session shall stay open after this message."""
        pool = self._desk.pool
        return bool(pool.wanted(destination.path or destination.host, self._request.busy) and pool.keeps(session))

    def _put_away(self, session: Session, destination: Destination, last: bool = False) -> None:
        conversation = session.connection.conversation
        if not last and conversation.usable and conversation.welcome and self._desk.pool.keeps(session):
            self._desk.pool.put(session)
        else:
            session.connection.quit()

    async def _unfit(self, session: Session) -> Reason | None:
        """Why this server cannot have the message, known without asking it."""
        offers, size = session.offers, self._request.content.size
        if self._request.envelope.smtputf8 and not offers.smtputf8 and await self._desk.needs_smtputf8(self._request):
            return no_smtputf8(session)
        if offers.size_limit and offers.size_limit < size:
            text = f"message size {size} exceeds size limit {offers.size_limit} of server {session.name}"
            return Reason("5.3.4", text)
        return None

    def _transaction(self, session: Session, last: bool) -> Transaction:
        request, offers, parameters = self._request, session.offers, self._parameters
        smtputf8 = request.envelope.smtputf8 and offers.smtputf8
        preamble: list[tuple[bytes, Step]] = []
        if parameters.send_xforward and offers.xforward:
            envelope = request.envelope
            preamble = xforward_commands(envelope.client, envelope.source, offers.xforward, request.queue_id)
        return Transaction(
            mail_command(request, offers, parameters),
            [rcpt_command(each, offers, parameters, smtputf8) for each in self._left],
            preamble=tuple(preamble),
            last=last,
        )

    # What came of it.

    def _judge(self, transaction: Transaction, session: Session) -> None:
        """Give each recipient its fate, or keep it for the next server."""
        self._remarks(transaction, session)
        open_ones = list(self._left)
        mail = transaction.mail_reply
        if mail is not None and mail.code // 100 != 2:
            self._fail(self._said(mail, session, "MAIL FROM command"), session, throttle=False)
            return
        open_ones = self._judge_recipients(transaction, session, open_ones)
        data = transaction.data_reply
        if open_ones and data is not None and data.code // 100 != 3:
            self._fail(self._said(data, session, "DATA command"), session, throttle=False, recipients=open_ones)
            return
        if open_ones and transaction.stop is Step.DATA and data is not None:
            for recipient in open_ones:
                self._sent(recipient, data, session)
            open_ones = []
        open_ones = self._judge_end(transaction, session, open_ones)
        if transaction.failure is None:
            self._carried = True
        elif open_ones:
            assert transaction.step is not None
            reason = breakdown(transaction.failure, transaction.step, session)
            self._fail(reason, session, throttle=True, recipients=open_ones)

    def _remarks(self, transaction: Transaction, session: Session) -> None:
        """What changes nothing, but is good to know."""
        log = self._desk.log
        for step, reply in transaction.refused:
            what = "name/address" if step is Step.XFORWARD_NAME else "helo/protocol"
            log.warning(f"host {session.relay} said: {reply.line} (in reply to XFORWARD {what} command)")
        if transaction.cause is not None:
            log.warning(f"{self._request.queue_id}: content cannot be read: {transaction.cause}")

    def _judge_recipients(
        self, transaction: Transaction, session: Session, open_ones: list[Recipient]
    ) -> list[Recipient]:
        """The answers to RCPT. :return: the recipients without a fate."""
        if len(transaction.accepted) == len(open_ones) and transaction.stop is None:
            return open_ones
        accepted = []
        for recipient, reply in zip(open_ones, transaction.rcpt_replies, strict=False):
            if reply.code // 100 != 2:
                self._reject(recipient, self._said(reply, session, "RCPT TO command"), session)
            elif transaction.stop is Step.RCPT:
                self._sent(recipient, reply, session)
            else:
                accepted.append(recipient)
        return accepted + open_ones[len(transaction.rcpt_replies) :]

    def _judge_end(self, transaction: Transaction, session: Session, open_ones: list[Recipient]) -> list[Recipient]:
        """The answers to the end of the content. :return: the recipients without a fate."""
        replies = transaction.replies
        if not replies or not open_ones:
            return open_ones
        if not self._parameters.lmtp:
            if replies[0].code // 100 != 2:
                reason = self._said(replies[0], session, "end of DATA command")
                self._fail(reason, session, throttle=False, recipients=open_ones)
            else:
                for recipient in open_ones:
                    self._sent(recipient, replies[0], session)
            return []
        for recipient, reply in zip(open_ones, replies, strict=False):
            if reply.code // 100 != 2:
                self._reject(recipient, self._said(reply, session, "end of DATA command"), session)
            else:
                self._sent(recipient, reply, session)
        return open_ones[len(replies) :]

    def _said(self, reply: PeerReply, session: Session, command: str) -> Reason:
        return from_reply(reply, session.host, f"host {session.name} said: {reply.line} (in reply to {command})")

    # Fates.

    def _soft(self, reason: Reason) -> bool:
        return reason.soft or self._parameters.soft_bounce

    def _fail(
        self, reason: Reason, session: Session | None, throttle: bool, recipients: list[Recipient] | None = None
    ) -> None:
        """One reason for all recipients that are left: final, unless it is temporary and there is another server."""
        if recipients is None:
            recipients = self._left
        self._why = reason
        if self._soft(reason) and not self._final_server:
            self._desk.log.info(f"{self._request.queue_id}: {reason.text}")
            self._kept.extend(recipients)
            return
        if throttle and self._soft(reason) and not self._carried:
            self._outcomes.unreachable(reason.status, reason.text)
        for recipient in recipients:
            self._failed(recipient, reason, session)

    def _reject(self, recipient: Recipient, reason: Reason, session: Session) -> None:
        """A reason that concerns one recipient."""
        self._why = reason
        if self._soft(reason) and not self._final_server:
            self._desk.log.info(f"{self._request.queue_id}: {reason.text}")
            self._kept.append(recipient)
        else:
            self._failed(recipient, reason, session)

    def _failed(self, recipient: Recipient, reason: Reason, session: Session | None, relay: str = "none") -> None:
        fate = Fate.DEFERRED if reason.soft else Fate.BOUNCED
        if self._request.probe:
            fate = Fate.UNDELIVERABLE
        outcome = Outcome(
            fate,
            reason.status,
            reason.text,
            session.relay if session is not None else relay,
            self._connected,
            reason.remote_mta,
            reason.diagnostic,
            conn_use=session.uses if session is not None else 1,
        )
        self._outcomes.tell(recipient, outcome)

    def _sent(self, recipient: Recipient, reply: PeerReply, session: Session) -> None:
        dsn = session.offers.dsn
        final = self._desk.final or (self._parameters.assume_final and self._parameters.lmtp and not dsn)
        outcome = Outcome(
            Fate.DELIVERABLE if self._request.probe else Fate.SENT,
            reply.enhanced if reply.enhanced[0] == "2" else "2.0.0",
            reply.line,
            session.relay,
            self._connected,
            session.host,
            reply.text,
            "delivered" if final else "relayed",
            dsn,
            session.uses,
        )
        self._outcomes.tell(recipient, outcome)

    def _leftovers(self, fallback: bool, first_site: str) -> None:
        """All servers were tried, or there were none, or mail loops: whatever happened last is the recipients' fate."""
        reason = self._why or Reason("4.3.0", "server unavailable or unable to receive mail")
        if not reason.soft:
            # What may be our own mistake is no reason to return mail.
            if fallback:
                name = "lmtp_fallback_relay" if self._parameters.lmtp else "smtp_fallback_relay"
                self._desk.log.warning(f"{name} configuration problem")
                reason = reason.softened("4.3.5")
            elif first_site and first_site == self._parameters.relayhost:
                self._desk.log.warning("relayhost configuration problem")
                reason = reason.softened("4.3.5")
        self._final_server = True
        self._fail(reason, None, throttle=True)


def _flawless(transaction: Transaction) -> bool:
    """Whether there was nothing but consent."""
    return (
        transaction.failure is None
        and len(transaction.accepted) == len(transaction.rcpts)
        and all(reply.code // 100 == 2 for reply in transaction.replies)
        and (transaction.data_reply is None or transaction.data_reply.code // 100 == 3)
    )


def _stale(transaction: Transaction) -> bool:
    """Whether a session that had been kept was closed by the server before it took notice of this message."""
    mail = transaction.mail_reply
    if mail is not None:
        return mail.code == 421
    return transaction.failure in (Failure.LOST, Failure.TIMEOUT) and not transaction.answered
