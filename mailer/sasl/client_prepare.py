"""SASLprep (RFC 4013): names and passwords in the one form in which both sides compare them."""

from __future__ import annotations

import stringprep
import unicodedata

__all__ = ["prepared"]

_PROHIBITED = (
    stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3, stringprep.in_table_c4,
    stringprep.in_table_c5, stringprep.in_table_c6, stringprep.in_table_c7, stringprep.in_table_c8, stringprep.in_table_c9,
)  # fmt: skip


def prepared(text: str) -> str:
    """The text in its prepared form; as it is, if it has none (a server that took such a password knows what it took)."""
    if text.isascii():
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in text if not stringprep.in_table_b1(char)
    )
    normal = unicodedata.normalize("NFKC", mapped)
    if any(prohibits(char) for char in normal for prohibits in _PROHIBITED):
        return text
    return normal
