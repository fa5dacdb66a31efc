"""The ``%`` templates of tables on servers: query, query_filter, search_base, result_format (ldap_table(5), mysql_table(5)).

``%s`` is the key (in result_format: the value found), ``%u`` and ``%d`` its local part and domain, ``%1`` ... ``%9`` the
labels of the key's domain from the right; ``%S %U %D`` always mean the key. How a part is quoted is the caller's business.
A key or a value that lacks a part gives no text at all: such a lookup finds nothing, such a value is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from mailer.config.errors import ConfigError

__all__ = ["Template", "split_at"]

Quote = Callable[[str], str]


def _as_it_is(text: str) -> str:
    return text


def split_at(address: str) -> tuple[str, str | None]:
    """Local part and domain, at the last ``@``; without one everything is local part and the domain is None."""
    local, at, domain = address.rpartition("@")
    return (local, domain) if at else (domain, None)


class Template:
    """:param name: of the table; ``parameter``: whose value ``text`` is; both for messages.
    :raise ConfigError: a ``%`` that means nothing.
    """

    def __init__(self, text: str, name: str, parameter: str = "query") -> None:
        self.text = text
        self._parts = _parse(text, f"db_common_parse: {name}: Invalid {parameter} template: {text}")
        used = {part for part, code in self._parts if code}
        #: Whether every key gives the same text.
        self.fixed = not used
        #: Whether a key goes in as it is and nothing else does: the usual ``%s``.
        self.plain = text == "%s"
        self._labels = max((int(code) for code in used if code.isdigit()), default=0)
        self._of_key = frozenset(code for code in used if code.isupper())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def fits(self, key: str) -> bool:
        """Whether the key has all the parts that the template takes from the key in any case (``%U %D %1`` ...)."""
        if not self._labels and not self._of_key:
            return True
        return all(_part(code.lower(), key) for code in self._of_key) and (
            not self._labels or len(_labels(key)) >= self._labels
        )

    def expand(self, key: str, value: str | None = None, quote: Quote = _as_it_is) -> str | None:
        """The text for a key, or for a value found for it; None when a part is missing or empty.

        :param quote: applied to each part that is put in.
        """
        subject = key if value is None else value
        if self.plain:
            return quote(subject) or None
        values = self.values(key, value)
        if values is None:
            return None
        filled = iter(values)
        return "".join(quote(next(filled)) if code else text for text, code in self._parts)

    def marked(self, mark: Callable[[int], str]) -> str:
        """The text with ``mark(0)``, ``mark(1)`` ... in place of what is put in."""
        number = count()
        return "".join(mark(next(number)) if code else text for text, code in self._parts)

    def values(self, key: str, value: str | None = None) -> list[str] | None:
        """What is put in, in order; None when a part is missing or empty."""
        subject = key if value is None else value
        labels = _labels(key) if self._labels else []
        found: list[str] = []
        for _, code in self._parts:
            if not code:
                continue
            if code.isdigit():
                part = labels[-int(code)] if int(code) <= len(labels) else ""
            else:
                part = _part(code.lower(), key if code.isupper() else subject)
            if not part:
                return None
            found.append(part)
        return found


def _part(code: str, address: str) -> str:
    if code == "s":
        return address
    local, domain = split_at(address)
    return local if code == "u" else domain or ""


def _labels(key: str) -> list[str]:
    return [label for label in (split_at(key)[1] or "").split(".") if label]


def _parse(text: str, complaint: str) -> tuple[tuple[str, str], ...]:
    """``(text, "")`` and ``(code, code)``, in order."""
    parts: list[tuple[str, str]] = []
    literal, *pieces = text.split("%")
    at = 0
    while at < len(pieces):
        piece = pieces[at]
        at += 1
        if piece:
            code, rest = piece[0], piece[1:]
            if code not in "sudSUD123456789":
                raise ConfigError(complaint)
            parts += [(literal, ""), (code, code)]
            literal = rest
        elif at < len(pieces):  # "%%": the piece between the two is empty
            literal += "%" + pieces[at]
            at += 1
        else:
            raise ConfigError(complaint)
    parts.append((literal, ""))
    return tuple(part for part in parts if part[0])
