"""The envelope sender of probes (postconf(5), address_verify_sender and address_verify_sender_ttl).

With a time to live its local part ends in the number of the current period, so that a site which learns to refuse it
does so for one period only; replies to the neighbouring periods' are accepted, because clocks and probes overlap.
"""

from __future__ import annotations

from typing import Any

__all__ = ["ProbeSender"]

_DIGITS = "0123456789BCDFGHJKLMNPQRSTVWXYZ"


def _numeral(number: int) -> str:
    """Base 31, without vowels, so that no words come out."""
    digits = ""
    while True:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
        if not number:
            return digits


class ProbeSender:
    """:param address: the fixed address in internal form, complete; "" for the null sender."""

    def __init__(self, address: str, settings: Any) -> None:
        self._local, at, domain = address.rpartition("@") if "@" in address else (address, "", "")
        self._domain = at + domain
        self._ttl: float = settings.address_verify_sender_ttl if address else 0

    def at(self, now: float) -> str:
        return self._numbered(int(now / self._ttl)) if self._ttl else self._local + self._domain

    def owns(self, address: str, now: float) -> bool:
        """Whether this is a sender of ours, of now or of the periods beside it."""
        if not self._local:
            return False
        if not self._ttl:
            return address.lower() == (self._local + self._domain).lower()
        period = int(now / self._ttl)
        return address.lower() in {self._numbered(each).lower() for each in (period - 1, period, period + 1)}

    def _numbered(self, period: int) -> str:
        return f"{self._local}{_numeral(period)}{self._domain}"
