"""``tcp:host:port``: tables of a server that speaks tcp_table(5)."""

from __future__ import annotations

import re
from typing import Any

from mailer.config.errors import ConfigError
from mailer.message.status import TemporaryError
from mailer.tables.base import PatternTable
from mailer.tables.dialogue import BadReply, Dialogues, NoConnection, NoReply, parse_place
from mailer.tables.text import octets, string

__all__ = ["TcpTable"]

#: Seconds to connect, and for a reply. The manual allows 100, which is longer than anybody waits.
LIMIT = 30.0
_LONGEST = 4096
_UNSAFE = re.compile(rb"[^!-$&-~]")
_QUOTED = re.compile(rb"%([0-9A-Fa-f]{2})|%")
_REPLY = re.compile(rb"(\S+)\s(.*)", re.DOTALL)


class TcpTable(PatternTable):
    """Asked for whole keys only, as they are."""

    type = "tcp"

    def __init__(self, argument: str, context: Any) -> None:
        super().__init__(argument, context)
        if self.options.secure:
            raise ConfigError(f"{self.name} map is not allowed for security sensitive data")
        self._place = argument
        self._server = Dialogues(parse_place(argument), LIMIT, context)

    async def lookup(self, key: str) -> str | None:
        if not key or (not key.isascii() and not self.acceptable(key)):
            return None
        request = b"get " + _UNSAFE.sub(lambda found: b"%%%02X" % found[0][0], octets(key)) + b"\n"
        try:
            code, text = await self._server.ask(request, _read)
        except NoConnection as error:
            raise self._trouble(f"connect to TCP map {self._place}: {error}") from None
        except NoReply as error:
            reason = str(error).replace("disconnect", "EOF")
            raise self._trouble(f"read TCP map reply from {self._place}: {reason}") from None
        except BadReply as error:
            raise self._trouble(f"read TCP map reply from {self._place}: {error}") from None
        if code == b"4":
            raise TemporaryError(f"{self.name}: {string(text)}")
        return None if code == b"5" else self.checked(key, string(text))

    def _trouble(self, text: str) -> TemporaryError:
        self.log.warning(text)
        return TemporaryError(f"{self.name}: {text}")

    def close(self) -> None:
        self._server.close()


def _read(data: bytes) -> tuple[tuple[bytes, bytes], int] | None:
    """The first digit of the code, and the text."""
    line, end, _ = data.partition(b"\n")
    if len(line) >= _LONGEST:
        raise BadReply(f"text longer than {_LONGEST}")
    if not end:
        return None
    found = _REPLY.fullmatch(line)
    text = None if found is None else _unquoted(found[2])
    if found is None or text is None:
        raise BadReply(f"malformed reply: {string(line)}")
    code = found[1][:1]
    if code not in (b"2", b"4", b"5"):
        raise BadReply(f"bad status code: {string(line)}")
    return (code, text), len(line) + 1


def _unquoted(text: bytes) -> bytes | None:
    """None if there is a % that means nothing."""
    if any(found[1] is None for found in _QUOTED.finditer(text)):
        return None
    return _QUOTED.sub(lambda found: bytes([int(found[1], 16)]), text)
