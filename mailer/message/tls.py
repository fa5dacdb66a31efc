"""What is known of an encrypted connection: protocol, cipher, key exchange, signatures, the peer's certificate."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TlsSession"]


@dataclass(frozen=True, slots=True)
class TlsSession:
    """``key_exchange``, ``..._signature`` and ``..._digest`` are worded as in the log (``X25519``, ``RSA-PSS (2048 bits)``,
    ``SHA256``), empty where the protocol does not tell them apart from the cipher (before TLSv1.3).

    ``requested`` says whether the peer was asked for a certificate, ``presented`` whether it has one, ``trusted`` whether
    that leads to a certification authority of ours, ``matched`` whether it also is the one that we wanted to see;
    ``problem`` is why it is not trusted. ``subject`` and ``issuer`` are common names. Fingerprints are upper-case
    hexadecimal with colons. ``server_name`` is the name for which a client got another certificate than the ordinary one.
    """

    protocol: str
    cipher: str
    keysize: int
    key_exchange: str = ""
    server_signature: str = ""
    server_digest: str = ""
    client_signature: str = ""
    client_digest: str = ""
    resumed: bool = False
    server_name: str = ""
    requested: bool = False
    presented: bool = False
    trusted: bool = False
    matched: bool = False
    problem: str = ""
    subject: str = ""
    issuer: str = ""
    fingerprint: str = ""
    pubkey_fingerprint: str = ""

    @property
    def status(self) -> str:
        """The log's word for what is known of the peer."""
        if not self.presented:
            return "Anonymous"
        if self.matched:
            return "Verified"
        return "Trusted" if self.trusted else "Untrusted"

    @property
    def encryption(self) -> str:
        return f"{self.protocol} with cipher {self.cipher} ({self.keysize}/{self.keysize} bits)"

    @property
    def signatures(self) -> list[str]:
        """Two phrases at most: key exchange with the server's signature, the client's signature."""
        phrases = [
            _phrase(("key-exchange", self.key_exchange), ("server-signature", self.server_signature),
                    ("server-digest", self.server_digest)),
            _phrase(("client-signature", self.client_signature), ("client-digest", self.client_digest)),
        ]  # fmt: skip
        return [phrase for phrase in phrases if phrase]

    def summary(self) -> str:
        """As the log shows it."""
        return " ".join([self.encryption, *self.signatures])


def _phrase(*pairs: tuple[str, str]) -> str:
    return " ".join(f"{name} {value}" for name, value in pairs if value)
