"""Sets of octets, as the bracket expressions of regular expressions mean them, and how Python's ``re`` writes them.

Both table types match octets, not characters, as Postfix does with its libraries in the C locale. Working a bracket
expression out to the set that it stands for leaves no doubt about what a hyphen, a class or a bracket means where.
"""

from __future__ import annotations

import string

__all__ = ["ALL", "CLASSES", "DIGITS", "SPACES", "WORD", "emit"]

ALL = frozenset(range(256))
DIGITS = frozenset(string.digits.encode())
SPACES = frozenset(b" \t\n\r\f\v")
WORD = frozenset((string.ascii_letters + string.digits + "_").encode())

#: The POSIX classes of the C locale, and PCRE's ``word`` beside them.
CLASSES = {
    "alpha": frozenset(string.ascii_letters.encode()),
    "digit": DIGITS,
    "alnum": frozenset((string.ascii_letters + string.digits).encode()),
    "upper": frozenset(string.ascii_uppercase.encode()),
    "lower": frozenset(string.ascii_lowercase.encode()),
    "space": SPACES,
    "blank": frozenset(b" \t"),
    "punct": frozenset(string.punctuation.encode()),
    "print": frozenset(range(0x20, 0x7F)),
    "graph": frozenset(range(0x21, 0x7F)),
    "cntrl": frozenset(range(0x20)) | {0x7F},
    "xdigit": frozenset(string.hexdigits.encode()),
}


def emit(members: frozenset[int] | set[int]) -> bytes:
    """The set as a bracket expression for ``re``."""
    if len(members) == 256:
        return b"[\\x00-\\xff]"
    if not members:
        return b"(?!)"
    negated = len(members) > 128
    wanted = sorted(ALL - members if negated else members)
    out = [b"[^" if negated else b"["]
    start = previous = wanted[0]
    for octet in [*wanted[1:], 999]:
        if octet != previous + 1:
            out.append(b"\\x%02x" % start if start == previous else b"\\x%02x-\\x%02x" % (start, previous))
            start = octet
        previous = octet
    out.append(b"]")
    return b"".join(out)
