"""smtpd_sasl_security_options: properties that a mechanism must not have, or must have, to be offered (postconf(5))."""

from __future__ import annotations

from collections.abc import Iterable

from mailer.config.errors import ConfigError
from mailer.message.sasl import Mechanism

__all__ = ["SecurityOptions"]

_FORBIDS = {
    "noplaintext": "plaintext",
    "noactive": "active",
    "nodictionary": "dictionary",
    "noanonymous": "anonymous",
}
_DEMANDS = {"forward_secrecy": "forward-secrecy", "mutual_auth": "mutual-auth"}


class SecurityOptions:
    """:param words: the parameter's value. :param name: the parameter. :raise ConfigError: an unknown word."""

    def __init__(self, words: Iterable[str], name: str) -> None:
        self._forbidden: set[str] = set()
        self._demanded: set[str] = set()
        for word in words:
            folded = word.lower()
            if folded in _FORBIDS:
                self._forbidden.add(_FORBIDS[folded])
            elif folded in _DEMANDS:
                self._demanded.add(_DEMANDS[folded])
            else:
                raise ConfigError(f'{name}: unknown SASL security option "{word}"')

    def allow(self, mechanism: Mechanism) -> bool:
        properties = mechanism.properties
        return self._forbidden.isdisjoint(properties) and self._demanded <= properties
