"""``memcache:``: values in a memcached, with a persistent table behind it (memcache_table(5)).

Only looked up here; what the table behind it finds is stored in the memcached for ``ttl`` seconds. A memcached that does not
answer is a temporary error, unless there is a table behind it: then that one answers.
"""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.task import deferLater

from mailer.config.errors import ConfigError
from mailer.message.status import TemporaryError
from mailer.tables.base import FixedTable
from mailer.tables.dialogue import BadReply, Dialogues, NoConnection, NoReply
from mailer.tables.expansion import Template, split_at
from mailer.tables.match import StringList
from mailer.tables.parameters import Parameters
from mailer.tables.socketmap import parse_server
from mailer.tables.text import octets, string

__all__ = ["MemcacheTable"]

#: What the protocol can carry as a key.
_KEY = re.compile(rb"[!-~\x80-\xff]{1,250}")
_VALUE = re.compile(rb"VALUE \S+ \d+ (\d{1,9})(?: \d+)?", re.ASCII)


class MemcacheTable(FixedTable):
    type = "memcache"

    def __init__(self, argument: str, context: Any) -> None:
        super().__init__(argument, context)
        if self.options.secure:
            raise ConfigError(f"{self.name} map is not allowed for security-sensitive data")
        source = Parameters(argument, context)
        self._key = Template(source.text("key_format", "%s") or "%s", source.name, "key_format")
        domains = source.words("domain")
        self._domains = StringList(domains, context, f"{self.name}:domain") if domains else None
        self._flags = source.integer("flags", 0, 0)
        self._ttl = source.integer("ttl", 3600, 0)
        self._longest = source.integer("data_size_limit", 10240, 1)
        self._longest_line = source.integer("line_size_limit", 1024, 1)
        self._tries = source.integer("max_try", 2, 1)
        self._pause = source.integer("retry_pause", 1, 1)
        limit = source.integer("timeout", 2, 1)
        self._server = Dialogues(parse_server(source.text("memcache", "inet:localhost:11211")), limit, context)
        backup = source.text("backup")
        self._backup = context.tables.open(backup) if backup else None

    async def lookup(self, key: str) -> str | None:
        self._asked = key
        if not key.isascii() and not self.acceptable(key):
            return None
        key = self.folded(key)
        if self._domains is not None:
            local, domain = split_at(key)
            if not local or not domain or not await self._domains.match(domain):
                return None
        text = self._key.expand(key)
        if text is None:
            return None
        name = octets(text)
        storable = _KEY.fullmatch(name) is not None
        try:
            value = await self._ask(b"get %s\r\n" % name, self._read) if storable else None
        except TemporaryError:
            if self._backup is None:
                raise
            value, storable = None, False
        if value is not None:
            return self.checked(key, string(value))
        if self._backup is None:
            return None
        found: str | None = await self._backup.lookup(key)
        if found is not None and storable:
            await self._store(name, octets(found))
        return found

    async def _store(self, name: bytes, value: bytes) -> None:
        """A memcached that takes nothing costs nobody an answer."""
        request = b"set %s %d %d %d\r\n%s\r\n" % (name, self._flags, self._ttl, len(value), value)
        try:
            reply = await self._ask(request, self._line)
        except TemporaryError:
            return  # told already
        if reply != b"STORED":
            self.log.warning(f"{self.name}: update failed: {string(reply)}")

    async def _ask(self, request: bytes, read: Any) -> Any:
        for left in reversed(range(self._tries)):
            try:
                return await self._server.ask(request, read)
            except NoConnection as error:
                raise self._trouble(f"connect to {self._server.place.name}: {error}") from None
            except (NoReply, BadReply) as error:
                if not left:
                    raise self._trouble(f"database {self.name}: {error}") from None
            await deferLater(self.context.reactor, self._pause)
        raise AssertionError("the last try returns or raises")

    def _trouble(self, text: str) -> TemporaryError:
        self.log.warning(text)
        return TemporaryError(f"{self.name}: {text}")

    def _line(self, data: bytes) -> tuple[bytes, int] | None:
        line, end, _ = data.partition(b"\r\n")
        if len(line) > self._longest_line:
            raise BadReply("reply line is too long")
        return (line, len(line) + 2) if end else None

    def _read(self, data: bytes) -> tuple[bytes | None, int] | None:
        """The value, or None: there is none."""
        first = self._line(data)
        if first is None:
            return None
        line, at = first
        if line == b"END":
            return None, at
        found = _VALUE.fullmatch(line)
        if found is None:
            raise BadReply(f"bad reply: {string(line[:100])}")
        length = int(found[1])
        if length > self._longest:
            raise BadReply(f"value of {length} octets is too long")
        end = at + length
        rest = data[end : end + 7]
        if rest == b"\r\nEND\r\n":
            return data[at:end], end + 7
        if not b"\r\nEND\r\n".startswith(rest):
            raise BadReply("bad reply: a value of another length")
        return None

    def close(self) -> None:
        self._server.close()
