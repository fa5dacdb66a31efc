"""One delivery: a message, a nexthop, some recipients; from server to server until each recipient's fate is known.

Which failure leads to the next server, and which one is final, follows Postfix's smtp(8): the sites of the nexthop in
turn, then those of the fallback relay; at each site its servers in turn, within limits; the last one's failure counts.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

from mailer.deliver.smtp.content import prepare
from mailer.deliver.smtp.destination import BadDestination, Destination, split_sites
from mailer.deliver.smtp.envelope import transaction_for
from mailer.deliver.smtp.outgoing.outgoing import GenericFailed, Outgoing
from mailer.deliver.smtp.policy import NoPolicy
from mailer.deliver.smtp.reason import LOOP_STATUS, Reason
from mailer.deliver.smtp.route import Address, Route
from mailer.deliver.smtp.session import MessageRefused, RetryInPlaintext, Session, SiteFailed, no_smtputf8
from mailer.deliver.smtp.tally import Tally
from mailer.deliver.smtp.verdict import flawless, judge, stale
from mailer.interfaces.transport import TransportUnavailable
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Recipient
from mailer.message.status import Reply
from mailer.wire.smtp.client import Failure, Step, Transaction

__all__ = ["Delivery"]


class TransportBroken(TransportUnavailable):
    """Something is wrong with the configuration; nothing goes until that has been mended."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.reply = Reply(451, "4.3.0", "unknown mail transport error")


