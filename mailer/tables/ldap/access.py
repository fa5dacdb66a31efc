"""How directory servers are reached: which, as whom, by which protection, how long to wait. Tables for which this is the same
share their connections."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailer.tables.ldap.urls import Location

__all__ = ["Access", "Sasl", "Tls"]


@dataclass(frozen=True)
class Tls:
    """``start`` asks for STARTTLS; the rest holds for ldaps:, too. Paths, "" for none; ``ciphers`` as OpenSSL lists them."""

    start: bool = False
    verify: bool = False
    ca_file: str = ""
    ca_directory: str = ""
    certificate: str = ""
    key: str = ""
    ciphers: str = ""


@dataclass(frozen=True)
class Sasl:
    """``mechanisms`` that may be used, in order; empty: whatever server and client have in common. ``strength`` is how well
    the connection has to be protected (sasl_minssf); only TLS and UNIX sockets count."""

    mechanisms: tuple[str, ...] = ()
    realm: str = ""
    authorization: str = ""
    strength: int = 0


@dataclass(frozen=True)
class Access:
    """``bind`` is ``none``, ``simple`` or ``sasl``; times in seconds: ``timeout`` for one answer, ``connect`` until a
    connection is ready for use, ``stall`` of silence before a server has to give a sign of life. ``connections`` to each
    server at most."""

    servers: tuple[Location, ...]
    version: int = 3
    bind: str = "simple"
    dn: str = ""
    password: str = field(default="", repr=False)
    sasl: Sasl = Sasl()
    tls: Tls = Tls()
    timeout: float = 10.0
    connect: float = 5.0
    stall: float = 3.0
    connections: int = 2
