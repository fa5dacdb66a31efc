"""Logging in as a client (RFC 4422): which of the mechanisms that a server offers is used, and with what precautions.

A mechanism is an `Exchange`: octets in, octets out, no Base64, no sockets, no clock. The strongest comes first; tokens
(XOAUTH2, OAUTHBEARER) come last, because a password is no token: where they are wanted, the list of mechanisms is cut down
(smtp_sasl_mechanism_filter). Security options are those of Cyrus SASL (postconf(5): smtp_sasl_security_options).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mailer.sasl.client_bearer import OAuthBearer, XOAuth2
from mailer.sasl.client_exchange import Credentials, Exchange
from mailer.sasl.client_password import CramMd5, Login, Plain
from mailer.sasl.client_scram import scram

__all__ = ["OPTIONS", "choose"]

#: What a mechanism has to be able to do if the option is set.
_NEEDS = {
    "noplaintext": "noplaintext",
    "noactive": "noactive",
    "nodictionary": "nodictionary",
    "noanonymous": "noanonymous",
    "mutual_auth": "mutual_auth",
    "forward_secrecy": "forward_secrecy",
}
OPTIONS = frozenset(_NEEDS)

_SCRAM = frozenset(("noplaintext", "noactive", "noanonymous", "mutual_auth"))
_PASSWORD = frozenset(("noanonymous",))

Maker = Callable[[Credentials, Callable[[int], bytes]], Exchange]

_MECHANISMS: tuple[tuple[str, frozenset[str], Maker], ...] = (
    ("SCRAM-SHA-512", _SCRAM, lambda credentials, random: scram("sha512", credentials, random)),
    ("SCRAM-SHA-256", _SCRAM, lambda credentials, random: scram("sha256", credentials, random)),
    ("SCRAM-SHA-1", _SCRAM, lambda credentials, random: scram("sha1", credentials, random)),
    ("CRAM-MD5", frozenset(("noplaintext", "noanonymous")), lambda credentials, random: CramMd5(credentials)),
    ("PLAIN", _PASSWORD, lambda credentials, random: Plain(credentials)),
    ("LOGIN", _PASSWORD, lambda credentials, random: Login(credentials)),
    ("OAUTHBEARER", _PASSWORD, lambda credentials, random: OAuthBearer(credentials)),
    ("XOAUTH2", _PASSWORD, lambda credentials, random: XOAuth2(credentials)),
)


def choose(
    offered: Iterable[str], options: Iterable[str], credentials: Credentials, random: Callable[[int], bytes]
) -> tuple[str, Exchange] | None:
    """The best mechanism that both sides know and the options allow.

    :param offered: names, in any case. :param options: members of OPTIONS. :param random: so many random octets.
    :return: its name and an exchange that has not begun; None if there is none.
    """
    names = {name.upper() for name in offered}
    needed = {_NEEDS[option] for option in options}
    for name, can, make in _MECHANISMS:
        if name in names and needed <= can:
            return name, make(credentials, random)
    return None
