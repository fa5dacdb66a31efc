"""What an authentication is about: the mechanisms on offer, the client that logs in, and how it ends (RFC 4422, RFC 4954)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Login", "Mechanism", "SaslAborted", "SaslPeer", "SaslRefused"]


@dataclass(frozen=True, slots=True)
class Mechanism:
    """``name`` in upper case. ``properties`` are words of Dovecot's protocol: ``plaintext``, ``dictionary`` (open to dictionary
    attacks by listeners), ``active`` (open to active attacks), ``anonymous``, ``forward-secrecy``, ``mutual-auth``, ``private``
    (never announced)."""

    name: str
    properties: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SaslPeer:
    """Who logs in where. ``encrypted``: TLS is in use; ``certified``: with a client certificate that is trusted. ``service`` is
    smtpd_sasl_service, ``realm`` smtpd_sasl_local_domain, ``hostname`` myhostname."""

    service: str = "smtp"
    realm: str = ""
    hostname: str = ""
    client_address: str = ""
    server_address: str = ""
    encrypted: bool = False
    certified: bool = False


@dataclass(frozen=True, slots=True)
class Login:
    """A client has logged in as ``username``."""

    username: str


class SaslRefused(Exception):
    """The login fails. ``text`` is for client and log. ``username`` is whom the client claimed to be, "" if it did not get so
    far. ``temporary``: nobody can tell now whether it would have been right."""

    def __init__(self, text: str, username: str = "", temporary: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.username = username
        self.temporary = temporary


class SaslAborted(Exception):
    """The client has given up (``*`` in place of a response)."""
