"""Content on its way into a mailbox: CRLF becomes LF, ``From `` at a line's start is marked. In bulk, whatever the pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["mark_from", "unix_lines"]

_FROM = b"From "


def unix_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """CRLF line ends to LF; a lone CR stays."""
    held = b""
    for piece in pieces:
        data = held + piece if held else piece
        held = b""
        if data.endswith(b"\r"):
            data, held = data[:-1], b"\r"
        if data:
            yield data.replace(b"\r\n", b"\n")
    if held:
        yield held


def mark_from(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """``From `` at the start of a line becomes ``>From ``; the first piece begins a line."""
    fresh, held = True, b""
    for piece in pieces:
        data = held + piece
        if fresh:
            data = b"\n" + data
        data = data.replace(b"\nFrom ", b"\n>From ")
        begun = data[data.rfind(b"\n") + 1 :] if b"\n" in data else None
        held = begun if begun is not None and len(begun) < len(_FROM) and _FROM.startswith(begun) else b""
        out = data[1 if fresh else 0 : len(data) - len(held)]
        fresh = bool(held) or data.endswith(b"\n")
        if out:
            yield out
    if held:
        yield held
