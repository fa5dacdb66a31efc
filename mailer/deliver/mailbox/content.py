"""Content on its way into a mailbox or a command: CRLF becomes LF, certain line starts are marked. In bulk, whatever the
pieces are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["mark_from", "stuff_dots", "unix_lines"]


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
    return _marked(pieces, b"From ", b">")


def stuff_dots(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """A line that begins with a dot gets another one; the first piece begins a line."""
    return _marked(pieces, b".", b".")


def _marked(pieces: Iterable[bytes], start: bytes, mark: bytes) -> Iterator[bytes]:
    plain, marked = b"\n" + start, b"\n" + mark + start
    fresh, held = True, b""
    for piece in pieces:
        data = held + piece
        if fresh:
            data = b"\n" + data
        data = data.replace(plain, marked)
        begun = data[data.rfind(b"\n") + 1 :] if b"\n" in data else None
        # The start of a line whose rest may make it one of those is kept for the next piece.
        held = begun if begun is not None and len(begun) < len(start) and start.startswith(begun) else b""
        out = data[1 if fresh else 0 : len(data) - len(held)]
        fresh = bool(held) or data.endswith(b"\n")
        if out:
            yield out
    if held:
        yield held
