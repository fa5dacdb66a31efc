"""Keys and certificates for tests, made once for a run: an authority, and whoever it vouches for."""

from __future__ import annotations

import datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@cache
def key(kind="ec", number=0):
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1())


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(name, kind="ec", names=(), issuer="Test CA", authority=False, days=30, number=0):
    """The same for the same arguments. :param issuer: "" for a self-signed one. :param days: until it expires, or since."""
    return _certificate(name, kind, names, issuer, authority, days, number)


@cache
def _certificate(name, kind, names, issuer, authority, days, number):
    own = key(kind, number)
    signer = key("ec", issuer) if issuer else own
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer or name))
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=60))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(authority, None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
    )
    if authority:
        usage = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        builder = builder.add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **usage), True
        )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), False)
    return builder.sign(signer, hashes.SHA256())


@cache
def authority():
    """The certificate of Test CA, PEM."""
    return certificate("Test CA", issuer="", authority=True, number="Test CA").public_bytes(Encoding.PEM)


def key_pem(kind="ec", number=0):
    return key(kind, number).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def chain_pem(name, kind="ec", **more):
    return certificate(name, kind, **more).public_bytes(Encoding.PEM)


def both(name, kind="ec", **more):
    """A chain file's content."""
    return key_pem(kind, more.get("number", 0)) + chain_pem(name, kind, **more)
