"""Result codes (RFC 4511 appendix A) in the words of OpenLDAP's library, which administrators know from Postfix's log."""

from __future__ import annotations

__all__ = [
    "BAD_FILTER",
    "ADMIN_LIMIT_EXCEEDED",
    "BUSY",
    "NO_SUCH_OBJECT",
    "REFERRAL",
    "SASL_IN_PROGRESS",
    "SIZE_LIMIT_EXCEEDED",
    "SUCCESS",
    "UNAVAILABLE",
    "SearchFailed",
    "describe",
]

SUCCESS, SIZE_LIMIT_EXCEEDED, REFERRAL, ADMIN_LIMIT_EXCEEDED, SASL_IN_PROGRESS = 0, 4, 10, 11, 14
NO_SUCH_OBJECT, BUSY, UNAVAILABLE = 32, 51, 52
BAD_FILTER = -7

_TEXTS = {
    BAD_FILTER: "Bad search filter",
    0: "Success",
    1: "Operations error",
    2: "Protocol error",
    3: "Time limit exceeded",
    4: "Size limit exceeded",
    7: "Authentication method not supported",
    8: "Strong(er) authentication required",
    9: "Partial results and referral received",
    10: "Referral",
    11: "Administrative limit exceeded",
    12: "Critical extension is unavailable",
    13: "Confidentiality required",
    14: "SASL bind in progress",
    16: "No such attribute",
    17: "Undefined attribute type",
    18: "Inappropriate matching",
    19: "Constraint violation",
    21: "Invalid syntax",
    32: "No such object",
    33: "Alias problem",
    34: "Invalid DN syntax",
    36: "Alias dereferencing problem",
    48: "Inappropriate authentication",
    49: "Invalid credentials",
    50: "Insufficient access",
    51: "Server is busy",
    52: "Server is unavailable",
    53: "Server is unwilling to perform",
    54: "Loop detected",
    80: "Other (e.g., implementation specific) error",
}


def describe(code: int) -> str:
    return _TEXTS.get(code, f"Unknown error ({code})")


class SearchFailed(Exception):
    """A server answered a search with something else than entries. ``text`` is its own explanation, or ""."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(f"{code}: {describe(code)} {text}".rstrip())
        self.code = code
        self.text = text
