"""The result text of a pattern's rule: ``$1 ${1} $(1)`` stand for what a group matched, ``$$`` for a dollar sign."""

from __future__ import annotations

import re
from collections.abc import Callable

from mailer.tables.text import string

__all__ = ["Result", "parse"]

#: What a rule gives: text, or pieces of which an int stands for a group.
Result = str | tuple[bytes | int, ...]

_MACRO = re.compile(rb"\$(?:(\$)|\{([^{}]*)\}|\(([^()]*)\)|(\w+))?", re.ASCII)
_NUMBER = re.compile(rb"\s*[+-]?\d+", re.ASCII).fullmatch


class _Bad(ValueError):
    """Told already."""


def parse(
    text: bytes, warn: Callable[[str], None], where: str, out_of_range: str = "out-of-range"
) -> tuple[Result, int] | None:
    """The result and the highest group number in it.

    :param warn: told what is wrong; then the answer is None. ``where`` is ``regexp map /file, line 3``.
    """
    if b"$" not in text:
        return string(text), 0
    parts: list[bytes | int] = []
    try:
        _split(text, parts, warn, where, out_of_range)
    except _Bad:
        warn(f"{where}: bad replacement syntax: skipping this rule")
        return None
    highest = max((part for part in parts if isinstance(part, int)), default=0)
    if not highest:
        return string(b"".join(part for part in parts if isinstance(part, bytes))), 0
    return tuple(parts), highest


def _split(text: bytes, parts: list[bytes | int], warn: Callable[[str], None], where: str, out_of_range: str) -> None:
    at = 0
    for found in _MACRO.finditer(text):
        if found.start() > at:
            parts.append(text[at : found.start()])
        at = found.end()
        if found[1]:
            parts.append(b"$")
            continue
        name = found[2] if found[2] is not None else found[3] if found[3] is not None else found[4]
        if name is None and text[at : at + 1] in (b"{", b"("):
            warn(f'truncated macro reference: "{string(text)}"')
            raise _Bad
        if not name:
            warn(f'empty macro name: "{string(text)}"')
            raise _Bad
        parts.append(_index(name, warn, where, out_of_range))
    if at < len(text):
        parts.append(text[at:])


def _index(name: bytes, warn: Callable[[str], None], where: str, out_of_range: str) -> int:
    if not name.isdigit():
        warn(f'{where}: non-numeric replacement index "{string(name)}"')
        raise _Bad
    # As C reads it into an int.
    index = min(int(name[:400]), 2**63 - 1) & 0xFFFFFFFF
    index -= (index & 0x80000000) << 1
    if index < 1:
        warn(f'{where}: {out_of_range} replacement index "{index}"')
        raise _Bad
    return index