class Delivery:
    """Carries out one request.

    :param desk: what all deliveries of the transport share (``mailer.deliver.smtp.desk.Desk``).
    """

    def __init__(self, desk: Any, request: DeliveryRequest, outcomes: Any) -> None:
        self._desk = desk
        self._parameters = desk.parameters
        self._request = request
        self._outcomes = outcomes
        self._tally = Tally(request, outcomes, desk.log, desk.parameters, desk.flags.final)
        self._final_nexthop = False
        self._broken = False  # a kept session broke off, so its server may be called again
        self._in_plaintext = False  # the server just tried shall be tried once more, without TLS

    async def run(self) -> None:
        if await self._desk.flags.loops(self._request):
            self._refuse_loop()
            return
        sites = split_sites(self._request.nexthop)
        primary = len(sites)
        sites.extend(site for entry in self._parameters.fallback_relay for site in split_sites(entry))
        tried = -1
        for tried, site in enumerate(sites):
            self._final_nexthop = tried == len(sites) - 1
            await self._site(self._parse(site))
            if not self._tally.left:
                return
            if self._final_nexthop:
                break
        self._leftovers(tried >= primary, sites[0] if sites else "")

    def _refuse_loop(self) -> None:
        for recipient in self._tally.left:
            reason = Reason(LOOP_STATUS, f"mail forwarding loop for {recipient.address}")
            self._tally.failed(recipient, reason, None, "lmtp" if self._parameters.lmtp else "smtp")

    def _parse(self, site: str) -> Destination:
        try:
            return self._desk.destination(site)
        except BadDestination as error:
            self._desk.log.fatal(str(error))
            raise TransportBroken(str(error)) from None

    def _leftovers(self, fallback: bool, first_site: str) -> None:
        """All servers were tried, or there were none, or mail loops: whatever happened last is the recipients' fate."""
        reason = self._tally.why or Reason("4.3.0", "server unavailable or unable to receive mail")
        if not reason.soft:
            # What may be our own mistake is no reason to return mail.
            if fallback:
                name = "lmtp_fallback_relay" if self._parameters.lmtp else "smtp_fallback_relay"
                self._desk.log.warning(f"{name} configuration problem")
                reason = reason.softened("4.3.5")
            elif first_site and first_site == self._parameters.relayhost:
                self._desk.log.warning("relayhost configuration problem")
                reason = reason.softened("4.3.5")
        self._tally.final_server = True
        self._tally.fail(reason, None, unreachable=True)

    # One site: its servers in turn.

    async def _site(self, destination: Destination) -> None:
        key = (destination.site, await self._desk.policy.key(destination, self._request))
        visited = await self._reuse(key, destination)
        if not self._tally.left:
            return
        route = await self._route(destination)
        if self._desk.best_mx is not None and await self._passed_on(route):
            return
        if route.reason is not None:
            self._tally.why = route.reason
        if route.is_mx or (not route.addresses and route.reason is not None and route.reason.loop):
            self._final_nexthop = True
        await self._servers(destination, key, route.addresses, visited)

    async def _passed_on(self, route: Route) -> bool:
        """Whether another transport takes mail that would come back to ourselves (best_mx_transport)."""
        if route.addresses or route.reason is None or route.reason.status != LOOP_STATUS:
            return False
        passed: bool = await self._desk.best_mx.deliver(self._request, self._tally.left, self._outcomes)
        if passed:
            self._tally.left = []
        return passed

    async def _route(self, destination: Destination) -> Route:
        if destination.path:
            return Route((Address(self._parameters.myhostname, destination.path),))
        return await self._desk.finder.find(destination, self._desk.detects_loops(destination))

    async def _reuse(self, key: Any, destination: Destination) -> str:
        """Deliver through an open session, if there is one. :return: the address that was tried, or ""."""
        tally = self._tally
        while True:
            session = self._desk.pool.take(key) or self._desk.pool.share(key)
            if session is None:
                return ""
            tally.final_server = False
            if await self._converse(session, destination, reused=True):
                tally.next_server()
                return "" if self._broken else session.address
            # The server had closed the session in the meantime, which says nothing about the message.

    async def _servers(self, destination: Destination, key: Any, addresses: tuple[Address, ...], visited: str) -> None:
        tally = self._tally
        limit = self._parameters.mx_address_limit or len(addresses)
        candidates = deque((each, False) for each in [each for each in addresses if each.address != visited][:limit])
        sessions = 0
        while candidates:
            address, plain = candidates.popleft()
            session = await self._connect(destination, key, address, plain)
            if session is None:
                continue
            session.best_mx = address.preference == addresses[0].preference
            last = not candidates
            tally.final_server = self._final_nexthop and last
            self._in_plaintext = False
            if await self._greet(session, destination):
                # Servers that would not talk do not count.
                sessions += 1
                last = last or sessions == self._parameters.mx_session_limit
                tally.final_server = self._final_nexthop and last
                await self._converse(session, destination)
                sessions -= self._in_plaintext
            if self._in_plaintext:
                last = False
                candidates.appendleft((address, True))
            tally.next_server()
            if last or not tally.left:
                return

    async def _connect(self, destination: Destination, key: Any, address: Address, plain: bool) -> Session | None:
        try:
            plan = await self._desk.policy.plan(destination, address, self._request, plain)
        except NoPolicy as refused:
            if refused.text:
                self._tally.why = Reason(refused.status, refused.text)
            return None
        session = await self._desk.connect(destination, address, key)
        if isinstance(session, Reason):
            self._tally.why = session
            if not destination.path:
                self._desk.log.info(session.text)
            return None
        session.tls = plan
        return session

    async def _greet(self, session: Session, destination: Destination) -> bool:
        session.queue_id = self._request.queue_id
        try:
            await self._desk.greet(session, destination, self._request)
        except (SiteFailed, MessageRefused) as failed:
            self._in_plaintext = isinstance(failed, RetryInPlaintext)
            if self._in_plaintext:
                self._tally.final_server = False
            self._tally.fail(failed.reason, session, unreachable=isinstance(failed, SiteFailed))
            session.connection.quit()
            return False
        except BaseException:
            session.connection.abort()
            raise
        return True

    # One session.

    async def _converse(self, session: Session, destination: Destination, reused: bool = False) -> bool:
        """Carry the message. :return: False if a session that had been kept turned out to be gone."""
        pool, connection = self._desk.pool, session.connection
        session.uses += 1
        session.queue_id = self._request.queue_id
        keep = self._keeps(session, destination)
        pool.carrying(session)
        try:
            refusal = await self._unfit(session)
            if refusal is None:
                transaction = await self._carry(session, keep)
        except BaseException:
            if not connection.conversation.transactions:
                connection.abort()
            raise
        finally:
            pool.done(session)
        if refusal is not None:
            self._turn_away(session, refusal, keep)
            return True
        if reused and stale(transaction):
            connection.quit()
            return False
        if reused and not flawless(transaction):
            await self._look_ahead(transaction, session, destination)
        self._remarks(transaction, session)
        if transaction.failure in (Failure.LOST, Failure.TIMEOUT):
            self._in_plaintext = self._desk.policy.retries_in_plaintext(session, self._request)
            if self._in_plaintext:
                self._tally.final_server = False
        judge(transaction, session, self._tally, self._parameters.lmtp)
        if keep:
            pool.put(session)
        else:
            connection.quit()
        return True

    def _keeps(self, session: Session, destination: Destination) -> bool:
        """Whether the session shall stay open after this message."""
        pool = self._desk.pool
        wanted = pool.wanted(destination.path or destination.host, self._request.busy)
        return bool(wanted and pool.keeps(session) and self._desk.policy.keeps(session))

    async def _unfit(self, session: Session) -> Reason | None:
        """Why this server cannot have the message, known without asking it."""
        offers, size = session.offers, self._request.content.size
        if self._request.envelope.smtputf8 and not offers.smtputf8 and await self._desk.needs_smtputf8(self._request):
            return no_smtputf8(session)
        if offers.size_limit and offers.size_limit < size:
            text = f"message size {size} exceeds size limit {offers.size_limit} of server {session.name}"
            return Reason("5.3.4", text)
        return None

    def _turn_away(self, session: Session, refusal: Reason, keep: bool) -> None:
        """The session was not needed after all."""
        self._tally.fail(refusal, session, unreachable=False)
        if keep:
            self._desk.pool.put(session)
        else:
            session.connection.leave()

    async def _carry(self, session: Session, keep: bool) -> Transaction:
        desk, request, tally = self._desk, self._request, self._tally
        tally.connected, tally.use = desk.seconds(), session.uses
        outgoing, said, recipients = desk.outgoing, request, tally.left
        if outgoing is not None:
            said, recipients = await self._as_shown(outgoing)
        transaction = transaction_for(said, recipients, session.offers, self._parameters, bool(session.login))
        transaction.last = not keep
        content = None
        if request.probe:
            transaction.stop = Step.DATA if self._parameters.verify_target == "data" else Step.RCPT
        else:
            if outgoing is not None:
                request = replace(request, content=await outgoing.content(request))
            transaction.body, content = prepare(*desk.content(request, session, tally.left))
        begun = desk.pool.seconds()
        await session.connection.deliver(transaction, content)
        session.quick = desk.pool.seconds() - begun < desk.pool.quick
        return transaction

    async def _as_shown(self, outgoing: Outgoing) -> tuple[DeliveryRequest, list[Recipient]]:
        try:
            return await outgoing.envelope(self._request, self._tally.left)
        except GenericFailed as error:
            self._desk.log.fatal(str(error))
            raise TransportBroken(str(error)) from None

    async def _look_ahead(self, transaction: Transaction, session: Session, destination: Destination) -> None:
        """After trouble in a session that had been kept: whether there is anywhere else to try.

        A connection that broke may be made anew, unless the message may have arrived.
        """
        self._broken = transaction.failure is not None and transaction.step is not Step.DOT
        if self._broken or not self._final_nexthop:
            return
        addresses = (await self._route(destination)).addresses[: self._parameters.mx_address_limit or None]
        self._tally.final_server = all(each.address == session.address for each in addresses)

    def _remarks(self, transaction: Transaction, session: Session) -> None:
        """What changes nothing, but is good to know."""
        log = self._desk.log
        for step, reply in transaction.refused:
            what = "name/address" if step is Step.XFORWARD_NAME else "helo/protocol"
            log.warning(f"host {session.relay} said: {reply.line} (in reply to XFORWARD {what} command)")
        if transaction.cause is not None and getattr(transaction.cause, "cause", "unknown"):
            log.warning(f"{self._request.queue_id}: content cannot be read: {transaction.cause}")
