"""What all deliveries of one SMTP or LMTP service share: parameters, connections, tables, and how to call a server."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from mailer.deliver.smtp.content import ContentFilter, header_of
from mailer.deliver.smtp.destination import Destination, parse
from mailer.deliver.smtp.downgrade import Downgrade, declares_eight_bits
from mailer.deliver.smtp.flags import Flags
from mailer.deliver.smtp.greeting import greet, hello
from mailer.deliver.smtp.outgoing.outgoing import Outgoing
from mailer.deliver.smtp.parameters import ClientParameters
from mailer.deliver.smtp.policy import PlainPolicy, Policy
from mailer.deliver.smtp.pool import Pool
from mailer.deliver.smtp.reason import Reason
from mailer.deliver.smtp.replyfilter import ReplyFilter
from mailer.deliver.smtp.route import Address, Finder
from mailer.deliver.smtp.session import MessageRefused, Session, no_smtputf8
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Recipient
from mailer.net.client import ClientConnection
from mailer.net.client_connect import BindFailed, ConnectFailed, call
from mailer.net.sweep import Sweep
from mailer.wire.smtp.client import Conversation
from mailer.wire.smtp.replies import GARBAGE, PeerReply

__all__ = ["Desk"]

_MOST_DESTINATIONS = 10_000  # whose meaning is remembered


class Desk:
    """What the deliveries of one service share.

    :param reactor: IReactorTime, IReactorTCP, IReactorUNIX.
    :param seconds: the wall clock.
    :param filters: called with the request and the session for the content filters of one delivery.
    :param is_own: whether an address literal is one of ours.
    :param directory: where a relative path of a UNIX-domain socket begins.
    """

    def __init__(
        self,
        parameters: ClientParameters,
        reactor: Any,
        seconds: Callable[[], float],
        log: Any,
        dns: Any,
        *,
        callers: Any = None,
        flags: Flags | None = None,
        policy: Policy | None = None,
        filters: Sequence[Callable[[DeliveryRequest, Session], ContentFilter | None]] = (),
        is_own: Callable[[str], bool] = lambda address: False,
        random: Random | None = None,
        ports: dict[str, int] | None = None,
        ehlo_keywords: Any = None,
        pix_maps: Any = None,
        reply_filter: Any = None,
        directory: str = "",
        outgoing: Outgoing | None = None,
        best_mx: Any = None,
    ) -> None:
        self.parameters = parameters
        self.seconds = seconds
        self.log = log
        self.policy = policy or PlainPolicy()
        self.flags = flags or Flags()
        self._ports = ports or {}
        self._destinations: dict[str, Destination] = {}
        self.ehlo_keywords = ehlo_keywords
        self.pix_maps = pix_maps
        self.finder = Finder(parameters, dns, log, random or Random(), is_own)
        self.pool = Pool(parameters, reactor.seconds)
        self._reactor = reactor
        self._callers = callers or reactor
        self._filters = filters
        self.outgoing = outgoing
        self.best_mx = best_mx
        self._directory = directory
        self._reply_filter = reply_filter
        self._sweep = Sweep(reactor)

    def destination(self, site: str) -> Destination:
        """A site of a nexthop, understood. :raise BadDestination:"""
        found = self._destinations.get(site)
        if found is None:
            if len(self._destinations) >= _MOST_DESTINATIONS:
                self._destinations.clear()
            found = parse(site, self.parameters.port, self.parameters.lmtp, self._ports)
            self._destinations[site] = found
        return found

    async def connect(self, destination: Destination, address: Address, key: Any) -> Session | Reason:
        """Call a server. :return: the session, or why there is no connection."""
        parameters = self.parameters
        bind = "" if destination.path else self._bind_address(address)
        where = os.path.join(self._directory, address.address) if destination.path else address.address
        while True:
            session = self._session(destination, address, key)
            connection = session.connection
            try:
                await call(self._callers, connection, where, destination.port, parameters.connect_timeout, bind)
            except BindFailed as error:
                self.log.warning(f"smtp_connect_addr: bind {bind}: {error}")
                if parameters.bind_address_enforce:
                    return Reason("4.4.0", "server configuration error")
                bind = ""
            except ConnectFailed as error:
                return Reason("4.4.1", f"connect to {session.relay}: {error}")
            else:
                return session

    def _session(self, destination: Destination, address: Address, key: Any) -> Session:
        parameters = self.parameters
        rewrite = None
        if self._reply_filter is not None:
            relay = f"{address.host}[{address.address}]" + (f":{destination.port}" if destination.port else "")
            rewrite = ReplyFilter(self._reply_filter, relay, self.log)
        conversation = Conversation(parameters.lmtp, parameters.reply_limit, rewrite)
        connection = ClientConnection(conversation, parameters.limits, self._sweep, self.pool.forget)
        connection.idle_limit = parameters.cache_time_limit
        connection.per_request = parameters.per_request_deadline
        connection.data_rate = parameters.min_data_rate
        connection.wait_for_quit = not parameters.skip_quit_response
        session = Session(connection, address.host, address.address, destination.port, key)
        session.started = self._reactor.seconds()
        connection.remark = partial(self._remark, session)
        return session

    def _remark(self, session: Session, reply: PeerReply) -> None:
        """What is odd about a reply is for the administrator to know."""
        warning, text, limit = self.log.warning, reply.text, self.parameters.reply_limit
        if reply.code != GARBAGE:
            many = "\n" in text
            kind = "multi-line response longer than {}" if many else "response longer than {}:"
            warning(f"{session.relay}: {kind.format(limit)} {text[:30]}...")
        elif session.connection.conversation.pipelining:
            protocol, name = ("LMTP", "lmtp_discard_lhlo") if self.parameters.lmtp else ("ESMTP", "smtp_discard_ehlo")
            warning(f"{session.queue_id}: non-{protocol} response from {session.relay}: {text[:100]}")
            warning(
                f"to prevent loss of mail, turn off command pipelining for {session.address}"
                f" with the {name}_keyword_address_maps parameter"
            )

    def _bind_address(self, address: Address) -> str:
        parameters = self.parameters
        return parameters.bind_address6 if address.family == "ipv6" else parameters.bind_address

    async def greet(self, session: Session, destination: Destination, request: DeliveryRequest) -> None:
        """From a connection to a session that may carry mail. :raise SiteFailed, MessageRefused:"""
        detect_loops = self.detects_loops(destination)
        await self.policy.connected(session, destination, request)
        await greet(session, request, detect_loops, self)
        await hello(session, request, detect_loops, self)
        await self.policy.established(session, destination, request)
        if request.envelope.smtputf8 and not session.offers.smtputf8 and await self.needs_smtputf8(request):
            raise MessageRefused(no_smtputf8(session))

    def detects_loops(self, destination: Destination) -> bool:
        """Whether a server there that is ourselves means that mail goes round in circles."""
        return destination.port == 25 and not self.parameters.lmtp

    def content(self, request: DeliveryRequest, session: Session, recipients: list[Recipient]) -> tuple[Any, ...]:
        """The arguments of ``content.prepare`` for a delivery."""
        filters = [made for make in self._filters if (made := make(request, session)) is not None]
        if self._has_to_downgrade(request, session):
            filters.append(Downgrade())
        limit = self.parameters.line_length_limit
        pause = partial(self._pause, self.parameters.pix_delay_time) if "delay_dotcrlf" in session.pix else None
        prefix = self.flags.prefix(request, recipients)
        return request, prefix, filters, limit, partial(self._broken, request, limit), pause

    def _has_to_downgrade(self, request: DeliveryRequest, session: Session) -> bool:
        if session.offers.eightbit or self.parameters.disable_mime_output_conversion:
            return False
        inline = request.content.inline
        return inline is None or declares_eight_bits(inline)

    def _pause(self, seconds: float) -> Deferred[None]:
        return deferLater(self._reactor, seconds, lambda: None)

    def _broken(self, request: DeliveryRequest, limit: int) -> None:
        self.log.info(f"{request.queue_id}: breaking line > {limit} bytes with <CR><LF>SPACE")

    @staticmethod
    async def needs_smtputf8(request: DeliveryRequest) -> bool:
        """Whether a message that was sent with SMTPUTF8 cannot do without it: an address or a header is not ASCII."""
        if not all(each.isascii() for each in (request.envelope.sender, *(r.address for r in request.recipients))):
            return True
        return not (await header_of(request.content)).isascii()
