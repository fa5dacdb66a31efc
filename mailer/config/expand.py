"""Expansion of ``$name`` in parameter values, following postconf(5).

``$name``, ``${name}``, ``$(name)``; ``${name?text}`` and ``${name:text}`` (when set and not empty, when not);
``${name?{a}:{b}}``; ``${{a} == {b} ? {c} : {d}}`` with ``== != < <= > >=``, and the same operators followed by
``level`` for compatibility levels; ``${domain_to_ascii{text}}``; ``$$`` for a dollar sign. Values are expanded in turn.
Knows nothing of parameters: names are given to a ``lookup``.
"""

from __future__ import annotations

import contextlib
import operator
import re
from collections.abc import Callable
from typing import NoReturn

from mailer.config.errors import ConfigError

__all__ = ["expand", "parse_level", "references"]

Lookup = Callable[[str], "str | None"]

_MAX_DEPTH = 100  # Postfix gives up at the same depth
_MAX_SIZE = 4_000_000  # characters; far above any sensible value, far below what doubling can make
_NAME = re.compile(r"[A-Za-z0-9_]+")
_SPACE = " \t\r\n"
_OPERATOR = re.compile(r"(==|!=|<=|>=|<|>)([A-Za-z0-9_]*)")
_COMPARE = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_LEVEL = re.compile(r"(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?")


def expand(text: str, lookup: Lookup, *, recursive: bool = True) -> str:
    """Expand ``text``. ``lookup(name)`` gives the raw value of a name, or None, which expands to nothing.

    With ``recursive=False`` the looked-up values are taken as they are. Raises ConfigError, without a place.
    """
    if "$" not in text:
        return text
    return _Expansion(lookup, recursive).text(text)


def references(text: str) -> frozenset[str]:
    """The names that ``text`` refers to, in any branch. Text that cannot be parsed refers to what was readable."""
    names: set[str] = set()

    def note(name: str) -> str | None:
        names.add(name)
        return None

    with contextlib.suppress(ConfigError):  # whoever needs the value reports it
        _Expansion(note, False, every_branch=True).text(text)
    return frozenset(names)


def parse_level(text: str) -> tuple[int, int, int]:
    """A compatibility level, ``major[.minor[.patch]]``, in a form that compares. Raises ConfigError."""
    match = _LEVEL.fullmatch(text)
    if match is None:
        raise ConfigError(f'malformed compatibility level syntax: "{text}"', "write major.minor, for example 3.6")
    major, minor, patch = match.groups()
    return int(major), int(minor or 0), int(patch or 0)


