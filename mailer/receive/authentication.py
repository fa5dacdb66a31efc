"""AUTH in a session: when it is on, what EHLO announces, the exchange with the client, and what the log is told
(RFC 4954, SASL_README).

Who decides about a login is behind ``mailer.sasl.server``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailer.message.sasl import Login, Mechanism, SaslAborted, SaslPeer, SaslRefused
from mailer.message.status import TemporaryError
from mailer.receive import lines
from mailer.receive.membership import listed
from mailer.sasl.server import NoMechanisms

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession
    from mailer.sasl.server import SaslServer

__all__ = ["Authentication", "CannotServe", "activate", "announcement", "authenticate", "log_out"]


class CannotServe(Exception):
    """The session ends without another word; the text is for the log. As in Postfix, a service whose clients cannot log in
    serves nobody: they come again, while mail that is refused for want of a login would be lost."""


class Authentication:
    """What holds for the session while it is encrypted, or is not: the mechanisms that may be used and that are announced."""

    __slots__ = ("allowed", "announced", "server")

    def __init__(self, server: SaslServer, allowed: tuple[Mechanism, ...], announced: tuple[str, ...]) -> None:
        self.server = server
        self.allowed = allowed
        self.announced = " ".join(announced)


async def activate(session: SmtpSession) -> None:
    """At the start and once the session is encrypted. :raise CannotServe:"""
    service = session.service
    server, encrypted = service.sasl, session.state.tls is not None
    if server is None or (service.tls.auth_only and not encrypted):
        session.sasl = None
        return
    try:
        allowed = await server.allowed(encrypted)
        session.sasl = Authentication(server, allowed, await server.announced(allowed))
    except NoMechanisms as error:
        raise CannotServe(error.cause) from error
    except TemporaryError as error:
        raise CannotServe(error.cause or "no SASL authentication mechanisms") from error


async def announcement(session: SmtpSession) -> tuple[str, ...]:
    """What the reply to EHLO says of AUTH."""
    sasl = session.sasl
    if sasl is None:
        return ()
    try:
        if await sasl.server.excepted(session.client.name, session.client.address):
            return ()
    except TemporaryError:  # the list has logged it; the client can log in all the same
        return ()
    if sasl.server.broken_clients:
        return f"AUTH {sasl.announced}", f"AUTH={sasl.announced}"
    return (f"AUTH {sasl.announced}",)


def log_out(session: SmtpSession) -> None:
    """Forget who has logged in (STARTTLS, XCLIENT)."""
    if session.client.sasl_username:
        session.set_client(replace(session.client, sasl_method="", sasl_username="", sasl_sender=""))


async def authenticate(session: SmtpSession, sasl: Authentication, mechanism: str, initial: str | None) -> bool:
    """Carry the exchange out and reply. :return: whether the client has logged in."""
    service = session.service
    try:
        login = await sasl.server.authenticate(
            mechanism, initial, _peer(session, sasl), sasl.allowed, _Dialogue(session, sasl.server.response_limit).ask
        )
    except SaslAborted:
        service.log.warning(f"{session.printable}: SASL {mechanism} authentication aborted")
        return session.refuse("501 5.7.0 Authentication aborted")
    except _TooLong:
        return session.refuse("500 5.5.6 SASL response limit exceeded")
    except SaslRefused as refused:
        service.log.warning(lines.login_failed(session.printable, mechanism, refused.text, refused.username))
        await _hold_up(session, refused)
        if refused.temporary:
            return session.refuse(f"454 4.7.0 Temporary authentication failure: {refused.text}")
        return session.refuse(f"535 5.7.8 Error: authentication failed: {refused.text}")
    await _hold_up(session, login)
    session.set_client(replace(session.client, sasl_method=mechanism, sasl_username=login.username))
    session.say(b"235 2.7.0 Authentication successful\r\n")
    return True


async def _hold_up(session: SmtpSession, outcome: Login | SaslRefused) -> None:
    """Who fails again and again waits for the answer, longer each time."""
    failures = session.service.login_failures
    if failures is None or await listed(session, session.service.limit_exceptions):
        return
    address = session.client.address
    if isinstance(outcome, Login):
        delay = failures.delay(address)
    elif outcome.temporary:
        return
    else:
        delay = failures.failed(address, outcome.username)
    if delay:
        await session.connection.sleep(delay)


def _peer(session: SmtpSession, sasl: Authentication) -> SaslPeer:
    tls, server = session.state.tls, sasl.server
    return SaslPeer(
        service=server.service,
        realm=server.realm,
        hostname=server.hostname,
        client_address=session.client.address,
        server_address=session.state.server_address,
        encrypted=tls is not None,
        certified=tls is not None and tls.trusted,
    )


class _TooLong(Exception):
    """A response is longer than smtpd_sasl_response_limit."""


class _Dialogue:
    """Challenges to the client and its responses."""

    def __init__(self, session: SmtpSession, limit: int) -> None:
        self._session = session
        self._limit = limit

    async def ask(self, challenge: str) -> str:
        """See ISaslServer.authenticate."""
        session = self._session
        session.say(f"334 {challenge}\r\n".encode("utf-8", "surrogateescape"))
        machine = session.connection.machine
        usual, machine.limit = machine.limit, self._limit
        try:
            octets = await session.connection.line()
        finally:
            machine.limit = usual
        text = octets.decode("utf-8", "surrogateescape")
        if len(octets) >= self._limit:
            session.service.log.warning(f"{session.printable}: request longer than {self._limit}: {text[:30]}...")
            raise _TooLong
        if text == "*":
            raise SaslAborted
        return text
