"""Text that tables share: keys as octets and back, case folding, UTF-8 checks, braces (DATABASE_README, SMTPUTF8_README)."""

from __future__ import annotations

import re

__all__ = ["braced", "closing", "escaped", "fold", "octets", "string", "valid"]

_SPACE = " \t\r\n"


def octets(text: str) -> bytes:
    """Internal text to the octets it came from."""
    return text.encode("utf-8", "surrogateescape")


def string(data: bytes) -> str:
    """Octets to internal text; nothing is lost."""
    return data.decode("utf-8", "surrogateescape")


def valid(text: str) -> bool:
    """Whether the octets behind the text are UTF-8."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def fold(text: str, utf8: bool = True) -> str:
    """A key without its case: all of Unicode, or with ``utf8`` off ASCII letters only, as Postfix folds."""
    if text.isascii():
        return text.lower()
    if utf8 and valid(text):
        return text.casefold()
    return string(octets(text).lower())


#: One octet that a terminal cannot show: neither printable ASCII nor what looks like a character in UTF-8.
_UNPRINTABLE = re.compile(rb"([\xc2-\xfe][\x80-\xbf]+)|[^ -~]")


def escaped(text: str) -> str:
    """Text for a message: each octet that is neither printable ASCII nor part of something like UTF-8 becomes ``?``."""
    if text.isascii() and text.isprintable():
        return text
    return string(_UNPRINTABLE.sub(lambda found: found[1] or b"?", octets(text)))


def closing(text: str) -> int:
    """Where the brace closes with which ``text`` opens; -1 if nowhere."""
    level = 0
    for at, char in enumerate(text):
        level += (char == "{") - (char == "}")
        if level == 0:
            return at
    return -1


def braced(text: str) -> str:
    """The inside of ``{ ... }``, without white space at its ends.

    :raise ValueError: ``missing '}'`` or ``syntax error after '}'``, with the offending text, as Postfix says it.
    """
    if not text.startswith("{"):
        raise ValueError(f"no '{{' at start of text in \"{text}\"")
    at = closing(text)
    if at < 0:
        raise ValueError(f"missing '}}' in \"{text}\"")
    if text[at + 1 :].strip(_SPACE):
        raise ValueError(f"syntax error after '}}' in \"{text}\"")
    return text[1:at].strip(_SPACE)
