"""Lookup keys from a message: ``postmap -hbmq -`` shows what header_checks(5) and body_checks(5) would be asked.

Lines come without their line ends. MIME structure (RFC 2045, 2046) is followed only with ``mime``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["message_keys"]

_HEADER = re.compile(r"[!-9;-~]+[ \t]*:").match
_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]+))', re.IGNORECASE).search
_DEEPEST = 100


class _Walk:
    """Where in the message the next line stands."""

    def __init__(self, mime: bool) -> None:
        self.mime = mime
        self.in_header = True
        self.boundaries: list[str] = []
        self._type = ""

    def header(self, text: str) -> None:
        name, _, value = text.partition(":")
        if name.rstrip().lower() == "content-type":
            self._type = value

    def end_of_header(self) -> None:
        """An empty line, or one that is no header."""
        kind = self._type.partition(";")[0].strip().lower()
        self.in_header = self.mime and kind in ("message/rfc822", "message/global")
        if self.mime and kind.startswith("multipart/") and len(self.boundaries) < _DEEPEST:
            found = _BOUNDARY(self._type)
            if found is not None:
                self.boundaries.append(found[1] if found[1] is not None else found[2])
        self._type = ""

    def delimiter(self, line: str) -> bool:
        """Whether the line ends a part; then the next part's headers, or an epilogue, follow."""
        if not line.startswith("--"):
            return False
        for at in range(len(self.boundaries) - 1, -1, -1):
            boundary = self.boundaries[at]
            if line.startswith(boundary, 2):
                last = line.startswith("--", 2 + len(boundary))
                del self.boundaries[at + (not last) :]
                self.in_header = not last
                self._type = ""
                return True
        return False


def message_keys(lines: Iterator[str], headers: bool, body: bool, mime: bool) -> Iterator[str]:
    """Each header (continuation lines joined by line ends) and each line of the body, as asked for."""
    walk = _Walk(mime)
    pending: list[str] = []
    for line in lines:
        if walk.in_header:
            if pending and line[:1] in (" ", "\t"):
                pending.append(line)
                continue
            if pending:
                yield from _header(walk, pending, headers)
                pending = []
            if not walk.delimiter(line):
                if _HEADER(line):
                    pending = [line]
                    continue
                walk.end_of_header()
        else:
            walk.delimiter(line)
        if body:
            yield line
    if pending:
        yield from _header(walk, pending, headers)


def _header(walk: _Walk, pending: list[str], wanted: bool) -> Iterator[str]:
    text = "\n".join(pending)
    walk.header(text)
    if wanted:
        yield text
