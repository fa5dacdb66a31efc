"""smtp_reply_filter: rules that replace the lines of a server's replies as they arrive, before anybody reads them.

A line cannot wait: tables that answer from memory (regexp, pcre and the like) are what this is for, and one that would
have to wait has failed.
"""

from __future__ import annotations

from typing import Any

from mailer.message.address import decode, encode
from mailer.message.status import TemporaryError

__all__ = ["ReplyFilter"]


class ReplyFilter:
    """Called with each line; gives the line to be read in its place.

    :param table: an ITable.
    :param relay: the server as logs show it.
    """

    def __init__(self, table: Any, relay: str, log: Any) -> None:
        self._table = table
        self._relay = relay
        self._log = log

    def __call__(self, line: bytes) -> bytes:
        """:raise TemporaryError: the table cannot tell."""
        text = decode(line)
        found = self._look_up(text)
        if found is None:
            return line
        self._log.info(f'{self._relay}: replacing server reply "{text}" with "{found}"')
        return encode(found)

    def _look_up(self, text: str) -> str | None:
        lookup = self._table.lookup(text)
        try:
            lookup.send(None)
        except StopIteration as answer:
            found: str | None = answer.value
            return found
        lookup.close()
        raise TemporaryError(f"{self._table.name} has to wait for an answer")
