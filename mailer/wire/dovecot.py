"""Dovecot's authentication protocol, the side of a server that lets Dovecot decide (Dovecot's design document
``auth-protocol``, version 1): lines of fields between tabs.

Octets in, what they say out. Who asks, when, and what an answer means to a client is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mailer.message.sasl import Mechanism

__all__ = ["BadGreeting", "Greeting", "LineReader", "Said", "greeting_from_client", "parse_said", "request", "response"]

_VERSION = 1
#: Octets of a line beyond which nobody speaks this protocol any more.
_LONGEST = 1 << 16
_MOST_MECHANISMS = 100


class BadGreeting(Exception):
    """The server does not speak our version of the protocol; the text says so."""


class LineReader:
    """Cuts input into lines. :raise ValueError: (by ``feed``) a line is too long."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST:
            raise ValueError("line too long")
        return iter([line.decode("utf-8", "surrogateescape") for line in lines])


@dataclass
class Greeting:
    """What the server says first: take lines with ``take`` until it returns True.

    ``spid`` is the server process, ``cuid`` the connection; both are told to the client's later services by some set-ups and
    are kept for the log.
    """

    mechanisms: list[Mechanism] = field(default_factory=list)
    spid: str = ""
    cuid: str = ""
    _version: bool = False

    def take(self, line: str) -> bool:
        """:raise BadGreeting: it cannot be used."""
        verb, *arguments = line.split("\t")
        if verb == "VERSION":
            if not arguments or arguments[0] != str(_VERSION):
                raise BadGreeting(f"Protocol version mismatch: {'.'.join(arguments[:2])}")
            self._version = True
        elif verb == "MECH" and arguments and len(self.mechanisms) < _MOST_MECHANISMS:
            self.mechanisms.append(Mechanism(arguments[0], frozenset(arguments[1:])))
        elif verb == "SPID" and arguments:
            self.spid = arguments[0]
        elif verb == "CUID" and arguments:
            self.cuid = arguments[0]
        elif verb == "DONE":
            if not self._version:
                raise BadGreeting("Protocol version missing")
            return True
        return False


def greeting_from_client(process: int) -> bytes:
    """What we say first. :param process: a number that no other client of the server has at the same time."""
    return f"VERSION\t{_VERSION}\t0\nCPID\t{process}\n".encode()


def request(number: int, mechanism: str, parameters: list[str], initial: str | None) -> bytes:
    """Begin a login. :param parameters: ``name`` or ``name=value``. :param initial: base64, last because it may be anything."""
    fields = ["AUTH", str(number), mechanism, *parameters]
    if initial is not None:
        fields.append(f"resp={initial}")
    return _line(fields)


def response(number: int, text: str) -> bytes:
    """Go on with it. :param text: base64."""
    return _line(["CONT", str(number), text])


def _line(fields: list[str]) -> bytes:
    # Nothing that a client sent may end a field or a line: dropping what cannot be in base64 or in a name is enough.
    clean = [field.translate(_SEPARATORS) for field in fields]
    return ("\t".join(clean) + "\n").encode("utf-8", "surrogateescape")


_SEPARATORS = {9: "?", 10: "?", 13: "?", 0: "?"}


@dataclass(frozen=True, slots=True)
class Said:
    """An answer. ``verb`` is OK, CONT or FAIL; ``challenge`` is CONT's, in base64; ``values`` are the ``name=value`` fields (a
    bare name has the value "")."""

    verb: str
    number: int
    challenge: str
    values: dict[str, str]


def parse_said(line: str) -> Said | None:
    """None: a line that is no answer to a request."""
    verb, _, rest = line.partition("\t")
    number, _, rest = rest.partition("\t")
    if verb not in ("OK", "CONT", "FAIL") or not (number.isascii() and number.isdigit()):
        return None
    if verb == "CONT":
        return Said(verb, int(number[:18]), rest, {})
    values = {}
    for item in rest.split("\t"):
        name, _, value = item.partition("=")
        values[name] = _unescaped(value)
    return Said(verb, int(number[:18]), "", values)


def _unescaped(text: str) -> str:
    """Dovecot writes NUL, TAB, LF, CR and \\001 as \\001 and a digit or letter."""
    if "\x01" not in text:
        return text
    head, *parts = text.split("\x01")
    return head + "".join(_ESCAPED.get(part[:1], "") + part[1:] for part in parts)


_ESCAPED = {"0": "\0", "1": "\x01", "t": "\t", "r": "\r", "n": "\n"}
