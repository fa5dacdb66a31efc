"""From a grade (``medium``) and what is excluded to the cipher list that OpenSSL understands (postconf(5), tls_*_cipherlist).

TLSv1.3 has its own few ciphers, all of them strong; grades and exclusions are for the older protocols, as in Postfix.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

__all__ = ["cipher_list"]

#: export and low mean medium since these are no more.
_GRADES = {"export": "medium", "low": "medium", "medium": "medium", "high": "high", "null": "null"}


def cipher_list(settings: Any, grade: str, excluded: Iterable[str]) -> str:
    """:param excluded: names or OpenSSL keywords; ``A+B`` excludes what is both."""
    lists = {
        "medium": settings.tls_medium_cipherlist,
        "high": settings.tls_high_cipherlist,
        "null": settings.tls_null_cipherlist,
    }
    parts = [lists[_GRADES[grade.lower()]]]
    for name in excluded:
        parts += [f"!{part}" for part in re.split(r"[\s,:]+", name.lstrip("!")) if part]
    text = ":".join(parts)
    # OpenSSL's own notion of too weak would take away protocols and keys that grade and protocol list permit.
    return text if "@SECLEVEL" in text else f"{text}:@SECLEVEL=0"
