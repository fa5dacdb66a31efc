"""Chain files and pairs: what is taken, and in what words the rest is refused."""

import pytest
from certificates import both, chain_pem, key_pem
from OpenSSL import SSL

from mailer.tls.certificates import BadCertificates, install, parse_chain, read_chain_files, read_pair

RSA, EC = both("mx.test", "rsa"), both("mx.test")


def refused(text):
    with pytest.raises(BadCertificates) as caught:
        parse_chain(text, "x.pem")
    return caught.value.warnings


def test_a_chain_file_may_hold_several_keys_each_with_its_chain():
    first, second = parse_chain(RSA + chain_pem("Issuer") + b"some text\n" + EC.replace(b"\n", b"\r\n"), "x.pem")
    assert first.chain.count(b"BEGIN CERTIFICATE") == 2 and second.chain.count(b"BEGIN CERTIFICATE") == 1
    context = SSL.Context(SSL.TLS_METHOD)
    install(context, [first, second])


@pytest.mark.parametrize(
    "text, warning",
    [
        (b"hi\n", "No PEM data in x.pem"),
        (chain_pem("mx.test"), "error loading chain from x.pem: key not first"),
        (key_pem(), "No certs for key at index 1 in x.pem"),
        (
            key_pem() + EC,
            "error loading certificate chain: key at index 1 in x.pem not followed by a certificate",
        ),
        (key_pem() + chain_pem("mx.test", "rsa"), "key at index 1 in x.pem does not match next certificate"),
        (RSA + key_pem(), "No certs for key at index 2 in x.pem"),
    ],
)
def test_what_is_wrong_with_a_chain_is_said_as_postfix_does(text, warning):
    assert refused(text) == (warning,)


def test_damaged_pem_is_refused():
    damaged = EC.replace(EC.splitlines()[1], b"A" * 64, 1)
    (warning,) = refused(damaged)
    assert warning.startswith("error loading chain from x.pem: ")


def test_files(tmp_path):
    chain, key, certificate = tmp_path / "chain", tmp_path / "key", tmp_path / "cert"
    chain.write_bytes(RSA), key.write_bytes(key_pem()), certificate.write_bytes(chain_pem("mx.test"))
    assert len(read_chain_files([str(chain), str(chain)])) == 2
    assert read_pair(str(certificate), str(key), "ECDSA").chain == chain_pem("mx.test")
    assert read_pair(str(chain), str(chain), "RSA").chain == chain_pem("mx.test", "rsa")


def test_what_is_wrong_with_files_is_said_as_postfix_does(tmp_path):
    key, certificate, missing = tmp_path / "key", tmp_path / "cert", str(tmp_path / "missing")
    key.write_bytes(key_pem("ec", 5)), certificate.write_bytes(chain_pem("mx.test"))
    with pytest.raises(BadCertificates) as caught:
        read_chain_files([missing])
    assert caught.value.warnings == (
        f"error opening chain file: {missing}: No such file or directory",
        f"error loading private keys and certificates from: {missing}: disabling TLS support",
    )
    with pytest.raises(BadCertificates) as caught:
        read_pair(str(certificate), str(key), "ECDSA")
    assert caught.value.warnings == (
        f'cannot get ECDSA private key from file "{key}": disabling TLS support',
        "TLS library problem: error:05800074:x509 certificate routines::key values mismatch:",
    )
    with pytest.raises(BadCertificates) as caught:
        read_pair(str(key), str(key), "RSA")
    assert caught.value.warnings == (f'cannot get RSA certificate from file "{key}": disabling TLS support',)


def test_a_key_of_another_kind_than_its_certificate(tmp_path):
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(chain_pem("a.test", "rsa"))
    key.write_bytes(key_pem("ec"))
    with pytest.raises(BadCertificates) as caught:
        read_pair(str(certificate), str(key), "RSA")
    assert caught.value.warnings == (
        f"RSA private key in {key} does not match public key in {certificate}: disabling TLS support",
    )
