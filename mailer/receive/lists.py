"""Lists of clients and of words in settings (mynetworks, smtpd_noop_commands ...), as the SMTP server asks them.

How such lists are written and matched is known elsewhere; this is what is needed of them here.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["ClientList", "DomainList", "Lists", "WordList"]


class ClientList(Protocol):
    """Clients by name and address, as in mynetworks."""

    async def matches(self, name: str, address: str) -> bool:
        """:raise TemporaryError: a table cannot tell now."""
        ...


class WordList(Protocol):
    """Words, compared without regard to case."""

    async def matches(self, word: str) -> bool:
        """:raise TemporaryError: a table cannot tell now."""
        ...


class DomainList(Protocol):
    """Domains, as in relay_domains."""

    async def matches(self, domain: str) -> bool:
        """:raise TemporaryError: a table cannot tell now."""
        ...


class Lists(Protocol):
    """Makes such lists from the values of settings; ``parameter`` names the setting, for error messages and rules."""

    def clients(self, patterns: tuple[str, ...], parameter: str) -> ClientList: ...

    def domains(self, patterns: tuple[str, ...], parameter: str) -> DomainList: ...

    def words(self, patterns: tuple[str, ...], parameter: str) -> WordList: ...
