"""postscreen_access_list: who passes untested and who never does, by address, before anything else (postconf(5)).

A word is ``permit_mynetworks``, an action, or a table whose value for the client's address is one. Trouble in the list is told
and ends it, as if it said nothing of the client: this is a filter in front of the real access checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mailer.message.status import TemporaryError

__all__ = ["AccessList", "DENY", "PERMIT"]

PERMIT, DENY = "permit", "reject"
_IGNORED = "ignoring the remainder of this access list"


class AccessList:
    """:param networks: the match list of mynetworks."""

    def __init__(self, words: Sequence[str], context: Any, networks: Any) -> None:
        self._log = context.log
        self._networks = networks
        self._title = "postscreen_access_list"
        self._words = [(word, context.tables.open(word) if ":" in word else None) for word in words]

    async def verdict(self, address: str) -> str:
        """PERMIT, DENY, or ""."""
        for word, table in self._words:
            if table is not None:
                try:
                    value = await table.lookup(address)
                except TemporaryError:
                    self._log.warning(f"{self._title}: {word}: table lookup error -- {_IGNORED}")
                    return ""
                verdict, place = value, word
            else:
                verdict, place = await self._plain(word, address), self._title
            if verdict is None or verdict.lower() == "dunno":
                continue
            if verdict.lower() not in (PERMIT, DENY):
                self._log.warning(f"{place}: unknown command: {verdict} -- {_IGNORED}")
                return ""
            return verdict.lower()
        return ""

    async def _plain(self, word: str, address: str) -> str | None:
        if word.lower() != "permit_mynetworks":
            return word
        try:
            return PERMIT if await self._networks.match("", address) else None
        except TemporaryError:
            return None
