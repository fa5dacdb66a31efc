"""Address lists in header fields (RFC 5322 3.4), read as tolerantly as the world writes them.

``parse`` never fails: it finds the addresses in any text, keeps comments, phrases and groups, and ``AddressList.text``
writes the list back with one line break after each comma, for ``fold`` to lay out. Nobody needs to write a list back when
no address in it has changed: then the original text stays as it was. This module does not know what a proper address is.

Reading goes from right to left, because only what follows tells what a word is: ``a b <u>`` is a phrase with an address,
``a b`` are two addresses, ``a: b`` is a group only if a ``;`` comes later.
"""

from __future__ import annotations

import re

from mailer.message.address import quote

__all__ = ["Address", "AddressList", "fold", "parse"]

#: Rewritten fields put as many addresses on a line as stay below this width.
_LINE_WIDTH = 70

_SCAN = re.compile(
    r"(?P<blank>[ \t\r\n\f\v]+)"
    r'|"(?P<quoted>(?:[^"\\]|\\.)*)(?:"|\\?\Z)'
    r"|(?P<comment>\()"
    r"|(?P<literal>\[(?:[^\]\\]|\\.)*)(?:\]|\\?\Z)"
    r"|(?P<special>[()<>\[\]:;@,.])"
    r"|(?P<atom>(?:[^ \t\r\n\f\v\"()<>\[\]:;@,.\\]|\\.)+|\\)",
    re.DOTALL,
)
_PAREN = re.compile(r"\\.|[()]", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_TO_ESCAPE = re.compile(r'(["\\\r\n])')
_LINE_BREAK = re.compile(r"\r?\n[ \t]*")

# Token kinds. WORD, QUOTED, LITERAL and COMMENT stand apart by a space, the others stick to their neighbours.
_WORD, _QUOTED, _LITERAL, _COMMENT, _SPECIAL, _GROUP, _OPEN, _CLOSE, _COMMA, _ADDRESS = range(10)
_SPACED = frozenset((_WORD, _QUOTED, _LITERAL, _COMMENT, _ADDRESS))
_WORDS = frozenset((_WORD, _QUOTED, _LITERAL))

_Token = tuple[int, str]


class Address:
    """One address of a list. ``external`` is how the header has it, ``internal`` the unquoted form.

    Assigning to ``internal`` changes what the list writes. ``quoted`` tells that some of the local part stands in
    quotes, ``qualified`` that there is an ``@`` outside them: the internal form alone cannot tell.
    """

    __slots__ = ("_external", "_internal", "changed", "comments", "qualified", "quoted")

    def __init__(self, external: str, internal: str, comments: list[str], quoted: bool, qualified: bool) -> None:
        self._external = external
        self._internal = internal
        self.comments = comments
        self.quoted = quoted
        self.qualified = qualified
        self.changed = False

    @property
    def external(self) -> str:
        return self._external

    @property
    def internal(self) -> str:
        return self._internal

    @internal.setter
    def internal(self, address: str) -> None:
        external = quote(address) or '""'
        if external != self._external:
            self.changed = True
            self._external = external
        self._internal = address

    def __str__(self) -> str:
        return " ".join([self._external, *self.comments]) if self.comments else self._external


class AddressList:
    """What ``parse`` found; ``addresses`` are in the order of the text."""

    def __init__(self, nodes: list[tuple[int, str | Address]]) -> None:
        self._nodes = nodes
        self.addresses = [node for kind, node in nodes if isinstance(node, Address)]

    @property
    def changed(self) -> bool:
        return any(address.changed for address in self.addresses)

    def text(self, separator: str = "\n") -> str:
        """The list as a field body, with ``separator`` after each comma."""
        parts: list[str] = []
        previous = -1
        for kind, node in self._nodes:
            if previous == _COMMA:
                parts.append(separator)
            elif (
                (kind in _SPACED and (previous in _SPACED or previous == _GROUP))
                or (kind == _OPEN and previous >= 0)
                or (kind == _ADDRESS and previous == _CLOSE)
            ):
                parts.append(" ")
            parts.append(str(node))
            previous = kind
        if previous == _COMMA:
            parts.append(" ")
        return "".join(parts)


def parse(text: str, limit: int = 10240) -> AddressList:
    """Find the addresses in a field body.

    :param limit: how many tokens are looked at; the rest of the text is dropped (header_address_token_limit).
    """
    return AddressList(_arrange(_tokens(text, limit)))


def fold(field: str) -> str:
    """Lay out ``name: body`` whose body has line breaks after its commas: short lines are joined by a space, the others
    begin with a tab. Lines end in a bare newline."""
    lines = field.split("\n")
    out = [lines[0]]
    for line in lines[1:]:
        if len(out[-1]) + len(line) + 1 < _LINE_WIDTH:
            out[-1] += " " + line
        else:
            out.append("\t" + line)
    return "\n".join(out)


def _tokens(text: str, limit: int) -> list[_Token]:
    found: list[_Token] = []
    position, end = 0, len(text)
    match_at = _SCAN.match
    while position < end and len(found) < limit:
        match = match_at(text, position)
        if match is None:  # a lone backslash before the end
            break
        position = match.end()
        kind = match.lastgroup
        if kind == "blank":
            continue
        value = match[kind]  # type: ignore[index]
        if kind == "atom":
            found.append((_WORD, _ESCAPED.sub(r"\1", value)))
        elif kind == "special":
            found.append((_COMMA if value == "," else _SPECIAL, value))
        elif kind == "quoted":
            found.append((_QUOTED, _ESCAPED.sub(r"\1", _LINE_BREAK.sub(" ", value))))
        elif kind == "literal":
            found.append((_LITERAL, value + "]"))
        else:
            position = _comment_end(text, match.start())
            found.append((_COMMENT, _LINE_BREAK.sub(" ", text[match.start() : position])))
    return found


def _comment_end(text: str, start: int) -> int:
    depth = 0
    for match in _PAREN.finditer(text, start):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return len(text)


def _arrange(tokens: list[_Token]) -> list[tuple[int, str | Address]]:
    """Tokens to nodes, from right to left; the result is built reversed and turned round at the end."""
    nodes: list[tuple[int, str | Address]] = []
    openings = _openings(tokens)
    index = len(tokens) - 1
    in_phrase = in_group = False
    while index >= 0:
        kind, value = tokens[index]
        if kind == _COMMA:
            in_phrase = False
            nodes.append((kind, value))
        elif value == ";" and kind == _SPECIAL:
            in_group = True
            nodes.append((kind, value))
        elif value == ":" and kind == _SPECIAL and in_group and not in_phrase:
            in_group, in_phrase = False, True
            nodes.append((_GROUP, value))
        elif value == ">" and kind == _SPECIAL and (opening := openings[index]) >= 0:
            nodes.append((_CLOSE, ">"))
            nodes.append((_ADDRESS, _address(tokens[opening + 1 : index])))
            nodes.append((_OPEN, "<"))
            index, in_phrase = opening, True
        elif in_phrase or kind == _COMMENT or value == ">":
            nodes.append((kind, _written(kind, value)))
        else:
            begin = _address_begin(tokens, index, in_group)
            nodes.append((_ADDRESS, _address(tokens[begin : index + 1])))
            index = begin
            if index and not _separates(tokens[index - 1]):
                nodes.append((_COMMA, ","))
        index -= 1
    nodes.reverse()
    return nodes


def _separates(token: _Token) -> bool:
    """Whether an address may follow this token without a comma of ours between them."""
    kind, value = token
    return kind in (_COMMA, _COMMENT) or (kind == _SPECIAL and value == ":")


def _openings(tokens: list[_Token]) -> list[int]:
    """For each token, where the last ``<`` before it is; -1 if there is none."""
    found, last = [], -1
    for index, token in enumerate(tokens):
        found.append(last)
        if token == (_SPECIAL, "<"):
            last = index
    return found


def _address_begin(tokens: list[_Token], index: int, in_group: bool) -> int:
    """Where the address begins that ends at ``index``: words alternate with ``@`` and ``.``; comments stand anywhere."""
    begin = index
    right_is_word = False
    while index >= 0:
        kind, value = tokens[index]
        if kind != _COMMENT:
            if kind == _COMMA or (kind == _SPECIAL and (value in ">;" or (value == ":" and in_group))):
                break
            is_word = kind in _WORDS
            if is_word and right_is_word:
                break
            right_is_word = is_word
        begin = index
        index -= 1
    return begin


def _address(tokens: list[_Token]) -> Address:
    comments = [value for kind, value in tokens if kind == _COMMENT]
    rest = [(kind, ", " if kind == _COMMA else value) for kind, value in tokens if kind != _COMMENT]
    external = "".join(_written(kind, value) for kind, value in rest)
    quoted = any(kind == _QUOTED for kind, _ in rest)
    internal = "".join([value for _, value in rest]) if quoted else external
    return Address(external, internal, comments, quoted, (_SPECIAL, "@") in rest)


def _written(kind: int, value: str) -> str:
    return '"' + _TO_ESCAPE.sub(r"\\\1", value) + '"' if kind == _QUOTED else value
