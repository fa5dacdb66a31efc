"""Programs that other people send with: swaks, smtp-source, Python's smtplib and email, raw BDAT."""

import base64
import email
import email.message
import email.policy
import socket
import subprocess

import pytest
from peers import need, wait_until


def swaks(server, *options, to="you@example.test", check=True):
    command = [need("swaks"), "--server", f"127.0.0.1:{server.port}", "--from", "me@example.test", "--to", to, *options]
    result = subprocess.run(command, capture_output=True, timeout=60, text=True)
    assert not check or result.returncode == 0, result.stdout + result.stderr
    return result


def test_swaks_in_many_ways(mta):
    server = mta("message_size_limit = 50000\n")
    ways = [
        ["--pipeline"],
        ["--protocol", "SMTP"],
        ["--helo", "[127.0.0.1]", "--h-Subject", "Grüße", "--body", "ä" * 100],
        ["--header", "X-Long: " + "word " * 500],
        ["--body", ".\n..\n.dot\n" + "x" * 5000 + "\n"],
        ["--attach", "some data", "--attach-type", "application/octet-stream"],
        ["--add-header", "X-Empty:"],
    ]
    for way in ways:
        swaks(server, *way)
    server.wait_for_mail("you", len(ways))
    # one transaction, several recipients, one of them refused
    result = swaks(server, "--pipeline", to="a@example.test,b@example.test,/x@example.test", check=False)
    assert result.returncode == 0 and "550 5.1.1 </x@example.test>" in result.stdout
    server.wait_for_mail("b")
    assert swaks(server, "--quit-after", "RCPT").returncode == 0
    assert swaks(server, "--protocol", "ESMTP", "--drop-after", "DATA", check=False).returncode in (0, 6)
    assert swaks(server, "--body", "x" * 60_000, check=False).returncode == 26  # rejected after DATA
    server.wait_for_log("lost connection after", "localhost[127.0.0.1]")


def test_swaks_lmtp_is_told_that_this_is_smtp(mta):
    result = swaks(mta(), "--protocol", "LMTP", check=False)
    assert result.returncode == 22 and "<** 500 5.5.2 Error: command not recognized" in result.stdout


@pytest.mark.parametrize(
    "options",
    [
        ["-s", "1", "-m", "20"],
        ["-s", "20", "-m", "100", "-l", "60000"],
        ["-s", "5", "-m", "50", "-d"],
        ["-s", "5", "-m", "20", "-r", "10"],
        ["-s", "5", "-m", "20", "-N"],
        ["-s", "3", "-m", "12", "-o"],
        ["-s", "3", "-m", "12", "-S", "a subject"],
        ["-s", "3", "-m", "6", "-M", "client.test", "-w", "1"],
    ],
    ids=" ".join,
)
def test_smtp_source(mta, sink, options):
    source = need("smtp-source")
    peer = sink()
    server = mta(f"relayhost = [127.0.0.1]:{peer.port}\n")
    command = [source, "-f", "a@example.test", "-t", "you@elsewhere.test", *options, f"127.0.0.1:{server.port}"]
    subprocess.run(command, check=True, timeout=60)
    count = int(options[options.index("-m") + 1])
    recipients = int(options[options.index("-r") + 1]) if "-r" in options else 1

    def arrived():
        return sum(len(rcpts) for _, rcpts, _ in peer.messages) == count * recipients

    wait_until(arrived, 30, "all messages")


def test_the_email_package_and_what_it_makes_comes_back(mta):
    server = mta()
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"] = "Jürgen <me@example.test>"
    message["To"] = "you@example.test, Ünal <other@example.test>"
    message["Subject"] = "Grüße " * 30
    message.set_content("Zeile 1\n.\n..\n\nFrom here\n" + "ä" * 2000 + "\n")
    message.add_attachment(bytes(range(256)) * 300, maintype="application", subtype="octet-stream", filename="ü.bin")
    with server.smtp() as client:
        assert client.send_message(message) == {}
    for user in ("you", "other"):
        (content,) = server.wait_for_mail(user)
        back = email.message_from_bytes(content, policy=email.policy.default)
        assert back["Subject"] == message["Subject"] and back["To"] == message["To"]
        bodies = [m.get_body().get_content().replace("\r\n", "\n") for m in (back, message)]
        assert bodies[0] == bodies[1]
        (attachment,) = back.iter_attachments()
        assert attachment.get_content() == bytes(range(256)) * 300 and attachment.get_filename() == "ü.bin"


def test_smtplib_with_smtputf8(mta, sink):
    server = mta("virtual_mailbox_maps = static:all/\n")
    message = email.message.EmailMessage(policy=email.policy.SMTPUTF8)
    message["From"] = "jürgen@example.test"
    message["To"] = "ünal@example.test"
    message["Subject"] = "Grüße"
    message.set_content("x\n")
    with server.smtp() as client:
        assert client.send_message(message) == {}
    (content,) = server.wait_for_mail("all")
    assert "Delivered-To: ünal@example.test\n".encode() in content
    assert b"with UTF8SMTP id" in content and "Subject: Grüße\n".encode() in content


def test_several_transactions_in_one_session(mta):
    server = mta()
    with server.smtp() as client:
        for number in range(5):
            client.sendmail("me@example.test", ["you@example.test"], f"Subject: {number}\r\n\r\nx\r\n")
            client.rset()
            assert client.noop()[0] == 250 and client.verify("you@example.test")[0] == 252
        assert client.docmd("ETRN", "elsewhere.test")[0] in (250, 459)
        assert client.docmd("HELP")[0] == 500
    subjects = {email.message_from_bytes(content)["Subject"] for content in server.wait_for_mail("you", 5)}
    assert subjects == set("01234")


def test_binary_chunks(mta):
    server = mta()
    body = base64.b64encode(bytes(range(256)) * 200).replace(b"\n", b"\r\n")
    content = b"Subject: chunks\r\n\r\n.leading dot\r\n.\r\n" + body + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), 20) as sock, sock.makefile("rwb") as stream:
        stream.readline()
        stream.write(b"EHLO client.test\r\n")
        stream.flush()
        while stream.readline()[3:4] == b"-":
            pass
        stream.write(b"MAIL FROM:<me@example.test>\r\nRCPT TO:<you@example.test>\r\n")
        pieces = [content[at : at + 10_000] for at in range(0, len(content), 10_000)]
        for piece in pieces:
            stream.write(b"BDAT %d\r\n%b" % (len(piece), piece))
        stream.write(b"BDAT 0 LAST\r\nQUIT\r\n")
        stream.flush()
        replies = stream.read().splitlines()
    assert [reply[:3] for reply in replies] == [b"250"] * (2 + len(pieces) + 1) + [b"221"]
    assert replies[-2].startswith(b"250 2.0.0 Ok: %d bytes queued as " % len(content))
    (stored,) = server.wait_for_mail("you")
    assert stored.partition(b"\n\n")[2] == content.replace(b"\r\n", b"\n").partition(b"\n\n")[2]
