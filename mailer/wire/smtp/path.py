"""The address in MAIL FROM and RCPT TO, in the forms that clients really send (RFC 5321 4.1.2, RFC 5322 3.4).

Strictly a path is ``<local@domain>`` with an optional source route, which is dropped. Like Postfix, and unlike the RFC,
the forgiving reading also takes header forms (comments, phrases, groups, no brackets), as long as exactly one address
comes out. The result is in internal form. Knows nothing of replies or of what a domain means, only how it is spelt.
"""

from __future__ import annotations

import ipaddress
import re

from mailer.message.address import split

__all__ = ["PathError", "parse_path", "valid_hostname", "valid_literal"]


class PathError(ValueError):
    """This is no address, or more than one."""


_ATOM = r"[A-Za-z0-9_+=&'*/{}$#?`|~^-]+"
_NAME = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
#: What nearly every path looks like: a dot-string, a host name whose last label begins with a letter.
_ORDINARY = re.compile(
    rf"<({_ATOM}(?:\.{_ATOM})*@(?:{_NAME}\.)*(?=[A-Za-z]){_NAME})>",
).fullmatch

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<comment>\()
    |(?P<quoted>"(?:[^"\\]|\\.)*"?)
    |(?P<literal>\[[^\]>]*\]?)
    |(?P<special>[<>,;:.@])
    |(?P<atom>(?:[^\s(<>@,;:.\"\[\\]|\\.)+|\\)""",
    re.VERBOSE | re.DOTALL,
)
_ROUTE = re.compile(r"\s*@[^:<>\"]*:")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_LABEL = re.compile(
    r"[A-Za-z0-9_\u0080-\uffff](?:[A-Za-z0-9_\u0080-\uffff-]{0,61}[A-Za-z0-9_\u0080-\uffff])?"
).fullmatch


def parse_path(
    text: str, strict: bool = False, numeric: bool = False, utf8: bool = False, null_domain: bool = False
) -> str:
    """The address in ``text``, "" for the null path.

    :param strict: strict_rfc821_envelopes.
    :param numeric: resolve_numeric_domain: ``user@1.2.3.4`` passes.
    :param utf8: the client has declared SMTPUTF8, so the domain may have other letters.
    :param null_domain: resolve_null_domain: ``user@`` passes.
    :raise PathError: not one address, or its domain cannot be one.
    """
    ordinary = _ORDINARY(text)
    if ordinary:
        address = ordinary.group(1)
        if len(address) < 255:
            return address
    if strict and not (text.startswith("<") and text.endswith(">")):
        raise PathError(text)
    addresses = _Reading(strict).addresses(text)
    if len(addresses) > 1:
        raise PathError(text)
    address = addresses[0] if addresses else ""
    if null_domain and address.endswith("@"):
        return address
    if "@" in address and not _valid_domain(address, strict, numeric, utf8):
        raise PathError(text)
    return address


def _valid_domain(address: str, strict: bool, numeric: bool, utf8: bool) -> bool:
    local, domain = split(address)
    if strict and (not local or local.startswith("@")):
        return False
    if not domain:
        return "@" in local
    if domain.startswith("["):
        return valid_literal(domain)
    if numeric and _is_address(domain):
        return True
    return valid_hostname(domain.removesuffix("."), utf8)


def valid_hostname(name: str, utf8: bool = False) -> bool:
    """Whether name is spelt like a host name: labels of letters, digits, ``-`` and ``_``, not digits alone."""
    if not 0 < len(name) <= 255 or not (utf8 or name.isascii()):
        return False
    return all(map(_LABEL, name.split("."))) and not name.replace(".", "").isdigit()


def valid_literal(literal: str) -> bool:
    """Whether this is ``[1.2.3.4]`` or ``[IPv6:...]``."""
    if not literal.endswith("]"):
        return False
    inner = literal[1:-1]
    if inner[:5].lower() == "ipv6:":
        return ":" in inner[5:] and _is_address(inner[5:])
    return ":" not in inner and _is_address(inner)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


class _Reading:
    """One pass over the tokens of a path."""

    def __init__(self, strict: bool) -> None:
        self._strict = strict
        self._found: list[str] = []
        self._words: list[str] = []
        self._adjacent = False  # two words stand side by side: a phrase perhaps, but no address
        self._after_word = False
        self._group_starts = 0  # how many of the words a ``;`` would turn into a group's name

    def addresses(self, text: str) -> list[str]:
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise PathError(text)
            kind, token = match.lastgroup, match.group()
            position = match.end()
            if kind == "space":
                continue
            if kind == "comment":
                self._refuse_if_strict(text)
                position = _after_comment(text, position)
            elif kind == "special":
                if token == "<":
                    position = self._open(text, position)
                else:
                    self._special(token, text)
            else:
                self._word(kind or "", token)
        self._finish()
        return self._found

    def _refuse_if_strict(self, text: str) -> None:
        if self._strict:
            raise PathError(text)

    def _open(self, text: str, position: int) -> int:
        if self._words:
            self._refuse_if_strict(text)  # what stood before was a display name
            self._clear()
        route = _ROUTE.match(text, position)
        return route.end() if route else position

    def _special(self, token: str, text: str) -> None:
        if token in ".@":
            self._words.append(token)
            self._after_word = False
        elif token == ":":
            self._words.append(token)
            self._group_starts = len(self._words)
            self._after_word = False
        elif token == ">":
            self._finish()
        else:
            self._refuse_if_strict(text)
            if token == ";" and self._group_starts:
                del self._words[: self._group_starts]
            self._finish()

    def _word(self, kind: str, token: str) -> None:
        if kind == "quoted":
            token = token[1:-1] if len(token) > 1 and token.endswith('"') else token[1:]
            token = _ESCAPED.sub(r"\1", token).replace("\t", " ")
        elif kind == "literal":
            token = token if token.endswith("]") else token + "]"
        else:
            token = _ESCAPED.sub(r"\1", token)
        self._adjacent |= self._after_word
        self._after_word = True
        self._words.append(token)

    def _finish(self) -> None:
        if self._words:
            if self._adjacent:
                raise PathError("".join(self._words))
            self._found.append("".join(self._words))
        self._clear()

    def _clear(self) -> None:
        self._words = []
        self._adjacent = self._after_word = False
        self._group_starts = 0


def _after_comment(text: str, position: int) -> int:
    depth = 1
    while depth and position < len(text):
        character = text[position]
        position += 2 if character == "\\" else 1
        depth += (character == "(") - (character == ")")
    return position
