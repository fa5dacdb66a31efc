"""resolv.conf(5) and hosts(5), and when they have to be read again."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["Hosts", "Resolv", "Watched", "parse_hosts", "parse_resolv"]

_MOST_SERVERS = 3
_MOST_SUFFIXES = 32
_MOST_OCTETS = 8 << 20


@dataclass(frozen=True, slots=True)
class Resolv:
    """``servers`` are ``(address, port)``; ``search`` the domains that complete a name with fewer than ``ndots`` dots."""

    servers: tuple[tuple[str, int], ...] = (("127.0.0.1", 53),)
    search: tuple[str, ...] = ()
    ndots: int = 1
    timeout: float = 5.0
    attempts: int = 2
    rotate: bool = False


@dataclass(frozen=True, slots=True)
class Hosts:
    """``addresses``: lower-case name -> literals in the file's order; ``names``: literal -> names."""

    addresses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)


def _number(text: str, lowest: int, highest: int, otherwise: int) -> int:
    return max(lowest, min(int(text), highest)) if text.isascii() and text.isdigit() and len(text) < 9 else otherwise


def parse_resolv(text: str) -> Resolv:
    """The file's meaning; what it does not say or says wrongly stays at its default."""
    servers: list[tuple[str, int]] = []
    search: tuple[str, ...] = ()
    options: dict[str, str] = {}
    for line in text.splitlines():
        keyword, *words = line.partition("#")[0].partition(";")[0].split() or [""]
        if keyword == "nameserver" and words:
            address = words[0]
            try:
                ipaddress.ip_address(address.partition("%")[0])
            except ValueError:
                continue
            servers.append((address, 53))
        elif keyword == "domain" and words:
            search = (words[0].lower().strip("."),)
        elif keyword == "search":
            search = tuple(word.lower().strip(".") for word in words[:_MOST_SUFFIXES])
        elif keyword == "options":
            options.update((name, value) for name, _, value in (word.partition(":") for word in words))
    return Resolv(
        tuple(servers[:_MOST_SERVERS]) or Resolv().servers,
        tuple(suffix for suffix in search if suffix),
        _number(options.get("ndots", ""), 0, 15, 1),
        float(_number(options.get("timeout", ""), 1, 30, 5)),
        _number(options.get("attempts", ""), 1, 5, 2),
        "rotate" in options,
    )


def parse_hosts(text: str) -> Hosts:
    addresses: dict[str, list[str]] = {}
    names: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        try:
            literal = str(ipaddress.ip_address(words[0])) if len(words) > 1 else ""
        except ValueError:
            continue
        if not literal:
            continue
        for name in words[1:]:
            known = addresses.setdefault(name.lower(), [])
            if literal not in known:
                known.append(literal)
            names.setdefault(literal, []).append(name)
    return Hosts({k: tuple(v) for k, v in addresses.items()}, {k: tuple(v) for k, v in names.items()})


Parsed = TypeVar("Parsed")


class Watched(Generic[Parsed]):
    """A small file and its meaning; looked at again when it may have changed, at most once a second.

    A missing or unreadable file means what an empty one does. Reading it takes no longer than asking the network would.
    """

    def __init__(self, path: str, parse: Callable[[str], Parsed], seconds: Callable[[], float]) -> None:
        self._path = path
        self._parse = parse
        self._seconds = seconds
        self._looked = float("-inf")
        self._stamp: tuple[int, int, int] | None = None
        self._value = parse("")

    def get(self) -> Parsed:
        now = self._seconds()
        if now - self._looked >= 1.0:
            self._looked = now
            stamp = self._look()
            if stamp != self._stamp:
                self._stamp = stamp
                self._value = self._parse(self._read())
        return self._value

    def settle(self) -> None:
        """Read it now, and never look again: the file is about to go out of reach."""
        self._looked = float("-inf")
        self.get()
        self._looked = float("inf")

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> str:
        try:
            with open(self._path, encoding="utf-8", errors="replace") as file:
                return file.read(_MOST_OCTETS)
        except OSError:
            return ""
