"""The text that postalias(1) makes tables from: aliases(5), ``name: value, value``.

Names and values are RFC 822 tokens: a name is kept without its quoting (that is how local delivery asks for it), a value
in a normal form, with single spaces, comments kept, quotes where they are needed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from mailer.tables.lines import SPACE, logical_lines
from mailer.tables.text import escaped, valid

__all__ = ["alias_entries", "external", "internal", "tokens"]

_SPECIAL = '()<>@,;:\\".[]|!%'
_ATOM = re.compile(rf"(?:[^{re.escape(_SPECIAL)}\s]|\\.|\\$)+", re.ASCII | re.DOTALL)
_UNSAFE = re.compile(rf"[{re.escape(_SPECIAL)}\s]", re.ASCII)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.|\\$)*)"?', re.DOTALL)
_LITERAL = re.compile(r"\[((?:[^\]\\]|\\.|\\$)*)\]?", re.DOTALL)
_PAIR = re.compile(r"\\(.?)", re.DOTALL)
_BLANK = re.compile(r"[\t\n\r\f\v]")
_WORDS = frozenset(("atom", "quoted", "comment", "literal"))


class Token(NamedTuple):
    """``kind`` is atom, quoted, comment, literal, or the special character itself; ``text`` is without quoting."""

    kind: str
    text: str


def alias_entries(
    text: str, path: str, warn: Callable[[str], None], utf8: bool = True
) -> Iterator[tuple[int, str, str]]:
    """``line number, name, value`` of each good line; what is wrong with the others is told to ``warn``."""
    for number, line in logical_lines(text, path, warn):
        if utf8 and not valid(line):
            warn(f'{path}, line {number}: non-UTF-8 input "{escaped(line)}" -- ignoring this line')
            continue
        found = tokens(line)
        colon = next((at for at, token in enumerate(found) if token.kind == ":"), 0)
        if not colon or colon == len(found) - 1 or any(token.kind == "," for token in found[:colon]):
            warn(f"{path}, line {number}: need name:value pair")
            continue
        if any(token.kind in ("@", "%") for token in found[:colon]):
            warn(f"{path}, line {number}: name must be local")
            continue
        yield number, internal(found[:colon]), external(found[colon + 1 :])


def tokens(text: str) -> list[Token]:
    """Anything is some tokens; what is not closed ends with the text."""
    found: list[Token] = []
    at, end = 0, len(text)
    while at < end:
        char = text[at]
        if char in SPACE:
            at += 1
        elif char == '"':
            match = _QUOTED.match(text, at)
            assert match is not None
            found.append(Token("quoted", _unescaped(match[1])))
            at = match.end()
        elif char == "[":
            match = _LITERAL.match(text, at)
            assert match is not None
            found.append(Token("literal", _unescaped(match[1])))
            at = match.end()
        elif char == "(":
            stop = _comment_end(text, at)
            found.append(Token("comment", text[at:stop]))
            at = stop
        elif char in _SPECIAL and char != "\\":
            found.append(Token(char, char))
            at += 1
        else:
            match = _ATOM.match(text, at)
            assert match is not None
            found.append(Token("atom", _unescaped(match[0])))
            at = match.end()
    return found


def _unescaped(text: str) -> str:
    return _BLANK.sub(" ", _PAIR.sub(r"\1", text))


def _comment_end(text: str, at: int) -> int:
    level = 0
    while at < len(text):
        char = text[at]
        at += 2 if char == "\\" else 1
        level += (char == "(") - (char == ")")
        if level == 0:
            return at
    return len(text)


def internal(found: list[Token]) -> str:
    """Tokens as text without quoting."""
    return _joined(found, lambda token: f"[{token.text}]" if token.kind == "literal" else token.text)


def external(found: list[Token]) -> str:
    """Tokens as text that has the same tokens again."""
    return _joined(found, _quoted)


def _quoted(token: Token) -> str:
    if token.kind == "literal":
        return f"[{token.text}]"
    if token.kind == "quoted" or (token.kind == "atom" and _UNSAFE.search(token.text)):
        return '"' + re.sub(r'(["\\\r])', r"\\\1", token.text) + '"'
    return token.text


def _joined(found: list[Token], write: Callable[[Token], str]) -> str:
    parts: list[str] = []
    previous = ""
    for token in found:
        if (previous not in ("", ",") and token.kind == "<") or (previous in _WORDS and token.kind in _WORDS):
            parts.append(" ")
        parts.append(", " if token.kind == "," else write(token))
        previous = token.kind
    return "".join(parts)
