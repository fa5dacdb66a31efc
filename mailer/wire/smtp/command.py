"""Command lines taken apart: the verb, its words, and the parameters of MAIL and RCPT (RFC 5321 4.1.1, 4.1.2).

Words are separated by white space; inside ``<...>`` and ``"..."`` white space belongs to the word. What a parameter means
and which are on offer is not known here; ``parse_notify`` and ``parse_orcpt`` (RFC 3461) know how theirs are written.
"""

from __future__ import annotations

import re

from mailer.message.envelope import Notify
from mailer.wire.smtp.xtext import decode_unitext, decode_xtext

__all__ = ["BadWord", "parse_notify", "parse_orcpt", "parse_size", "path_words", "verb_of", "words_of"]


class BadWord(ValueError):
    """A quote or bracket that is never closed."""


_QUOTED = r'"(?:[^"\\]|\\.)*"'
_WORD = re.compile(rf'(?:{_QUOTED}|<(?:{_QUOTED}|[^">\\]|\\.)*>|[^\s"<])+')
_ANY_QUOTED = re.compile(rf"{_QUOTED}|\\.")
_ORDINARY_PATH = re.compile(r"(FROM:|TO:) ?(<[^\s<>\"\\]*>)((?: [^\s<>\"\\]+)*)", re.IGNORECASE).fullmatch
_KEYWORD = re.compile("(FROM:|TO:)(?=.)", re.IGNORECASE)
_NOTIFY = {"NEVER": Notify.NEVER, "SUCCESS": Notify.SUCCESS, "FAILURE": Notify.FAILURE, "DELAY": Notify.DELAY}


def verb_of(line: str) -> tuple[str, str]:
    """The first word as it stands, and the rest. ("", "") when there is no word."""
    verb, _, rest = line.partition(" ")
    if verb and verb.isalpha():
        return verb, rest
    parts = line.split(None, 1)
    return (parts[0], parts[1] if len(parts) > 1 else "") if parts else ("", "")


def words_of(text: str) -> list[str]:
    """All words of an argument.

    :raise BadWord: something is opened and never closed; the words before it are in ``args[0]``.
    """
    words: list[str] = []
    position, end = 0, len(text)
    while position < end:
        if text[position].isspace():
            position += 1
            continue
        match = _WORD.match(text, position)
        if match is None or (match.end() < end and not text[match.end()].isspace()) or _is_open(match.group()):
            raise BadWord(words)
        words.append(match.group())
        position = match.end()
    return words


def _is_open(word: str) -> bool:
    """Whether a bracket within brackets is missing its partner."""
    if word.count("<") < 2:
        return False
    bare = _ANY_QUOTED.sub("", word)
    return bare.count("<") > bare.count(">")


def path_words(argument: str) -> tuple[str, str, list[str]]:
    """The argument of MAIL or RCPT: ``FROM:`` or ``TO:`` in upper case, the path as written, the parameters.

    The keyword is "" when it is another one; the path is "" when it is missing.
    :raise BadWord: the path is never closed.
    """
    match = _ORDINARY_PATH(argument)
    if match:
        keyword, path, parameters = match.groups()
        return keyword.upper(), path, parameters.split() if parameters else []
    argument = _KEYWORD.sub(r"\1 ", argument.lstrip(), count=1) if _KEYWORD.match(argument.lstrip()) else argument
    try:
        words = words_of(argument)
    except BadWord as error:
        if len(error.args[0]) == 1 and error.args[0][0].upper() in ("FROM:", "TO:"):
            raise
        words = error.args[0]
    if not words or words[0].upper() not in ("FROM:", "TO:"):
        return "", "", []
    return words[0].upper(), words[1] if len(words) > 1 else "", words[2:]


def parse_size(text: str) -> int:
    """SIZE's value (RFC 1870). :raise ValueError: not a row of digits."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return int(text) if len(text) < 4000 else 10**4000


def parse_notify(text: str) -> Notify:
    """NOTIFY's value. :raise ValueError: unknown or contradictory; an unknown word is the argument."""
    notify = Notify.UNSET
    for word in text.split(","):
        if word:
            flag = _NOTIFY.get(word.upper())
            if flag is None:
                raise ValueError(word)
            notify |= flag
    if not notify or (notify & Notify.NEVER and notify != Notify.NEVER):
        raise ValueError("")
    return notify


def parse_orcpt(text: str) -> str:
    """ORCPT's value decoded: ``rfc822;user@host``. :raise ValueError: wrong syntax."""
    kind, semicolon, address = text.partition(";")
    if not kind or not semicolon:
        raise ValueError(text)
    if kind.lower() == "utf-8":
        return f"{kind};{decode_unitext(address)}"
    return f"{kind};{decode_xtext(address)}"
