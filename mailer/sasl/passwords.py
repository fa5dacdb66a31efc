"""Stored passwords: is this the password that a hash was made from?

A stored value is ``{SCHEME}text`` as Dovecot has it, or a modular crypt string (``$2b$...``, ``$argon2id$...``, ``$6$...``).
Libraries do the work: bcrypt (PyCA) for bcrypt, argon2-cffi for Argon2, libpass (the kept fork of passlib) for SHA-crypt;
they come with the extra ``passwords``. Python itself is enough for PBKDF2, salted SHA, SCRAM keys and the clear text.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

from mailer.sasl.client_prepare import prepared
from mailer.sasl.scramserver import ScramKeys, parse_keys

__all__ = ["BadStored", "clear_text", "matches", "preload", "scram_keys"]

_LONGEST = 4096
_LIBRARIES = ("bcrypt", "argon2", "argon2.exceptions", "passlib.handlers.sha2_crypt", "passlib.hash")
_MOST_ROUNDS = 10_000_000
_SCHEME = re.compile(r"\{([A-Za-z0-9_.-]+)\}(.*)", re.DOTALL).fullmatch
_CLEAR = ("PLAIN", "CLEAR", "CLEARTEXT")


class BadStored(ValueError):
    """The stored value cannot be used; the text says why and does not repeat it."""


def preload() -> None:
    """Import what is installed of the libraries: after a chroot it would be too late."""
    for name in _LIBRARIES:
        with suppress(ImportError):
            import_module(name)


def matches(stored: str, password: bytes) -> bool:
    """Takes as long as the hash wants: up to seconds. :raise BadStored:"""
    scheme, text = _split(stored)
    verify = _SCHEMES.get(scheme)
    if verify is None:
        raise BadStored(f"unknown password scheme {scheme}")
    if len(password) > _LONGEST or not password:
        return False
    try:
        return verify(text, password)
    except ImportError as error:
        raise BadStored(
            f"scheme {scheme} needs the Python package {error.name}: pip install mailer[passwords]"
        ) from error
    except BadStored:
        raise
    except ValueError:  # some libraries repeat the hash in the message
        raise BadStored(f"malformed {scheme} value") from None


def clear_text(stored: str) -> bytes | None:
    """The password itself, for mechanisms that need it; None if only a hash is there."""
    scheme, text = _split(stored)
    return _octets(text) if scheme in _CLEAR else None


def scram_keys(stored: str, mechanism: str) -> ScramKeys | None:
    """The keys of a ``{SCRAM-SHA-256}`` value; None for another one. :raise BadStored:"""
    scheme, text = _split(stored)
    if scheme != mechanism:
        return None
    try:
        return parse_keys(text)
    except ValueError:
        raise BadStored(f"malformed {scheme} value") from None


def _split(stored: str) -> tuple[str, str]:
    found = _SCHEME(stored)
    if found:
        return found[1].upper(), found[2]
    for prefix, scheme in _PREFIXES:
        if stored.startswith(prefix):
            return scheme, stored
    raise BadStored("no password scheme: {SCHEME}text or a crypt(3) string expected")


_PREFIXES = (("$2", "BLF-CRYPT"), ("$argon2", "ARGON2"), ("$5$", "SHA256-CRYPT"), ("$6$", "SHA512-CRYPT"))


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# Verifiers: what stands behind the scheme, and the password. They raise ValueError for what makes no sense.


def _clear(text: str, password: bytes) -> bool:
    return hmac.compare_digest(_octets(text), password)


def _bcrypt(text: str, password: bytes) -> bool:
    import bcrypt

    # bcrypt looks at 72 octets; longer passwords were cut when the hash was made, too.
    return bcrypt.checkpw(password[:72], _octets(text.replace("$2y$", "$2b$", 1)))


def _argon2(text: str, password: bytes) -> bool:
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHash, VerificationError

    try:
        return PasswordHasher().verify(text, password)
    except InvalidHash:
        raise ValueError("argon2") from None
    except VerificationError:
        return False


def _sha256_crypt(text: str, password: bytes) -> bool:
    from passlib.hash import sha256_crypt

    return b"\0" not in password and bool(sha256_crypt.verify(password, text))


def _sha512_crypt(text: str, password: bytes) -> bool:
    from passlib.hash import sha512_crypt

    return b"\0" not in password and bool(sha512_crypt.verify(password, text))


def _crypt(text: str, password: bytes) -> bool:
    scheme, text = _split(text)
    return _SCHEMES[scheme](text, password)


def _digest(name: str, salted: bool) -> Callable[[str, bytes], bool]:
    size = hashlib.new(name).digest_size

    def verify(text: str, password: bytes) -> bool:
        value = _decoded(text)
        if len(value) < size or (not salted and len(value) != size):
            raise ValueError(name)
        return hmac.compare_digest(hashlib.new(name, password + value[size:]).digest(), value[:size])

    return verify


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("base64") from error


def _pbkdf2(text: str, password: bytes) -> bool:
    """Dovecot's form: ``$1$salt$rounds$hex`` over SHA-1."""
    empty, version, salt, rounds, digest = text.split("$")
    if empty or version != "1" or not 0 < int(rounds) <= _MOST_ROUNDS:
        raise ValueError("pbkdf2")
    expected = bytes.fromhex(digest)
    return hmac.compare_digest(
        hashlib.pbkdf2_hmac("sha1", password, _octets(salt), int(rounds), len(expected)), expected
    )


def _scram(digest: str) -> Callable[[str, bytes], bool]:
    def verify(text: str, password: bytes) -> bool:
        keys = parse_keys(text)
        normal = _octets(prepared(password.decode("utf-8", "surrogateescape")))
        salted = hashlib.pbkdf2_hmac(digest, normal, keys.salt, keys.iterations)
        return hmac.compare_digest(hmac.new(salted, b"Server Key", digest).digest(), keys.server)

    return verify


_SCHEMES: dict[str, Callable[[str, bytes], bool]] = {
    **dict.fromkeys(_CLEAR, _clear),
    **dict.fromkeys(("BLF-CRYPT", "BCRYPT"), _bcrypt),
    **dict.fromkeys(("ARGON2", "ARGON2I", "ARGON2ID"), _argon2),
    "SHA256-CRYPT": _sha256_crypt,
    "SHA512-CRYPT": _sha512_crypt,
    "CRYPT": _crypt,
    "SHA": _digest("sha1", False),
    "SSHA": _digest("sha1", True),
    "SHA256": _digest("sha256", False),
    "SSHA256": _digest("sha256", True),
    "SHA512": _digest("sha512", False),
    "SSHA512": _digest("sha512", True),
    "PBKDF2": _pbkdf2,
    "SCRAM-SHA-1": _scram("sha1"),
    "SCRAM-SHA-256": _scram("sha256"),
}
