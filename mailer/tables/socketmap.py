"""``socketmap:inet:host:port:name`` and ``socketmap:unix:path:name``: tables of a socketmap server (socketmap_table(5))."""

from __future__ import annotations

from functools import partial
from typing import Any

from mailer.config.errors import ConfigError
from mailer.message.status import TemporaryError
from mailer.tables.base import PatternTable
from mailer.tables.dialogue import BadReply, Dialogues, NoConnection, NoReply, Place, parse_place
from mailer.tables.text import octets, string
from mailer.wire.netstring import BadNetstring, encode, read

__all__ = ["SocketmapTable", "parse_server"]

#: Seconds to connect, and for a reply.
LIMIT = 30.0
_LONGEST = 100_000
_TROUBLE = {"TEMP": "temporary", "PERM": "permanent", "TIMEOUT": "timeout"}


def parse_server(text: str) -> Place:
    """``inet:host:port`` or ``unix:path``. :raise ConfigError: with Postfix's words."""
    transport, colon, endpoint = text.partition(":")
    if not colon:
        raise ConfigError(f'need service transport:endpoint instead of "{text}"')
    if transport == "unix":
        return Place(endpoint, path=endpoint)
    if transport == "inet":
        return parse_place(endpoint)
    raise ConfigError(f"invalid transport name: {transport} in service: {text}")


class SocketmapTable(PatternTable):
    """Asked for whole keys only, as they are. Tables of one server share its connections."""

    type = "socketmap"

    def __init__(self, argument: str, context: Any) -> None:
        super().__init__(argument, context)
        if self.options.secure:
            raise ConfigError(f"{self.name} map is not allowed for security-sensitive data")
        server, colon, map_name = argument.rpartition(":")
        if not colon:
            raise ConfigError("socketmap requires server:socketmap argument")
        place = parse_server(server)
        self._map = octets(map_name)
        self._server: Dialogues = context.tables.share(("socketmap", place), partial(Dialogues, place, LIMIT, context))

    async def lookup(self, key: str) -> str | None:
        if not key.isascii() and not self.acceptable(key):
            return None
        try:
            reply = await self._server.ask(encode(self._map + b" " + octets(key)), _read)
        except NoConnection as error:
            self.log.warning(f"connect to {self._server.place.name}: {error}")
            raise self._trouble(f"table {self.name} lookup error: {error}") from None
        except (NoReply, BadReply) as error:
            raise self._trouble(f"table {self.name} lookup error: {error}") from None
        status, space, text = string(reply).partition(" ")
        if status == "OK":
            return self.checked(key, text) if space else None
        if status == "NOTFOUND":
            return None
        raise self._trouble(f"{self.name} socketmap server {_TROUBLE.get(status, 'unknown')} error: {text}")

    def _trouble(self, text: str) -> TemporaryError:
        self.log.warning(text)
        return TemporaryError(f"{self.name}: {text}")


def _read(data: bytes) -> tuple[bytes, int] | None:
    try:
        return read(data, _LONGEST)
    except BadNetstring as error:
        raise BadReply(str(error)) from None
