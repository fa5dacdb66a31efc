"""What an alias, a forwarding file or an included list names: addresses, ``|commands``, ``/files``, ``:include:`` lists.

aliases(5). The right-hand side is a list of addresses as message headers have them; commands and files with white space
stand in quotes. Knows nothing of what becomes of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mailer.message.mailboxes import parse

__all__ = ["Destination", "destinations", "lines"]

_INCLUDE = ":include:"
_MOST_TOKENS = 1 << 20


@dataclass(frozen=True, slots=True)
class Destination:
    """``kind`` is address, user (a name behind a quoted backslash: his mailbox, no alias, no forwarding), command, file or
    include."""

    kind: str
    text: str


def destinations(text: str) -> Iterator[Destination]:
    """The members of one list, in order."""
    for address in parse(text, _MOST_TOKENS).addresses:
        name = address.internal
        if name.startswith("\\"):
            yield Destination("user", name[1:])
        elif name.startswith("|"):
            yield Destination("command", name[1:].strip())
        elif name.startswith("/"):
            yield Destination("file", name)
        elif name[: len(_INCLUDE)].lower() == _INCLUDE:
            yield Destination("include", name[len(_INCLUDE) :])
        else:
            yield Destination("address", name)


def lines(text: bytes, longest: int) -> Iterator[str]:
    """The lines of a file that say something; overlong ones are cut to pieces (line_length_limit)."""
    for line in text.decode("utf-8", "surrogateescape").split("\n"):
        for start in range(0, len(line), longest):
            piece = line[start : start + longest]
            if piece.strip() and not piece.startswith("#"):
                yield piece
