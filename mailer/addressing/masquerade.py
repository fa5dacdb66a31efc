"""Hide hosts behind their domain: masquerade_domains and masquerade_exceptions (ADDRESS_REWRITING_README). Pure."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Masquerade"]


class Masquerade:
    """:param domains: in the order in which they are tried; ``!domain`` keeps it, and what is below it, as it is.
    :param exceptions: user names that are left alone.
    """

    def __init__(self, domains: Iterable[str], exceptions: Iterable[str]) -> None:
        self._rules = [(domain.lstrip("!"), domain.startswith("!")) for domain in (name.lower() for name in domains)]
        self._exceptions = frozenset(name.lower() for name in exceptions)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def apply(self, address: str) -> str:
        local, at, domain = address.rpartition("@")
        if not at or not domain or local.lower() in self._exceptions:
            return address
        name = domain.lower()
        for masquerade, keep in self._rules:
            if name == masquerade:
                return address
            if name.endswith("." + masquerade):
                return address if keep else f"{local}@{masquerade}"
        return address
