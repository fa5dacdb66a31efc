"""AUTH in a client's session (RFC 4954; postconf(5): smtp_sasl_...): whose credentials go to which server, and what its answer
means.

A server for which there are no credentials, or that does not offer AUTH, is talked to without. One that has them and refuses
them is of no use now; another one of the destination may be.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Hashable
from typing import Any

from mailer.deliver.smtp.destination import Destination
from mailer.deliver.smtp.login_parameters import LoginParameters
from mailer.deliver.smtp.policy import Policy
from mailer.deliver.smtp.reason import Reason, from_reply
from mailer.deliver.smtp.session import Session, SiteFailed, breakdown
from mailer.message.delivery import DeliveryRequest
from mailer.message.status import TemporaryError
from mailer.net.client import BrokenOff
from mailer.sasl.client import choose
from mailer.sasl.client_exchange import Credentials, Exchange, ExchangeFailed
from mailer.tables.search import find_address
from mailer.wire.smtp.client import Failure, Step
from mailer.wire.smtp.replies import PeerReply

__all__ = ["Login"]


class Login:
    """A Policy that logs in once the Policy inside has done its part (TLS).

    :param credentials: the table. :param mechanisms: a StringList, or None.
    :param in_thread: runs a function off the reactor. :param random: so many random octets.
    :param delimiters: recipient_delimiter. :param is_local: as `find_address` wants it.
    """

    def __init__(
        self,
        inner: Policy,
        parameters: LoginParameters,
        credentials: Any,
        mechanisms: Any,
        log: Any,
        in_thread: Callable[..., Any],
        random: Callable[[int], bytes],
        delimiters: str = "",
        is_local: Any = None,
    ) -> None:
        self._inner = inner
        self._parameters = parameters
        self._credentials = credentials
        self._mechanisms = mechanisms
        self._log = log
        self._in_thread = in_thread
        self._random = random
        self._delimiters = delimiters
        self._is_local = is_local
        self.plan = inner.plan
        self.keeps = inner.keeps
        self.retries_in_plaintext = inner.retries_in_plaintext
        self.connected = inner.connected

    async def key(self, destination: Destination, request: DeliveryRequest) -> Hashable:
        inner = await self._inner.key(destination, request)
        return (inner, request.envelope.sender) if self._parameters.sender_dependent else inner

    async def established(self, session: Session, destination: Destination, request: DeliveryRequest) -> None:
        await self._inner.established(session, destination, request)
        if session.offers.auth is None:
            return
        offered = await self._offered(session)
        credentials = await self._find(session, destination, request)
        if credentials is None:
            return
        if not offered:
            raise SiteFailed(
                Reason(
                    "4.7.0",
                    f"SASL authentication failed: server {session.name} offered no compatible authentication mechanisms"
                    " for this type of connection security",
                )
            )
        chosen = choose(offered, self._options(session), credentials, self._random)
        if chosen is None:
            raise self._impossible(
                session, "no mechanism available", "SASL authentication failure: No worthy mechs found"
            )
        await self._log_in(session, *chosen)
        session.login = credentials.name

    async def _offered(self, session: Session) -> list[str]:
        """The mechanisms that the filter lets through."""
        offered = session.offers.auth or ()
        if not offered:
            self._log.warning(f"{session.relay} offered null AUTH mechanism list")
            return []
        if self._mechanisms is None:
            return list(offered)
        try:
            left = [name for name in offered if await self._mechanisms.match(name)]
        except TemporaryError:
            raise SiteFailed(breakdown(Failure.LOCAL, Step.EHLO, session)) from None
        if not left:
            self._log.warning(f"{session.relay} offered no supported AUTH mechanisms: '{' '.join(offered)}'")
        return left

    async def _find(self, session: Session, destination: Destination, request: DeliveryRequest) -> Credentials | None:
        """By sender if that is wanted, else by host, else by destination."""
        try:
            found = await self._entry(session, destination, request)
        except TemporaryError:
            self._log.warning(f"{session.queue_id}: {self._parameters.name} lookup error")
            raise SiteFailed(breakdown(Failure.LOCAL, Step.EHLO, session)) from None
        if found is None:
            return None
        name, _, password = found.partition(self._parameters.delimiter)
        return Credentials(
            name, password, name if self._parameters.send_authzid else "", session.host, destination.port
        )

    async def _entry(self, session: Session, destination: Destination, request: DeliveryRequest) -> str | None:
        table, sender = self._credentials, request.envelope.sender
        if self._parameters.sender_dependent and sender:
            found = await find_address(table, sender, self._delimiters, is_local=self._is_local)
            if found is not None:
                return found.value
        value: str | None = await table.lookup(session.host)
        return value if value is not None else await table.lookup(destination.site)

    def _options(self, session: Session) -> tuple[str, ...]:
        parameters = self._parameters
        encrypted = session.tls.established if session.tls is not None else None
        if encrypted is None:
            return parameters.security_options
        return parameters.tls_verified_security_options if encrypted.matched else parameters.tls_security_options

    async def _log_in(self, session: Session, name: str, exchange: Exchange) -> None:
        first = exchange.begin()
        command = f"AUTH {name}".encode("ascii") + (b" " + _wrapped(first) if first is not None else b"")
        try:
            reply = await session.connection.command(command, Step.AUTH)
            while reply.code // 100 == 3:
                response = await self._respond(session, exchange, reply)
                reply = await session.connection.command(_wrapped(response), Step.AUTH)
            if reply.code // 100 == 2:
                exchange.end()
        except BrokenOff as broken:
            step = Step.LHLO if session.connection.conversation.lmtp else broken.step
            raise SiteFailed(breakdown(broken.failure, step, session)) from None
        except ExchangeFailed as failed:
            raise self._impossible(session, failed.text, failed.remark) from None
        if reply.code // 100 != 2:
            text = f"SASL authentication failed; server {session.name} said: {reply.line}"
            raise SiteFailed(from_reply(reply, session.host, text, self._parameters.auth_soft_bounce))

    async def _respond(self, session: Session, exchange: Exchange, reply: PeerReply) -> bytes:
        challenge = _unwrapped(reply.text)
        if exchange.slow:
            response: bytes = await self._in_thread(exchange.step, challenge)
            return response
        return exchange.step(challenge)

    def _impossible(self, session: Session, why: str, remark: str) -> SiteFailed:
        if remark:
            self._log.warning(remark)
        text = f"SASL authentication failed; cannot authenticate to server {session.name}: {why}"
        return SiteFailed(Reason("4.7.0", text))


def _wrapped(data: bytes) -> bytes:
    return base64.b64encode(data)


def _unwrapped(text: str) -> bytes:
    """:raise ExchangeFailed: it is not Base64."""
    try:
        return base64.b64decode(text[4:].strip().encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise ExchangeFailed("another step is needed in authentication") from None
