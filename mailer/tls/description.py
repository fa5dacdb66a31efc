"""What an established connection turned out to be, as a TlsSession."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from mailer.message.tls import TlsSession
from mailer.tls.native import group_name, resumed

__all__ = [
    "Signatures",
    "common_name",
    "describe",
    "digest_algorithm",
    "fingerprint",
    "key_fingerprint",
    "not_verified",
    "organization",
]

_ELLIPTIC = {"secp256r1": "prime256v1", "prime256v1": "prime256v1", "secp384r1": "secp384r1", "secp521r1": "secp521r1"}
_OTHER_GROUPS = {"x25519": "X25519", "x448": "X448"}
#: TLSv1.3 binds each curve to one digest.
_CURVE_DIGESTS = {"prime256v1": "SHA256", "secp384r1": "SHA384", "secp521r1": "SHA512"}


def digest_algorithm(name: str) -> hashes.HashAlgorithm | None:
    """Of a fingerprint parameter (``sha256``); None: there is no such one."""
    kind = getattr(hashes, name.replace("-", "").upper(), None) if name.replace("-", "").isalnum() else None
    return kind() if isinstance(kind, type) and issubclass(kind, hashes.HashAlgorithm) else None


def fingerprint(octets: bytes, algorithm: hashes.HashAlgorithm) -> str:
    digest = hashes.Hash(algorithm)
    digest.update(octets)
    return digest.finalize().hex(":").upper()


def key_fingerprint(certificate: x509.Certificate, algorithm: hashes.HashAlgorithm) -> str:
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return fingerprint(key, algorithm)


Signatures = dict[int, tuple[str, str]]


def describe(
    connection: SSL.Connection, server: bool, requested: bool, algorithm: hashes.HashAlgorithm, own: Signatures
) -> TlsSession:
    """What is known of an established connection.

    :param server: whether we are the server. :param requested: whether it asked for a certificate.
    :param algorithm: of fingerprints. :param own: kept by the caller: how our certificates sign, by serial number; to
        parse one anew takes a tenth of a handshake's time.
    """
    protocol = connection.get_protocol_version_name()
    found: dict[str, Any] = {}
    peer = connection.get_peer_certificate()
    certificate = peer.to_cryptography() if peer is not None else None
    again = resumed(connection)
    if protocol == "TLSv1.3":
        found["key_exchange"] = _key_exchange(group_name(connection))
        ours = _own_signature(connection, own)
        theirs = _signature(certificate) if certificate is not None else ("", "")
        for side, (kind, digest) in ("server", ours if server else theirs), ("client", theirs if server else ours):
            if side == "server" or requested and not again:
                # In a session that is resumed nothing is signed again.
                found[f"{side}_signature"], found[f"{side}_digest"] = kind, "" if again else digest
    if certificate is not None:
        found.update(_of_peer(certificate, algorithm))
        # Nothing is verified anew when a session is resumed: what was found the first time has to be remembered.
        known = connection.get_app_data()
        problem = known.get("remembered", "resumed session") if again else known.get("problem", "")
        found.update(trusted=not problem, problem=problem)
    return TlsSession(
        protocol, connection.get_cipher_name() or "", connection.get_cipher_bits() or 0,
        resumed=again, requested=requested, server_name=connection.get_app_data().get("server_name", ""), **found,
    )  # fmt: skip


def _own_signature(connection: SSL.Connection, own: Signatures) -> tuple[str, str]:
    certificate = connection.get_certificate()
    if certificate is None:
        return "", ""
    serial = certificate.get_serial_number()
    known = own.get(serial)
    if known is None:
        known = own[serial] = _signature(certificate.to_cryptography())
    return known


def _of_peer(certificate: x509.Certificate, algorithm: hashes.HashAlgorithm) -> dict[str, Any]:
    return {
        "presented": True,
        "subject": common_name(certificate.subject),
        "issuer": common_name(certificate.issuer) or organization(certificate.issuer),
        "fingerprint": fingerprint(certificate.public_bytes(Encoding.DER), algorithm),
        "pubkey_fingerprint": key_fingerprint(certificate, algorithm),
    }


def _key_exchange(group: str) -> str:
    name = group.lower()
    if name in _ELLIPTIC:
        return f"ECDHE ({_ELLIPTIC[name]})"
    if name.startswith("ffdhe"):
        return f"DHE ({name[5:]} bits)"
    return _OTHER_GROUPS.get(name, group)


def _signature(certificate: x509.Certificate) -> tuple[str, str]:
    """With what a TLSv1.3 peer of this certificate signs.

    An RSA key may sign with several digests; SHA256 is what TLS libraries put first, and the one that is not told apart.
    """
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA-PSS ({key.key_size} bits)", "SHA256"
    if isinstance(key, ec.EllipticCurvePublicKey):
        curve = _ELLIPTIC.get(key.curve.name, key.curve.name)
        return f"ECDSA ({curve})", _CURVE_DIGESTS.get(curve, "")
    if isinstance(key, dsa.DSAPublicKey):
        return f"DSA ({key.key_size} bits)", ""
    return type(key).__name__.lstrip("_").removesuffix("PublicKey"), ""


#: What is said with the peer's role in front.
_WITH_ROLE = ("num=", "certificate has expired", "certificate not yet valid")


def not_verified(role: str, peer: str, problem: str) -> str:
    """For the log. :param role: what the peer is: ``client`` or ``server``."""
    prefix = f"{role} " if problem.startswith(_WITH_ROLE) else ""
    return f"{prefix}certificate verification failed for {peer}: {problem}"


def common_name(name: x509.Name) -> str:
    return _attribute(name, NameOID.COMMON_NAME)


def organization(name: x509.Name) -> str:
    return _attribute(name, NameOID.ORGANIZATION_NAME)


def _attribute(name: x509.Name, kind: Any) -> str:
    """The first of its kind, if it can be shown; a NUL or control character in a name is a trick, not a name."""
    values = name.get_attributes_for_oid(kind)
    value = values[0].value if values else ""
    text = value if isinstance(value, str) else value.decode("utf-8", "replace")
    return text if text.isprintable() else ""
