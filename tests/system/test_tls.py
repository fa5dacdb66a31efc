"""TLS over real sockets: other people's clients against our server, our client against theirs."""

import os
import signal
import smtplib
import socket
import ssl
import subprocess

import pytest
from certificates import authority, both
from peers import free_port, need, wait_until

OUR_NAMES = ("mx.example.test", "localhost")


@pytest.fixture
def keys(directory):
    """Paths of chain files, and of the authority behind them."""
    place = directory / "keys"
    place.mkdir()
    for name, content in (
        ("server", both("mx.example.test", "rsa", names=OUR_NAMES)),
        ("client", both("client.test", number=1)),
        ("ca", authority()),
    ):
        (place / f"{name}.pem").write_bytes(content)
    return place


def settings(keys, **more):
    lines = {
        "smtpd_tls_security_level": "may",
        "smtpd_tls_chain_files": keys / "server.pem",
        "smtpd_tls_CAfile": keys / "ca.pem",
        "smtpd_tls_loglevel": "1",
        "smtpd_tls_received_header": "yes",
        **more,
    }
    return "".join(f"{name} = {value}\n" for name, value in lines.items())


def trusting(keys):
    return ssl.create_default_context(cafile=str(keys / "ca.pem"))


def test_smtplib_trusts_our_certificate_and_delivers(mta, keys):
    server = mta(settings(keys))
    with smtplib.SMTP("localhost", server.port, local_hostname="client.test", timeout=20) as client:
        client.starttls(context=trusting(keys))
        client.sendmail("sender@example.test", ["you@example.test"], "Subject: x\r\n\r\nhello\r\n" + "y" * 900_000)
    (content,) = server.wait_for_mail("you")
    assert b"\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n" in content
    assert b"server-signature RSA-PSS (2048 bits) server-digest SHA256)\n" in content
    assert b" with ESMTPS id " in content and len(content) > 900_000
    server.wait_for_log(
        "postfix/smtpd[", "Anonymous TLS connection established from localhost[127.0.0.1]: TLSv1.3 with "
    )


def test_wrapper_mode(mta, keys):
    port = free_port()
    server = mta(settings(keys), f"127.0.0.1:{port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n")
    with smtplib.SMTP_SSL("localhost", port, context=trusting(keys), timeout=20) as client:
        client.sendmail("sender@example.test", ["you@example.test"], "Subject: x\r\n\r\nhello\r\n")
    server.wait_for_mail("you")


def test_swaks(mta, keys):
    server = mta(settings(keys))
    common = [
        need("swaks"),
        "--server",
        f"127.0.0.1:{server.port}",
        "--from",
        "a@example.test",
        "--to",
        "you@example.test",
    ]
    done = subprocess.run([*common, "--tls"], capture_output=True, timeout=60, text=True)
    assert done.returncode == 0 and "=== TLS started" in done.stdout, done.stdout + done.stderr
    server.wait_for_mail("you")


def test_openssl_s_client(mta, keys):
    server = mta(settings(keys))
    client = subprocess.run(
        [need("openssl"), "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{server.port}", "-brief",
         "-CAfile", keys / "ca.pem", "-verify_return_error", "-verify_hostname", "mx.example.test"],
        input=b"QUIT\r\n", capture_output=True, timeout=60,
    )  # fmt: skip
    said = client.stderr + client.stdout
    assert b"Verification: OK" in said and b"Protocol version: TLSv1.3" in said, said


