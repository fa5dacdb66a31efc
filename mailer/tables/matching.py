"""The entries of a match list, from text to something that can be asked quickly. See mailer.tables.match."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mailer.config.errors import ConfigError
from mailer.config.values import split_list
from mailer.message.status import TemporaryError
from mailer.tables.lines import logical_lines
from mailer.tables.network import Network, address_number, parse_network
from mailer.tables.search import parent_keys
from mailer.tables.text import fold
from mailer.tables.watched import INTERVAL, Watched

__all__ = ["Block", "FileEntry", "TableEntry", "Wrong", "parse_entries"]

#: Files may name files, but not for ever.
_DEEPEST = 20
_ADDRESS_OCTETS = frozenset("0123456789abcdefABCDEF.:/[]")


class Block:
    """Names and networks that stand side by side with the same sign."""

    def __init__(self, negated: bool) -> None:
        self.negated = negated
        self.names: set[str] = set()
        self.parents: set[str] = set()  # of these, subdomains match: "example.com" or ".example.com"
        self.plain = False  # how the parents are written
        self.networks: dict[int, dict[int, set[int]]] = {32: {}, 128: {}}  # bits -> shift -> prefixes

    def add_network(self, network: Network) -> None:
        shift = network.shift
        self.networks[network.bits].setdefault(shift, set()).add(network.number >> shift)

    def match(self, name: str, address: str) -> bool:
        if name in self.names and name:
            return True
        if self.parents and any(key in self.parents for key in parent_keys(name, self.plain)):
            return True
        if not address:
            return False
        if address in self.names:
            return True
        networks = self.networks[128 if ":" in address else 32]
        if not networks:
            return False
        number = address_number(address)
        return number is not None and any(number[1] >> shift in prefixes for shift, prefixes in networks.items())


class Wrong:
    """A pattern that makes no sense; it matters only to addresses of its family."""

    def __init__(self, text: str, pattern: str, negated: bool) -> None:
        self.text = text
        self.negated = negated
        self._ipv6 = ":" in pattern

    def concerns(self, address: str) -> bool:
        return (":" in address) == self._ipv6


class TableEntry:
    """``type:name``."""

    def __init__(self, table: Any, negated: bool) -> None:
        self.table = table
        self.negated = negated


class FileEntry:
    """``/file/name``. Its lines are patterns, with their sign turned round if the file's name has a ``!`` in front.

    A missing file is an error each time the search gets here, and is looked for again once a second.
    """

    def __init__(self, path: str, negated: bool, context: Any, title: str, owner: Any, depth: int) -> None:
        self._path = path
        self._context = context
        self._parse = lambda text, warn: parse_entries(
            _words(text, path, warn), context, title, owner, negated, depth + 1
        )
        self._due = 0.0
        self._file: Watched[list[Any]] | None = None
        self._reason = ""
        self._open()
        if self._file is None:
            context.log.error(self._reason)

    def _open(self) -> None:
        self._due = self._context.reactor.seconds() + INTERVAL
        try:
            self._file = Watched(self._path, self._context, self._parse, "open file", threads=False)
        except ConfigError as error:
            self._reason = str(error)

    def current(self) -> list[Any]:
        """:raise TemporaryError: the file is not there."""
        if self._file is None and self._context.reactor.seconds() >= self._due:
            self._open()
        if self._file is None:
            self._context.log.warning(f"non-existent:{self._path} is unavailable. {self._reason}")
            raise TemporaryError(f"non-existent:{self._path}: table lookup problem")
        return self._file.current()


def _words(text: str, path: str, warn: Any) -> list[str]:
    return [word for _, line in logical_lines(text, path, warn) for word in split_list(line)]


def parse_entries(
    specs: Sequence[str], context: Any, title: str, owner: Any, inverted: bool = False, depth: int = 0
) -> list[Any]:
    """Compile patterns.

    :param owner: the list; its ``domains``, ``addresses`` and ``parents`` say how patterns are to be read.
    :param inverted: turn every sign round.
    """
    if depth > _DEEPEST:
        raise ConfigError(f"{title}: files within files, too many")
    entries: list[Any] = []
    for spec in specs:
        pattern = spec.lstrip("!")
        negated = ((len(spec) - len(pattern)) % 2 == 1) != inverted
        if not pattern:
            raise ConfigError(f"{title}: no pattern after '!'")
        if pattern.startswith("/"):
            entries.append(FileEntry(pattern, negated, context, title, owner, depth))
        elif ":" in pattern and not pattern.startswith("["):
            entries.append(TableEntry(context.tables.open(pattern), negated))
        else:
            _add(entries, pattern, negated, owner)
    return entries


def _add(entries: list[Any], pattern: str, negated: bool, owner: Any) -> None:
    if owner.addresses and _looks_like_network(pattern):
        try:
            network = parse_network(pattern)
        except ValueError as error:
            entries.append(Wrong(str(error), pattern, negated))
            return
        _block(entries, negated).add_network(network)
        return
    block = _block(entries, negated)
    folded = fold(pattern)
    block.names.add(folded)
    if owner.domains:
        block.plain = owner.parents
        if owner.parents or folded.startswith("."):
            block.parents.add(folded)


def _looks_like_network(pattern: str) -> bool:
    """Postfix ignores what is no network, for a list may hold names of hosts as well."""
    if pattern.startswith("[") and pattern.endswith("]") and address_number(pattern[1:-1]) is not None:
        return True
    return ("/" in pattern or ":" in pattern) and _ADDRESS_OCTETS.issuperset(pattern)


def _block(entries: list[Any], negated: bool) -> Block:
    if not entries or not isinstance(entries[-1], Block) or entries[-1].negated != negated:
        entries.append(Block(negated))
    block: Block = entries[-1]
    return block
