"""The whole way, through the real server: in over SMTP or sendmail, out to a Maildir or another server, reports back."""

import email
import os
import signal
import socket
import subprocess
import sys

import pytest
from peers import LAYOUTS, need, wait_until

both = pytest.mark.parametrize("layout", LAYOUTS, indirect=True)


@both
def test_smtp_to_maildir(mta):
    server = mta()
    server.send(["you+tag@example.test"])
    (content,) = server.wait_for_mail("you")
    message = email.message_from_bytes(content)
    assert message["Delivered-To"] == "you+tag@example.test"
    assert message["Return-Path"] == "<sender@example.test>"
    assert message["Subject"] == "test"
    assert message.get_payload() == "hello\n"
    assert "by mx.example.test" in message["Received"]
    server.wait_for_log("postfix/qmgr[", ": removed")
    line = server.wait_for_log("postfix/virtual[", "to=<you+tag@example.test>")
    assert "relay=virtual" in line and "dsn=2.0.0" in line and "status=sent (delivered to maildir)" in line


@both
def test_relay_to_another_server(mta, sink):
    peer = sink()
    server = mta(f"relayhost = [127.0.0.1]:{peer.port}\n")
    server.send(["a@elsewhere.test", "b@elsewhere.test"])
    wait_until(lambda: peer.messages, what="the relayed message")
    mail, rcpts, content = peer.messages[0]
    assert mail.startswith(b"FROM:<sender@example.test>")
    assert [rcpt.split()[0] for rcpt in rcpts] == [b"TO:<a@elsewhere.test>", b"TO:<b@elsewhere.test>"]
    assert content.endswith(b"\r\n\r\nhello\r\n")
    assert "status=sent (250 2.0.0 Ok: queued as SINK)" in server.wait_for_log("to=<b@elsewhere.test>")


@both
def test_sendmail_from_the_command_line(mta):
    server = mta()
    server.tool(
        "sendmail", "-f", "me@example.test", "-t", input=b"To: you@example.test\nSubject: hi\n\n.body\n.\nnot this\n"
    )
    (content,) = server.wait_for_mail("you")
    message = email.message_from_bytes(content)
    assert message["From"] == "me@example.test" or "me@example.test" in message["From"]
    assert message["Message-Id"] and message["Date"]
    assert message.get_payload() == ".body\n"
    assert "userid" in message["Received"]


def test_mail_left_while_the_server_was_down_is_picked_up(mta):
    server = mta()
    server.stop()
    server.tool("sendmail", "you@example.test", input=b"Subject: waiting\n\nx\n")
    server.start()
    (content,) = server.wait_for_mail("you")
    assert b"Subject: waiting" in content


@both
def test_a_refused_recipient_bounces(mta, sink):
    peer = sink({"RCPT": b"550 5.1.1 no such user"})
    server = mta(f"relayhost = [127.0.0.1]:{peer.port}\n")
    server.send(["nobody@elsewhere.test"])
    (content,) = server.wait_for_mail("sender")
    report = email.message_from_bytes(content)
    assert report.get_content_type() == "multipart/report"
    assert report["Subject"] == "Undelivered Mail Returned to Sender"
    status = report.get_payload(1).as_string()
    assert "Final-Recipient: rfc822; nobody@elsewhere.test" in status
    assert "Status: 5.1.1" in status and "Action: failed" in status
    assert "status=bounced" in server.wait_for_log("to=<nobody@elsewhere.test>")
    server.wait_for_log("sender non-delivery notification:")


@both
def test_a_temporary_failure_waits_in_the_queue_and_flush_tries_again(mta, sink):
    answers = [b"451 4.3.0 later"]
    peer = sink({"RCPT": lambda _: answers[0]})
    server = mta(f"relayhost = [127.0.0.1]:{peer.port}\n")
    server.send(["late@elsewhere.test"])
    assert "status=deferred" in server.wait_for_log("to=<late@elsewhere.test>")
    wait_until(lambda: b"late@elsewhere.test" in server.tool("mailq").stdout, what="the listing")
    listing = server.tool("postqueue", "-p").stdout
    assert listing.startswith(b"-Queue ID-") and b"451 4.3.0 later" in listing
    answers[0] = b"250 2.1.5 Ok"
    server.tool("postqueue", "-f")
    wait_until(lambda: peer.messages, what="delivery after the flush")
    wait_until(lambda: server.tool("mailq").stdout == b"Mail queue is empty\n", what="an empty queue")


def test_open_relay_is_impossible(mta):
    server = mta("mynetworks = 192.0.2.0/24\n")
    with server.smtp() as client:
        client.ehlo()
        client.mail("x@y.test")
        code, text = client.rcpt("victim@elsewhere.test")
        assert code == 454 and b"Relay access denied" in text
        code, text = client.rcpt("you@example.test")
        assert code == 250


