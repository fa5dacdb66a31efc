"""The protocol of Cyrus SASL's saslauthd(8): one question, one answer, one connection. Each text is preceded by its length in
two octets, most significant first; the answer begins with ``OK`` or ``NO``.
"""

from __future__ import annotations

__all__ = ["Answer", "LONGEST", "question"]

#: Octets of a text, by the protocol.
LONGEST = 65535


def question(user: str, password: bytes, service: str, realm: str) -> bytes:
    """:raise ValueError: a text is too long."""
    texts = (_octets(user), password, _octets(service), _octets(realm))
    if any(len(text) > LONGEST for text in texts):
        raise ValueError("too long for saslauthd")
    return b"".join(len(text).to_bytes(2, "big") + text for text in texts)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


class Answer:
    """Feed octets until ``text`` is no longer None."""

    def __init__(self) -> None:
        self._buffer = b""
        self.text: str | None = None

    def feed(self, data: bytes) -> None:
        if self.text is not None:
            return
        self._buffer += data
        if len(self._buffer) >= 2:
            length = int.from_bytes(self._buffer[:2], "big")
            if len(self._buffer) >= length + 2:
                self.text = self._buffer[2 : length + 2].decode("utf-8", "surrogateescape").rstrip("\0")
                self._buffer = b""

    @property
    def good(self) -> bool:
        return self.text is not None and self.text[:2].upper() == "OK"
