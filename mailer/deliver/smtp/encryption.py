"""TLS in a client's session: on STARTTLS or from the first octet on; what the server's answers and certificate lead to.

smtp(8); TLS_README; RFC 3207. When TLS is optional and a handshake fails, mail that has waited before is sent in plaintext to the
same server, so that a server with broken TLS does not keep it for ever; anything mandatory stays where it is.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from mailer.deliver.smtp.destination import Destination
from mailer.deliver.smtp.greeting import hello
from mailer.deliver.smtp.reason import Reason, from_reply
from mailer.deliver.smtp.route import Address
from mailer.deliver.smtp.session import (
    MessageRefused,
    RetryInPlaintext,
    Session,
    SiteFailed,
    breakdown,
)
from mailer.deliver.smtp.tls_parameters import TlsParameters
from mailer.deliver.smtp.tls_policies import TlsPolicies
from mailer.message.delivery import DeliveryRequest
from mailer.message.tls import TlsSession
from mailer.net.client import BrokenOff
from mailer.tls.client import ClientTls
from mailer.tls.contexts import CannotUseTls
from mailer.tls.description import not_verified
from mailer.tls.layer import TlsFailed, TlsLayer
from mailer.tls.levels import at_least, must_match
from mailer.tls.policy import TlsPolicy
from mailer.wire.smtp.client import Failure, Step
from mailer.wire.smtp.offers import Offers

__all__ = ["Encryption", "SessionTls"]

_PLAIN = TlsPolicy("none")


@dataclass(slots=True)
class SessionTls:
    """What ``Session.tls`` is: the policy, and once the connection is encrypted, what it is like."""

    policy: TlsPolicy
    established: TlsSession | None = None
    layer: TlsLayer | None = None


class Encryption:
    """The Policy of a service that may use TLS. ``desk`` is set once there is one."""

    desk: Any = None

    def __init__(self, parameters: TlsParameters, policies: TlsPolicies, tls: ClientTls, log: Any) -> None:
        self._parameters = parameters
        self._policies = policies
        self._tls = tls
        self._log = log

    async def key(self, destination: Destination, request: DeliveryRequest) -> Hashable:
        return await self._policies.key(destination)

    async def plan(
        self, destination: Destination, address: Address, request: DeliveryRequest, plain: bool
    ) -> SessionTls:
        return SessionTls(_PLAIN if plain else await self._policies.find(destination, address))

    def keeps(self, session: Session) -> bool:
        return session.tls.established is None or session.tls.policy.reuse

    def retries_in_plaintext(self, session: Session, request: DeliveryRequest) -> bool:
        return session.tls.established is not None and self._may_fall_back(session, request)

    async def connected(self, session: Session, destination: Destination, request: DeliveryRequest) -> None:
        if self._parameters.wrapper:
            if not self._tls.available:
                raise SiteFailed(_engine_unavailable())
            await self._start(session, destination, request)

    async def established(self, session: Session, destination: Destination, request: DeliveryRequest) -> None:
        if session.tls.established is not None:
            self._tls.keep(session.tls.layer)
            return
        level = session.tls.policy.level
        mandatory = at_least(level, "encrypt")
        if not session.offers.starttls:
            if mandatory:
                raise SiteFailed(Reason("4.7.4", f"TLS is required, but was not offered by host {session.name}"))
        elif level == "none":
            if self._parameters.note_offer:
                self._log.info(f"Host offered STARTTLS: [{session.host}]")
        elif not self._tls.available:
            if mandatory:
                raise SiteFailed(_engine_unavailable())
        elif await self._may_start(session, mandatory):
            await self._start(session, destination, request)
            # RFC 3207 4.2: nothing that was said before counts any more.
            session.offers = Offers()
            session.connection.conversation.pipelining = False
            await hello(session, request, self.desk.detects_loops(destination), self.desk)
            self._tls.keep(session.tls.layer)

    async def _may_start(self, session: Session, mandatory: bool) -> bool:
        """Say STARTTLS. :return: whether the server is ready."""
        try:
            reply = await session.connection.command(b"STARTTLS", Step.STARTTLS)
        except BrokenOff as broken:
            raise SiteFailed(breakdown(broken.failure, broken.step, session)) from None
        if reply.code // 100 == 2:
            return True
        if mandatory:
            text = f"TLS is required, but host {session.name} refused to start TLS: {reply.line}"
            raise SiteFailed(from_reply(reply, session.host, text))
        return False

    async def _start(self, session: Session, destination: Destination, request: DeliveryRequest) -> None:
        """:raise SiteFailed, MessageRefused: there is no connection any more, or not one to be trusted."""
        policy = session.tls.policy
        if self._tls.logging.trace:
            self._log.info(f"setting up TLS connection to {session.relay}")
        names = {"hostname": session.host, "nexthop": destination.host}
        try:
            peer = (request.transport, destination.site, session.host, session.address, "")
            layer = self._tls.layer(policy, names.get(policy.server_name, policy.server_name), session.relay, peer)
            await session.connection.start_tls(layer)
        except CannotUseTls as error:
            for severity, text in error.lines:
                getattr(self._log, severity)(text)
            session.connection.abort()
            raise self._cannot_start(session, request) from None
        except (TlsFailed, BrokenOff) as failure:
            self._tell(session, failure)
            session.connection.abort()
            raise self._cannot_start(session, request) from None
        session.tls.layer = layer
        session.tls.established = encrypted = self._tls.describe(
            layer, policy, destination.host, session.host, session.relay
        )
        self._report(session, encrypted)
        if must_match(policy.level) and not (encrypted.trusted if policy.insecure_mx else encrypted.matched):
            raise SiteFailed(Reason("4.7.5", "Server certificate not verified"))

    def _tell(self, session: Session, failure: TlsFailed | BrokenOff) -> None:
        why = "-1"
        if isinstance(failure, BrokenOff):
            why = "Connection timed out" if failure.failure is Failure.TIMEOUT else "lost connection"
        self._log.info(f"SSL_connect error to {session.relay}: {why}")
        for problem in failure.problems if isinstance(failure, TlsFailed) else ():
            self._log.warning(problem)

    def _cannot_start(self, session: Session, request: DeliveryRequest) -> SiteFailed | MessageRefused:
        reason = Reason("4.7.5", "Cannot start TLS: handshake failure")
        if self._may_fall_back(session, request):
            return RetryInPlaintext(reason)
        # Optional TLS is no reason to give up on a server that other mail may reach in plaintext.
        return MessageRefused(reason) if session.tls.policy.level == "may" else SiteFailed(reason)

    def _may_fall_back(self, session: Session, request: DeliveryRequest) -> bool:
        waited = request.activated - request.envelope.arrival
        return session.tls.policy.level == "may" and waited >= self._parameters.min_backoff_time

    def _report(self, session: Session, encrypted: TlsSession) -> None:
        logging, relay = self._tls.logging, session.relay
        if encrypted.problem and (logging.peer or logging.summary and must_match(session.tls.policy.level)):
            self._log.info(not_verified("server", relay, encrypted.problem))
        if logging.peer:
            self._log.info(
                f"{relay}: subject_CN={encrypted.subject}, issuer_CN={encrypted.issuer}, fingerprint="
                f"{encrypted.fingerprint}, pkey_fingerprint={encrypted.pubkey_fingerprint}"
            )
        if logging.summary:
            self._log.info(f"{encrypted.status} TLS connection established to {relay}: {encrypted.summary()}")


def _engine_unavailable() -> Reason:
    return Reason("4.7.5", "TLS is required, but our TLS engine is unavailable")
