"""STARTTLS in front of the SMTP server; the log has it under tlsproxy's name, as Postfix does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.net.server import Lost, TimedOut
from mailer.tls.layer import TlsFailed, TlsLayer

if TYPE_CHECKING:
    from mailer.receive.screen.session import Screening

__all__ = ["HandshakeFailed", "encrypt"]


class HandshakeFailed(Exception):
    """There is no connection any more; the log says why."""


async def encrypt(screening: Screening, layer: TlsLayer) -> None:
    """Shake hands. :raise HandshakeFailed:"""
    screen, connection, client = screening.screen, screening.connection, screening.client
    log, tls = screen.tls_log, screen.tls
    log.info(f"CONNECT from {client}")
    try:
        await connection.start_tls(layer, tls.timeout)
    except (TlsFailed, Lost, TimedOut) as failure:
        for problem in failure.problems if isinstance(failure, TlsFailed) else ():
            log.warning(problem)
        log.info(f"TLS handshake failed for service=smtpd peer={client}")
        log.info(f"DISCONNECT {client}")
        raise HandshakeFailed from None
    if tls.logging.summary:
        session = tls.describe(layer)
        log.info(f"{session.status} TLS connection established from {client}: {session.summary()}")