def test_an_unknown_user_is_refused_at_rcpt(mta):
    server = mta("virtual_mailbox_maps = inline:{known@example.test=known/}\n")
    with server.smtp() as client:
        client.ehlo()
        client.mail("x@y.test")
        code, text = client.rcpt("unknown@example.test")
        assert code == 550 and b"5.1.1" in text and b"User unknown in virtual mailbox table" in text


@both
def test_sigterm_ends_cleanly_and_sighup_takes_new_settings(mta):
    server = mta()
    (server.directory / "main.cf").open("a").write("smtpd_banner = new banner\n")
    server.process.send_signal(signal.SIGHUP)

    def banner():
        with server.smtp() as client:
            client.ehlo()
            return b"new banner" in server_banner(server)

    wait_until(banner, what="the new banner")
    # twistd ends itself with the signal that asked it to, once everything is put away.
    assert server.stop() in (0, -signal.SIGTERM)
    assert ": terminating" in server.log()


def server_banner(server):
    with socket.create_connection(("127.0.0.1", server.port), 5) as sock:
        return sock.recv(200)


def test_a_broken_reload_keeps_the_old_settings(mta):
    server = mta()
    (server.directory / "main.cf").open("a").write("message_size_limit = lots\n")
    server.process.send_signal(signal.SIGHUP)
    server.wait_for_log("message_size_limit", "lots")
    server.send(["you@example.test"])
    server.wait_for_mail("you")


@pytest.mark.parametrize("wrong", ["message_size_limit = lots\n", "smtpd_timeout = 5 parsecs\n", "mynetworks = ${x\n"])
def test_a_wrong_value_stops_the_start_before_any_socket(mta, wrong):
    server = mta(wrong, start=False)
    server.start(wait=False)
    assert server.process.wait(30) == 1
    server.process = None
    assert "main.cf, line" in server.output() and wrong.split(" ")[0] in server.output()


@both
def test_twenty_megabytes(mta, sink):
    peer = sink()
    server = mta(f"relayhost = [127.0.0.1]:{peer.port}\nmessage_size_limit = 50000000\n")
    body = ("x" * 70 + "\r\n.y\r\n") * 270_000
    server.send(["big@elsewhere.test"], "Subject: big\r\n\r\n" + body)
    wait_until(lambda: peer.messages, 60, "the big message")
    assert peer.messages[0][2].endswith(b"\r\n\r\n" + body.encode())


def test_swaks(mta):
    swaks = need("swaks")
    server = mta()
    result = subprocess.run(
        [
            swaks,
            "--server",
            f"127.0.0.1:{server.port}",
            "--to",
            "you@example.test",
            "--from",
            "a@example.test",
            "--pipeline",
        ],
        capture_output=True,
        timeout=30,
    )
    assert result.returncode == 0, result.stdout
    server.wait_for_mail("you")


def test_smtp_source_many_sessions(mta):
    source = need("smtp-source")
    server = mta()
    command = [source, "-s", "20", "-m", "200", "-l", "2000", "-f", "a@example.test", "-t", "you@example.test"]
    subprocess.run([*command, f"127.0.0.1:{server.port}"], check=True, timeout=60)
    server.wait_for_mail("you", 200, 30)


@both
def test_ordinary_users_submit_and_others_sockets_answer(mta):
    if os.getuid() != 0:
        pytest.skip("needs root, to become somebody else")
    server = mta()

    def as_nobody(command, *arguments, input=b""):
        # The interpreter may lie where only root can read: it is loaded first, then the user changes.
        code = f"""
import os, sys, encodings.idna
from mailer.commands import {command}, postqueue, submission
os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.exit({command}.main({list(arguments)!r}))"""
        return subprocess.run(
            [sys.executable, "-c", code], env=server.environment(), input=input, capture_output=True, timeout=30
        )

    result = as_nobody("sendmail", "you@example.test", input=b"Subject: from nobody\n\nx\n")
    assert result.returncode == 0, result.stderr
    (content,) = server.wait_for_mail("you")
    assert b"(Postfix, from userid 65534)" in content

    def asked(socket_name):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(10)
            sock.connect(str(server.directory / "queue" / "public" / socket_name))
            sock.sendall(b"list\n" if socket_name == "showq" else b"flush\n")
            return sock.makefile("rb").read()

    wait_until(lambda: asked("showq") == b"", what="an empty listing")
    assert asked("qmgr").strip() == b"ok"
    assert (server.directory / "queue/public/showq").stat().st_mode & 0o777 == 0o666
