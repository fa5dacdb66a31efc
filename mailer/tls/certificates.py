"""Private keys with their certificate chains, from PEM: chain files (key, certificate, issuers, next key ...) and pairs of files.

postconf(5), smtpd_tls_chain_files and smtpd_tls_cert_file. Everything is read and checked before any of it is used, so a
half-written or mismatched pair never reaches a handshake.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL

__all__ = ["BadCertificates", "KeyPair", "install", "parse_chain", "read_chain_files", "read_pair"]

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----[^\n]*\n?", re.DOTALL)
_MOST_OCTETS = 1 << 20


class BadCertificates(Exception):
    """Keys or certificates cannot be used; ``warnings`` are lines for the log that say why, the summary first or last."""

    def __init__(self, *warnings: str) -> None:
        super().__init__(warnings[0])
        self.warnings = warnings


@dataclass(frozen=True)
class KeyPair:
    """``chain`` is PEM: the certificate for ``key``, then those of its issuers."""

    key: Any  # of cryptography
    chain: bytes


def read_chain_files(paths: Sequence[str]) -> list[KeyPair]:
    """:raise BadCertificates:"""
    pairs: list[KeyPair] = []
    summary = f"error loading private keys and certificates from: {' '.join(paths)}: disabling TLS support"
    for path in paths:
        try:
            pairs += parse_chain(_read(path), path)
        except BadCertificates as error:
            raise BadCertificates(*error.warnings, summary) from None
    return pairs


def read_pair(certificate_file: str, key_file: str, kind: str) -> KeyPair:
    """:param kind: RSA, DSA or ECDSA, for the log. :raise BadCertificates:"""
    certificate_text = f'cannot get {kind} certificate from file "{certificate_file}": disabling TLS support'
    key_text = f'cannot get {kind} private key from file "{key_file}": disabling TLS support'
    chain = [block for label, block in _blocks(_read(certificate_file)) if _is_certificate(label)]
    if not chain:
        raise BadCertificates(certificate_text)
    try:
        certificate = x509.load_pem_x509_certificate(chain[0])
    except ValueError as error:
        raise BadCertificates(certificate_text, _library_problem(error)) from None
    keys = [block for label, block in _blocks(_read(key_file)) if label.endswith("PRIVATE KEY")]
    if not keys:
        raise BadCertificates(key_text)
    try:
        key = load_pem_private_key(keys[0], None)
    except (ValueError, TypeError) as error:
        raise BadCertificates(key_text, _library_problem(error)) from None
    if not _belong_together(key, certificate):
        if type(key.public_key()) is not type(certificate.public_key()):
            raise BadCertificates(
                f"{kind} private key in {key_file} does not match public key in {certificate_file}: disabling TLS support"
            )
        raise BadCertificates(
            key_text, "TLS library problem: error:05800074:x509 certificate routines::key values mismatch:"
        )
    return KeyPair(key, b"".join(chain))


def parse_chain(text: bytes, name: str) -> list[KeyPair]:
    """Keys, each followed by its chain.

    :param name: where it comes from, for the log. :raise BadCertificates:
    """
    blocks = [(label, block) for label, block in _blocks(text) if _is_certificate(label) or label.endswith("KEY")]
    if not blocks:
        raise BadCertificates(f"No PEM data in {name}")
    if _is_certificate(blocks[0][0]):
        raise BadCertificates(f"error loading chain from {name}: key not first")
    pairs: list[KeyPair] = []
    while blocks:
        (_, key), blocks = blocks[0], blocks[1:]
        count = next((at for at, (label, _) in enumerate(blocks) if not _is_certificate(label)), len(blocks))
        index = len(pairs) + 1
        if not count and not blocks:
            raise BadCertificates(f"No certs for key at index {index} in {name}")
        if not count:
            raise BadCertificates(
                f"error loading certificate chain: key at index {index} in {name} not followed by a certificate"
            )
        pairs.append(_pair(key, [block for _, block in blocks[:count]], index, name))
        blocks = blocks[count:]
    return pairs


def _pair(key_block: bytes, chain: list[bytes], index: int, name: str) -> KeyPair:
    try:
        key = load_pem_private_key(key_block, None)
        certificate = x509.load_pem_x509_certificate(chain[0])
        for block in chain[1:]:
            x509.load_pem_x509_certificate(block)
    except (ValueError, TypeError) as error:
        raise BadCertificates(f"error loading chain from {name}: {str(error).splitlines()[0]}") from None
    if not _belong_together(key, certificate):
        raise BadCertificates(f"key at index {index} in {name} does not match next certificate")
    return KeyPair(key, b"".join(chain))


def install(context: SSL.Context, pairs: Iterable[KeyPair]) -> None:
    """Put key pairs into a context, each with its own chain; one for each type of key.

    :raise BadCertificates: OpenSSL does not take one.
    """
    for pair in pairs:
        # Only from a file does OpenSSL take a chain that belongs to one certificate of several. It holds nothing secret.
        with tempfile.NamedTemporaryFile(prefix="chain-", suffix=".pem") as file:
            file.write(pair.chain)
            file.flush()
            try:
                context.use_certificate_chain_file(file.name)
                context.use_privatekey(pair.key)
            except (SSL.Error, TypeError) as error:
                raise BadCertificates("OpenSSL refuses a key or certificate: " + str(error)) from None


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_MOST_OCTETS)
    except OSError as error:
        raise BadCertificates(f"error opening chain file: {path}: {os.strerror(error.errno or 0)}") from None


def _blocks(text: bytes) -> list[tuple[str, bytes]]:
    return [
        (found.group(1).decode("ascii"), found.group().rstrip(b"\r\n") + b"\n")
        for found in _BLOCK.finditer(text.replace(b"\r\n", b"\n"))
    ]


def _is_certificate(label: str) -> bool:
    return label.endswith("CERTIFICATE")


def _belong_together(key: Any, certificate: x509.Certificate) -> bool:
    return bool(key.public_key() == certificate.public_key())


def _library_problem(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"TLS library problem: {lines[0] if lines else type(error).__name__}"
