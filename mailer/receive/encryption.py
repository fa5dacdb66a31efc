"""From plaintext to TLS in a session: on STARTTLS or, with smtpd_tls_wrappermode, before the first word (smtpd(8), RFC 3207).

What the handshake has to be like is known to ``mailer.tls.server``; here is what the client and the log are told, and what
follows for the session: everything said so far is forgotten.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from mailer.message.tls import TlsSession
from mailer.net.server import Lost, TimedOut
from mailer.receive import lines
from mailer.receive.authentication import activate, log_out
from mailer.tls.description import not_verified
from mailer.tls.layer import TlsFailed, TlsLayer

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession

__all__ = ["encrypt", "too_many_sessions", "wrap"]

_NOT_PRESENTED = "No client certificate presented"
_NOT_TRUSTED = "Client certificate not trusted"


async def wrap(session: SmtpSession, limited: bool) -> bool:
    """TLS before the greeting.

    :param limited: whether the client's rates count. :return: whether the session goes on. :raise Lost:
    """
    service = session.service
    if limited and await too_many_sessions(session):
        service.log.warning(f"Refusing TLS service request from {session.printable} for service {service.name}")
        return False
    layer = service.tls.layer(session.printable)
    if layer is None:
        service.log.warning(
            f"Wrapper-mode request dropped from {session.printable} for service {service.name}. TLS context"
            " initialization failed. For details see earlier warnings in your logs."
        )
        return False
    await encrypt(session, layer, limited, fresh=True)
    return not session.closing


async def too_many_sessions(session: SmtpSession) -> bool:
    """Whether the client has used up its new TLS sessions of this time unit."""
    service = session.service
    limit = service.newtls_rate_limit
    return bool(limit) and await service.anvil.newtls(service.name, session.client.address, 0) > limit


async def encrypt(session: SmtpSession, layer: TlsLayer, limited: bool, fresh: bool = False) -> bool:
    """Shake hands.

    :param fresh: nothing has been said before.
    :return: False if the client is over its limit; ``session.closing`` then.
    :raise Lost: there is no connection any more, or its certificate is of no use; the log says why.
    """
    service = session.service
    tls, log = service.tls, service.log
    if tls.logging.trace:
        log.info(f"setting up TLS connection from {session.printable}")
    await _shake_hands(session, layer, fresh)
    encrypted = tls.describe(layer)
    session.state.tls = encrypted
    session.must_encrypt = False
    session.reset()
    log_out(session)
    session.set_client(replace(session.client, helo="", tls_protocol=encrypted.protocol))
    _report(session, encrypted)
    if limited and service.newtls_rate_limit and not encrypted.resumed and not await _counted(session):
        return False
    if tls.requires_certificate and not encrypted.trusted:
        _abort(session, _NOT_TRUSTED if encrypted.presented else _NOT_PRESENTED)
    if service.sasl is not None and not session.closing:
        await activate(session)
    return True


async def _shake_hands(session: SmtpSession, layer: TlsLayer, fresh: bool) -> None:
    log = session.service.log
    try:
        await session.connection.start_tls(layer, session.service.starttls_timeout, fresh)
    except TlsFailed as failure:
        log.info(f"SSL_accept error from {session.printable}: -1")
        for problem in failure.problems:
            log.warning(problem)
        raise Lost from None
    except Lost:
        log.info(f"SSL_accept error from {session.printable}: lost connection")
        raise
    except TimedOut:
        log.info(f"SSL_accept error from {session.printable}: Connection timed out")
        raise Lost from None


def _report(session: SmtpSession, encrypted: TlsSession) -> None:
    tls, log = session.service.tls, session.service.log
    if encrypted.resumed and tls.logging.trace:
        log.info(f"{session.printable}: Reusing old session (RFC 5077 session ticket)")
    if encrypted.presented and encrypted.problem and tls.requires_certificate:
        log.info(not_verified("client", session.printable, encrypted.problem))
    if encrypted.presented and tls.logging.peer:
        log.info(
            f"{session.printable}: subject_CN={encrypted.subject}, issuer={encrypted.issuer}, fingerprint="
            f"{encrypted.fingerprint}, pkey_fingerprint={encrypted.pubkey_fingerprint}"
        )
    if tls.logging.summary:
        name = f" to {encrypted.server_name}" if encrypted.server_name else ""
        log.info(f"{encrypted.status} TLS connection established from {session.printable}{name}: {encrypted.summary()}")


async def _counted(session: SmtpSession) -> bool:
    service = session.service
    count = await service.anvil.newtls(service.name, session.client.address)
    if count <= service.newtls_rate_limit:
        return True
    session.refuse(f"421 4.7.0 {service.hostname} Error: too many new TLS sessions from {session.printable}")
    service.log.warning(lines.over_limit("New TLS session rate", count, session.printable, service.name))
    return False


def _abort(session: SmtpSession, why: str) -> NoReturn:
    session.service.log.info(f"NOQUEUE: abort: TLS from {session.printable}: {why}")
    session.refuse(f"421 4.7.1 {session.service.hostname} Error: {why}")
    raise Lost  # as in Postfix, whose log shows a command that failed and a lost connection