def test_sessions_are_resumed(mta, keys, directory):
    server = mta(settings(keys))
    saved = directory / "session"
    common = [need("openssl"), "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{server.port}"]

    def run(*options):
        process = subprocess.Popen(
            [*common, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            # A ticket comes behind the handshake: wait for the reply to a command before leaving.
            process.stdin.write(b"NOOP\r\n")
            process.stdin.flush()
            said = b""
            while b"250 2.0.0 Ok" not in said and (line := process.stdout.readline()):
                said += line
            return said + process.communicate(b"QUIT\r\n", 30)[0]
        finally:
            process.kill()

    run("-sess_out", saved)
    assert b"Reused, TLSv1.3" in run("-sess_in", saved)

    def lines():
        return [line for line in server.log().splitlines() if "TLS connection established" in line]

    wait_until(lambda: len(lines()) == 2, what="both log lines")
    assert "server-digest" in lines()[0] and "server-digest" not in lines()[1]


def test_posttls_finger_verifies_us(mta, keys):
    server = mta(settings(keys, smtpd_tls_security_level="encrypt"))
    done = subprocess.run(
        [need("posttls-finger"), "-c", "-h", "native", "-l", "verify", "-F", keys / "ca.pem",
         f"[localhost]:{server.port}", "mx.example.test"],
        capture_output=True, timeout=60, text=True,
    )  # fmt: skip
    assert "Verified TLS connection established to localhost[127.0.0.1]" in done.stdout + done.stderr


@pytest.mark.parametrize("injected", [b"RSET\r\nMAIL FROM:<evil@x.test>\r\n", b"NOOP", b"EHLO evil\r\n"])
def test_injected_plaintext_is_not_obeyed(mta, keys, injected):
    server = mta(settings(keys))
    with socket.create_connection(("127.0.0.1", server.port), 10) as sock:
        stream = sock.makefile("rb")
        assert stream.readline().startswith(b"220")
        sock.sendall(b"EHLO client.test\r\n")
        while not stream.readline().startswith(b"250 "):
            pass
        sock.sendall(b"STARTTLS\r\n" + injected)
        assert stream.readline() == b"220 2.0.0 Ready to start TLS\r\n"
        with trusting(keys).wrap_socket(sock, server_hostname="localhost") as encrypted:
            encrypted.sendall(b"RCPT TO:<you@example.test>\r\n")
            assert encrypted.recv(4096) == b"503 5.5.1 Error: need MAIL command\r\n"


def test_a_renewed_certificate_is_used_without_restart_and_no_handshake_fails(mta, keys):
    server = mta(settings(keys))

    def shown():
        with server.smtp() as client:
            client.starttls(context=_any())
            return client.sock.getpeercert(True)

    first = shown()
    (keys / "server.pem").write_bytes(b"half")
    wait_until(lambda: shown() == first and "No PEM data in" in server.log(), what="the refusal of half a file")
    renewed = both("mx.example.test", "rsa", names=OUR_NAMES, days=60)
    (keys / "new.pem").write_bytes(renewed)
    os.replace(keys / "new.pem", keys / "server.pem")
    wait_until(lambda: shown() != first, what="the new certificate")
    server.wait_for_log("the server's certificates were read anew")


def _any():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def test_a_reload_keeps_encrypted_sessions(mta, keys):
    server = mta(settings(keys))
    with server.smtp() as client:
        client.starttls(context=_any())
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log("reload -- configuration")
        assert client.noop()[0] == 250


def test_ours_to_ours_verified(mta, keys):
    receiver = mta(settings(keys, smtpd_tls_ask_ccert="yes"))
    port = receiver.port
    sender = mta(
        f"relayhost = [localhost]:{port}\nsmtp_host_lookup = native\nsmtp_tls_security_level = secure\n"
        f"smtp_tls_CAfile = {keys / 'ca.pem'}\nsmtp_tls_chain_files = {keys / 'client.pem'}\nsmtp_tls_loglevel = 1\n"
        "virtual_mailbox_domains =\n"
    )
    sender.send(["you@example.test"])
    (content,) = receiver.wait_for_mail("you")
    assert b'(Client CN "client.test", Issuer "Test CA" (verified OK))' in content
    line = sender.wait_for_log("postfix/smtp[", "Verified TLS connection established to localhost[127.0.0.1]")
    assert "server-signature RSA-PSS (2048 bits) server-digest SHA256 client-signature ECDSA (prime256v1)" in line


def test_ours_to_postfix(mta, keys, directory, postfix):
    peer = postfix(settings(keys, smtpd_tls_ask_ccert="yes", smtpd_tls_security_level="encrypt"))
    sender = mta(
        f"relayhost = [localhost]:{peer.port}\nsmtp_host_lookup = native\nsmtp_tls_security_level = verify\n"
        f"smtp_tls_CAfile = {keys / 'ca.pem'}\nsmtp_tls_chain_files = {keys / 'client.pem'}\nsmtp_tls_loglevel = 1\n"
    )
    sender.send(["all@postfix.test"], "Subject: x\r\n\r\n" + ("z" * 70 + "\r\n") * 5000)
    (content,) = peer.wait_for_mail()
    assert b"(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)" in content
    assert b'(Client CN "client.test", Issuer "Test CA" (verified OK))' in content
    # What Postfix says of the connection is what we say of it.
    theirs = next(line for line in peer.log().splitlines() if "Trusted TLS connection established from" in line)
    ours = sender.wait_for_log("Verified TLS connection established to localhost[127.0.0.1]")
    assert theirs.partition("]: TLSv1.3")[2] == ours.rpartition(": TLSv1.3")[2]


def test_postfix_to_ours(mta, keys, postfix):
    receiver = mta(settings(keys))
    peer = postfix(
        f"relayhost = [localhost]:{receiver.port}\nsmtp_host_lookup = native\nsmtp_tls_security_level = verify\n"
        f"smtp_tls_CAfile = {keys / 'ca.pem'}\nsmtp_tls_loglevel = 1\n"
    )
    with smtplib.SMTP("127.0.0.1", peer.port, timeout=20) as client:
        client.sendmail("a@postfix.test", ["you@example.test"], "Subject: x\r\n\r\nx\r\n")
    receiver.wait_for_mail("you")
    assert "Verified TLS connection established to localhost[127.0.0.1]" in peer.log()


@pytest.mark.parametrize("layout", ["processes"], indirect=True)
def test_keys_that_daemons_cannot_read_are_renewed_by_replacing_them(mta, keys):
    """The usual permissions of keys: only root can read them, so a daemon that has given up root cannot."""
    server = mta(settings(keys))
    keys.chmod(0o700)

    def shown():
        with server.smtp() as client:
            client.starttls(context=_any())
            return client.sock.getpeercert(True)

    first = shown()
    with server.smtp() as old:
        old.starttls(context=_any())
        (keys / "server.pem").write_bytes(b"half")
        wait_until(
            lambda: shown() == first and "TLS keys in use stay in use" in server.log(), what="a refusal", seconds=30
        )
        assert "No PEM data in" in server.log() and "454" not in server.log()
        (keys / "new.pem").write_bytes(both("mx.example.test", "rsa", names=OUR_NAMES, days=61))
        os.replace(keys / "new.pem", keys / "server.pem")
        wait_until(lambda: shown() != first, what="the new certificate", seconds=30)  # and no handshake fails meanwhile
        server.wait_for_log("postfix/master[", "TLS keys have changed: the daemons were replaced")
        assert old.noop()[0] == 250


def test_a_client_resumes_sessions(mta, keys):
    receiver = mta(settings(keys))
    sender = mta(
        f"relayhost = [localhost]:{receiver.port}\nsmtp_host_lookup = native\nsmtp_tls_security_level = encrypt\n"
        "smtp_tls_loglevel = 2\nsmtp_tls_session_cache_database = btree:${data_directory}/smtp_scache\n"
        "virtual_mailbox_domains =\n"
    )
    for count in (1, 2):
        sender.send(["you@example.test"])
        receiver.wait_for_mail("you", count)
    sender.wait_for_log("postfix/smtp[", f"localhost[127.0.0.1]:{receiver.port}: Reusing old session")
