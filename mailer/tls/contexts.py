"""What server and client contexts have in common: protocols, ciphers, options, whom to trust, how to look at the peer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cryptography import x509
from OpenSSL import SSL, crypto

from mailer.tls.ciphers import cipher_list
from mailer.tls.layer import problems_of
from mailer.tls.protocols import BadProtocols, parse_protocols

__all__ = ["CannotUseTls", "new_context", "note_verification", "option_bits", "trust"]

#: tls_ssl_options, as numbers of OpenSSL's.
_OPTIONS = {
    "ENABLE_KTLS": 1 << 3,
    "LEGACY_SERVER_CONNECT": 1 << 2,
    "NO_COMPRESSION": 1 << 17,
    "NO_ENCRYPT_THEN_MAC": 1 << 19,
    "NO_RENEGOTIATION": 1 << 30,
    "NO_SESSION_RESUMPTION_ON_RENEGOTIATION": 1 << 16,
    "NO_TICKET": 1 << 14,
    "PRIORITIZE_CHACHA": 1 << 21,
    "TLSEXT_PADDING": 1 << 4,
}


class CannotUseTls(Exception):
    """A setting stands in the way of TLS; ``lines`` are ``(severity, text)`` for the log."""

    def __init__(self, *lines: tuple[str, str]) -> None:
        super().__init__(lines[0][1])
        self.lines = lines


def option_bits(words: Iterable[str]) -> int:
    """The value of tls_ssl_options: names or a hexadecimal mask. :raise CannotUseTls:"""
    bits = 0
    for word in words:
        if word.upper() in _OPTIONS:
            bits |= _OPTIONS[word.upper()]
            continue
        try:
            bits |= int(word, 16)
        except ValueError:
            raise CannotUseTls(("warning", f'unknown tls_ssl_options value "{word}"')) from None
    return bits


def new_context(
    settings: Any,
    protocols: tuple[str, ...],
    grade: str,
    excluded: Iterable[str],
    ending: str = ": disabling TLS support",
) -> SSL.Context:
    """:param ending: what a wrong protocol list leads to, for the log. :raise CannotUseTls:"""
    context = SSL.Context(SSL.TLS_METHOD)
    text = " ".join(protocols)
    try:
        parse_protocols(protocols).restrict(context)
    except (BadProtocols, SSL.Error):
        raise CannotUseTls(("warning", f'Invalid TLS protocol list "{text}"{ending}')) from None
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_SSLv3)
    context.set_options(option_bits(settings.tls_ssl_options))
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    try:
        context.set_cipher_list(cipher_list(settings, grade, excluded).encode("ascii"))
    except (SSL.Error, KeyError, UnicodeError):
        raise CannotUseTls(("warning", f'invalid cipher grade: "{grade}"')) from None
    return context


def trust(context: SSL.Context, ca_file: str, ca_path: str, system: bool) -> None:
    """Whose certificates count as trusted. :param system: tls_append_default_CA. :raise CannotUseTls:"""
    if ca_file or ca_path:
        try:
            context.load_verify_locations(ca_file or None, ca_path or None)
        except SSL.Error as error:
            shown = ", ".join(
                f'{name}="{value}"' for name, value in (("CAfile", ca_file), ("CApath", ca_path)) if value
            )
            summary = f"cannot load Certification Authority data, {shown}: disabling TLS support"
            problems = problems_of(error)
            raise CannotUseTls(("info", summary), *(("warning", problem) for problem in problems)) from None
    if system:
        context.set_default_verify_paths()


def note_verification(connection: Any, certificate: crypto.X509, error: int, depth: int, fine: int) -> bool:
    """A verification callback that lets everybody through and keeps the first problem: what follows from it is for the
    level to say, and after the handshake there is somebody to tell."""
    if not fine:
        connection.get_app_data().setdefault("problem", _problem(error, certificate))
    return True


def _problem(error: int, certificate: crypto.X509) -> str:
    if error in (2, 19, 20, 21):  # the issuer, or the issuer's issuer, is not to be had or not one of ours
        return f"untrusted issuer {_one_line(certificate.to_cryptography().issuer)}"
    if error in _WELL_KNOWN:
        return _WELL_KNOWN[error]
    return f"num={error}:{_VERIFY_TEXTS.get(error, 'certificate verification error')}"


def _one_line(name: x509.Name) -> str:
    """``/O=y/CN=x``"""
    return "".join(f"/{part.rfc4514_attribute_name}={part.value!s}" for part in name)


_WELL_KNOWN = {9: "certificate not yet valid", 10: "certificate has expired", 18: "self-signed certificate"}
#: In OpenSSL's words.
_VERIFY_TEXTS = {
    7: "certificate signature failure",
    22: "certificate chain too long",
    23: "certificate revoked",
    24: "invalid CA certificate",
    25: "path length constraint exceeded",
    26: "unsupported certificate purpose",
    27: "certificate not trusted",
    28: "certificate rejected",
    66: "EE certificate key too weak",
    67: "CA certificate key too weak",
    68: "CA signature digest algorithm too weak",
    79: "invalid CA certificate",
}
