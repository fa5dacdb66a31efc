"""Long lines of a notice, broken between words: at most 79 columns, continued behind four spaces, as bounce(8) does."""

from __future__ import annotations

import re

__all__ = ["wrap"]

_WIDTH = 79
_INDENT = 4
_WORD = re.compile(r"[ \t]*[^ \t]+")


def wrap(text: str) -> str:
    """``text`` with line breaks (bare newlines); a word that is longer than a line stays whole."""
    if len(text) <= _WIDTH:
        return text
    lines: list[str] = []
    line = ""
    room = _WIDTH
    for match in _WORD.finditer(text):
        word = match.group()
        if line and len(line) + len(word) > room:
            lines.append(line)
            line, room = word.lstrip(" \t"), _WIDTH - _INDENT
        else:
            line += word
    lines.append(line)
    return ("\n" + " " * _INDENT).join(lines)