class _Expansion:
    """One call of `expand`: remembers what it has worked out, and which names it is inside of."""

    def __init__(self, lookup: Lookup, recursive: bool, every_branch: bool = False) -> None:
        self._lookup = lookup
        self._recursive = recursive
        self._every_branch = every_branch
        self._known: dict[str, str] = {}
        self._inside: list[str] = []
        self._depth = 0

    def text(self, text: str) -> str:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ConfigError("unreasonable macro call nesting", f"at most {_MAX_DEPTH} levels")
        parts: list[str] = []
        size = at = 0
        while (dollar := text.find("$", at)) >= 0:
            parts.append(text[at:dollar])
            piece, at = self._reference(text, dollar)
            parts.append(piece)
            size += len(piece)
            if size > _MAX_SIZE:
                raise ConfigError("the expanded value is too long", f"at most {_MAX_SIZE} characters")
        parts.append(text[at:])
        self._depth -= 1
        return "".join(parts)

    def _reference(self, text: str, dollar: int) -> tuple[str, int]:
        """Expand the reference at ``text[dollar]``; also gives where it ends."""
        start = dollar + 1
        opening = text[start : start + 1]
        if opening == "$":
            return "$", start + 1
        if opening in ("{", "("):
            end = _closing(text, start)
            if end < 0:
                raise ConfigError(f'truncated macro reference: "{text[:100]}"', f'a "{_CLOSING[opening]}" is missing')
            body = text[start + 1 : end]
            if not body:
                raise ConfigError(f'empty macro name: "{text[:100]}"', 'write "$$" for a dollar sign')
            return self._braced(body), end + 1
        match = _NAME.match(text, start)
        if match is None:
            raise ConfigError(f'empty macro name: "{text[:100]}"', 'write "$$" for a dollar sign')
        return self._value(match.group()), match.end()

    def _braced(self, body: str) -> str:
        at = _skip_space(body, 0)
        if body[at : at + 1] == "{":
            truth, at = self._comparison(body, at)
            chosen = "true" if truth else ""
            if at == len(body):
                return chosen
            if body[at] not in "?:":
                _unexpected('"?" or ":" expected', "}", body[at:])
            return self._branches(body, at, truth)
        match = _NAME.match(body, at)
        end = match.end() if match else at
        after = _skip_space(body, end)
        name = match.group() if match else ""
        if after == len(body):
            return self._value(name)
        if name in _FUNCTIONS and body[after] == "{":
            argument, at = _curly(body, after)
            if at != len(body):
                _unexpected("unexpected input", argument + "}", body[at:])
            return _FUNCTIONS[name](self.text(argument))
        if match is None or body[after] not in "?:":
            _unexpected("attribute name syntax error", body[:end], body[end:])
        return self._branches(body, after, bool(self._lookup(name)))

    def _branches(self, body: str, at: int, truth: bool) -> str:
        """``?text``, ``:text``, ``?{text}``, ``?{text}:{text}``, from the operator on."""
        if body[at] == ":":
            return self._choose(not truth, self._last_branch(body, at + 1))
        start = _skip_space(body, at + 1)
        if body[start : start + 1] != "{":
            return self._choose(truth, body[at + 1 :])
        positive, at = _curly(body, start)
        if at == len(body):
            return self._choose(truth, positive)
        if body[at] != ":":
            _unexpected('":" expected', positive + "}", body[at:])
        negative = self._last_branch(body, at + 1)
        return self._choose(truth, positive) + self._choose(not truth, negative)

    def _last_branch(self, body: str, at: int) -> str:
        start = _skip_space(body, at)
        if body[start : start + 1] != "{":
            return body[at:]
        text, end = _curly(body, start)
        if end != len(body):
            _unexpected("unexpected input", text + "}", body[end:])
        return text

    def _choose(self, wanted: bool, text: str) -> str:
        return self.text(text) if wanted or self._every_branch else ""

    def _comparison(self, body: str, at: int) -> tuple[bool, int]:
        left, at = _curly(body, at)
        match = _OPERATOR.match(body, at)
        if match is None:
            _unexpected('"==" or "!=" or "<" or "<=" or ">=" or ">" expected', left + "}", body[at:])
        symbol, suffix = match.groups()
        if suffix not in ("", "level"):
            _unexpected("bad operator suffix", symbol, suffix)
        at = _skip_space(body, match.end())
        if body[at : at + 1] != "{":
            _unexpected('"{expression}" expected', f"{{{left}}} {symbol}{suffix}", body[match.end() :])
        right, at = _curly(body, at)
        return self._compare(self.text(left), symbol, suffix, self.text(right)), at

    def _compare(self, left: str, symbol: str, suffix: str, right: str) -> bool:
        compare = _COMPARE[symbol]
        if self._every_branch:
            return True  # only names are wanted
        if suffix:
            return compare(parse_level(left), parse_level(right))
        if _is_number(left) and _is_number(right):
            return compare(int(left), int(right))
        return compare(left, right)

    def _value(self, name: str) -> str:
        known = self._known.get(name)
        if known is not None:
            return known
        if name in self._inside:
            chain = " -> ".join("$" + inner for inner in [*self._inside[self._inside.index(name) :], name])
            raise ConfigError(f'unreasonable macro call nesting: "{name}"', f"the value refers to itself: {chain}")
        value = self._lookup(name) or ""
        if self._recursive and "$" in value:
            self._inside.append(name)
            value = self.text(value)
            self._inside.pop()
        self._known[name] = value
        return value


def _domain_to_ascii(domain: str) -> str:
    if domain.isascii():
        return domain
    try:
        return ".".join(label.encode("idna").decode("ascii") for label in domain.split("."))
    except UnicodeError as error:
        raise ConfigError(f'no ASCII form of the domain "{domain}"', str(error)) from None


_FUNCTIONS = {"domain_to_ascii": _domain_to_ascii}
_CLOSING = {"{": "}", "(": ")"}


def _closing(text: str, start: int) -> int:
    """Where the bracket at ``text[start]`` is closed; -1 when it is not."""
    opening = text[start]
    closing = _CLOSING[opening]
    level = 0
    for match in re.compile(f"[{re.escape(opening + closing)}]").finditer(text, start):
        level += 1 if match.group() == opening else -1
        if level == 0:
            return match.start()
    return -1


def _curly(body: str, start: int) -> tuple[str, int]:
    """The text inside the braces at ``body[start]``, and where the next thing after them stands."""
    end = _closing(body, start)
    if end < 0:
        raise ConfigError(f'unbalanced {{}} in attribute expression: "{body[start:][:100]}"', 'a "}" is missing')
    return body[start + 1 : end], _skip_space(body, end + 1)


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def _unexpected(problem: str, before: str, after: str) -> NoReturn:
    raise ConfigError(f'{problem} at: "...{before[-100:]}>>>{after[:100]}"')
