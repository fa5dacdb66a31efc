"""Many clients, slow clients, hostile clients: the service goes on, memory stays bounded, nobody relays through it."""

import resource
import smtplib
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from peers import free_port, need, wait_until


def memory(server, what="VmRSS"):
    """Of the server's process, in MB."""
    with open(f"/proc/{server.process.pid}/status") as status:
        for line in status:
            if line.startswith(what + ":"):
                return int(line.split()[1]) / 1024
    raise AssertionError(f"no {what}")


def connect(server):
    sock = socket.create_connection(("127.0.0.1", server.port), 20)
    sock.settimeout(20)
    return sock


def lines(sock):
    return sock.makefile("rb")


def greet(sock):
    """Banner and EHLO: from here on commands may be sent together."""
    stream = lines(sock)
    stream.readline()
    sock.sendall(b"EHLO client.test\r\n")
    while stream.readline()[3:4] == b"-":
        pass


@pytest.fixture
def many_files():
    """As many open files as the system allows, here and in what is started from here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_hundred_sessions_at_once(mta):
    server = mta()
    start = threading.Barrier(100)

    def session(number):
        with server.smtp() as client:
            start.wait(30)
            for message in range(3):
                client.sendmail("me@example.test", ["you@example.test"], f"Subject: {number}.{message}\r\n\r\nx\r\n")

    with ThreadPoolExecutor(100) as pool:
        list(pool.map(session, range(100)))
    contents = server.wait_for_mail("you", 300, 40)
    subjects = {line for content in contents for line in content.split(b"\n") if line.startswith(b"Subject: ")}
    assert len(contents) == len(subjects) == 300


def test_slow_clients_hold_nobody_up(mta):
    server = mta()
    slow = [connect(server) for _ in range(100)]
    streams = [lines(sock) for sock in slow]
    for stream in streams:
        assert stream.readline().startswith(b"220 ")
    commands = [b"HELO slow\r\n", b"MAIL FROM:<slow@example.test>\r\n", b"RCPT TO:<you@example.test>\r\n", b"DATA\r\n"]
    for number, command in enumerate(commands):
        for at in range(len(command)):
            for sock in slow:
                sock.sendall(command[at : at + 1])
            if (number, at) == (1, 10):  # in the middle of it all
                begin = time.monotonic()
                server.send(["fast@example.test"])
                server.wait_for_mail("fast")
                assert time.monotonic() - begin < 5
        for stream in streams:
            assert stream.readline()[:3] == (b"354" if command == b"DATA\r\n" else b"250")
    content = b"Subject: slow\r\n\r\nx\r\n.\r\nQUIT\r\n"
    for at in range(len(content)):
        for sock in slow:
            sock.sendall(content[at : at + 1])
    for sock, stream in zip(slow, streams, strict=True):
        assert stream.read().count(b"\r\n") == 2
        sock.close()
    server.wait_for_mail("you", 100)


def test_thousands_of_silent_clients(mta, many_files):
    count = min(3000, (many_files - 500) // 2)
    server = mta("smtpd_client_connection_count_limit = 0\nsmtpd_timeout = 300\n")
    before = memory(server)
    silent = []
    try:
        for _ in range(count):
            silent.append(connect(server))
        for sock in silent:
            assert sock.recv(3) == b"220"
        assert (memory(server) - before) * 1024 / count < 20, "KB for each idle session"
        begin = time.monotonic()
        server.send(["you@example.test"])
        server.wait_for_mail("you")
        assert time.monotonic() - begin < 5
    finally:
        for sock in silent:
            sock.close()
    server.wait_for_log("lost connection after CONNECT")


def test_silence_ends_the_session_and_says_so(mta):
    server = mta("smtpd_timeout = 2s\n")
    with connect(server) as sock, lines(sock) as stream:
        assert stream.readline().startswith(b"220 ")
        for command in (b"HELO x", b"MAIL FROM:<a@b.test>", b"RCPT TO:<you@example.test>", b"DATA"):
            sock.sendall(command + b"\r\n")
            assert stream.readline()[:3] == (b"354" if command == b"DATA" else b"250")
        sock.sendall(b"half a line")
        assert stream.read() == b"421 4.4.2 mx.example.test Error: timeout exceeded\r\n"
    server.wait_for_log("timeout after DATA (0 bytes) from localhost[127.0.0.1]")
    assert not server.messages("you") and server.tool("mailq").stdout == b"Mail queue is empty\n"


def test_a_megabyte_without_a_line_end(mta):
    server = mta("smtpd_error_sleep_time = 0\n")
    before = memory(server, "VmHWM")
    for _ in range(5):
        with connect(server) as sock, lines(sock) as stream:
            stream.readline()
            sock.sendall(b"x" * 1_000_000)
            sock.sendall(b"\r\n")
            assert stream.readline() == b"500 5.5.2 Error: command not recognized\r\n"
            sock.sendall(b"QUIT\r\n")
            assert stream.read() == b"221 2.0.0 Bye\r\n"
    assert memory(server, "VmHWM") - before < 10
    server.wait_for_log("request longer than 2048: xxx")


def test_a_line_of_a_megabyte_in_a_message_is_folded_into_the_queue(mta):
    server = mta()
    line = "y" * 1_000_000
    server.send(["you@example.test"], f"Subject: long\r\n\r\n{line}\r\n")
    (content,) = server.wait_for_mail("you")
    assert content.replace(b"\n ", b"").endswith(line.encode() + b"\n")


def test_a_hundred_thousand_recipients_in_one_session(mta):
    server = mta("smtpd_error_sleep_time = 0\nsmtpd_recipient_limit = 1000\n")
    before = memory(server, "VmHWM")
    with connect(server) as sock:
        greet(sock)
        sock.sendall(b"MAIL FROM:<a@example.test>\r\n")

        def flood():
            try:
                for first in range(0, 100_000, 500):
                    sock.sendall(b"".join(b"RCPT TO:<u%d@example.test>\r\n" % n for n in range(first, first + 500)))
            except OSError:
                return  # shown the door

        thread = threading.Thread(target=flood)
        thread.start()
        replies = b""
        try:
            while chunk := sock.recv(1 << 16):
                replies += chunk
        except ConnectionResetError:
            pass  # it did not wait for the rest
        thread.join(20)
    assert replies.count(b"250 2.1.5 Ok\r\n") == 1000
    assert b"452 4.5.3 Error: too many recipients\r\n" in replies
    assert replies.endswith(b"421 4.7.0 mx.example.test Error: too many errors\r\n")
    assert memory(server, "VmHWM") - before < 20
    server.wait_for_log("too many errors after RCPT from localhost[127.0.0.1]")
    server.send(["you@example.test"])
    server.wait_for_mail("you")


def test_a_hundred_thousand_refused_recipients_by_sessions_that_come_again(mta):
    server = mta("smtpd_error_sleep_time = 0\nmynetworks = 192.0.2.1\n")
    for _ in range(50):
        with connect(server) as sock, lines(sock) as stream:
            greet(sock)
            sock.sendall(b"MAIL FROM:<a@b.test>\r\n" + b"RCPT TO:<v@victim.test>\r\n" * 30)
            try:
                text = stream.read()
            except ConnectionResetError:
                continue
        assert b"250 2.1.5" not in text
        assert text.count(b"454 4.7.1 <v@victim.test>: Relay access denied\r\n") == 20
    server.send(["you@example.test"], sender="a@b.test")
    server.wait_for_mail("you")


def test_garbage_of_every_kind(mta):
    server = mta("smtpd_error_sleep_time = 0\n")
    for garbage in (
        b"\0" * 10_000 + b"\r\n",
        bytes(range(256)) * 100 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xff" * 500,
        b"EHLO " + b"a" * 5000 + b"\r\n",
        b"\r\n" * 1000,
        b"MAIL FROM:<" + b"(" * 1500 + b"@x>\r\n",
        b"MAIL FROM:<a@b>" + b" X=" * 600 + b"\r\n",
        b"EHLO x\r\nBDAT 99999999999999999999\r\nBDAT -1\r\nBDAT 5 LAST\r\nabc",
        b"\n.\n\r.\r\r\n.\r\n" * 100,
    ):
        with connect(server) as sock:
            sock.sendall(garbage)
            sock.shutdown(socket.SHUT_WR)
            answer = b""
            try:
                while chunk := sock.recv(65536):
                    answer += chunk
            except ConnectionResetError:
                pass
        assert answer.startswith(b"220 ")
    assert "internal fault" not in server.log() and "Traceback" not in server.output()
    server.send(["you@example.test"])
    server.wait_for_mail("you")


def test_twenty_big_messages_at_once_need_little_memory(mta, directory):
    port = free_port()
    peer = subprocess.Popen([need("smtp-sink"), "-u", "nobody", f"127.0.0.1:{port}", "100"])
    try:
        server = mta(
            f"relayhost = [127.0.0.1]:{port}\nmessage_size_limit = 30000000\ndefault_destination_concurrency_limit = 20\n"
            "initial_destination_concurrency = 20\n"
        )
        server.send(["warm@elsewhere.test"])
        server.wait_for_log("to=<warm@elsewhere.test>", "status=sent")
        idle = memory(server)
        line = b"z" * 998 + b"\r\n"
        big = line * 20_000

        def send(number):
            with smtplib.SMTP("127.0.0.1", server.port, timeout=120) as client:
                client.sendmail("a@example.test", [f"u{number}@elsewhere.test"], b"Subject: big\r\n\r\n" + big)

        with ThreadPoolExecutor(20) as pool:
            list(pool.map(send, range(20)))
        wait_until(lambda: server.log().count("status=sent") == 21, 90, "twenty deliveries")
        assert memory(server, "VmHWM") - idle < 60
        assert server.log().count("(queue active)") == 21
    finally:
        peer.kill()
        peer.wait()


RELAY_ATTEMPTS = [
    "user@victim.test",
    "user@victim.test.",
    "user@VICTIM.test",
    "@example.test:user@victim.test",
    "@victim.test:user@example.test",
    "@example.test,@example.test:user@victim.test",
    "user%victim.test@example.test",
    "user%victim.test@[127.0.0.1]",
    "user%victim.test",
    "victim.test!user",
    "victim.test!user@example.test",
    "victim.test!user@[127.0.0.1]",
    '"user@victim.test"',
    '"user@victim.test"@example.test',
    '"user%victim.test"@example.test',
    '"victim.test!user"@example.test',
    '"user@victim.test"@[127.0.0.1]',
    "user@victim.test@example.test",
    "user@example.test@victim.test",
    "user@[192.0.2.99]",
    "user@[IPv6:2001:db8::1]",
    "user@192.0.2.99",
    "user@mx.example.test",
    "user@sub.example.test",
    "user@example.test%victim.test",
    "user+@victim.test@example.test",
    "user%victim.test%example.test",
    "user@",
    "@",
    "@victim.test",
    "user@@example.test",
    "user @victim.test",
    "user@victim.test,other@example.test",
    '"user"@victim.test',
    "user\\@victim.test@example.test",
    "us er%victim.test@example.test",
    "postmaster@victim.test",
    "user@localhost",
    "user@.example.test",
    "user@example..test",
]


def _attempts(port):
    found = []
    with smtplib.SMTP("127.0.0.1", port, local_hostname="client.test", timeout=20) as client:
        client.ehlo()
        for number, address in enumerate(RELAY_ATTEMPTS):
            if number % 8 == 0:  # before there are too many errors for one session
                client.close()
                client.connect("127.0.0.1", port)
                client.ehlo()
            client.docmd("RSET")
            client.docmd("MAIL", "FROM:<spammer@elsewhere.test>")
            code, text = client.docmd("RCPT", f"TO:<{address}>")
            found.append((address, code, text.decode()))
    return found


STRANGERS = (
    "mynetworks = 192.0.2.1\nmydestination =\nvirtual_mailbox_domains = example.test\nsmtpd_error_sleep_time = 0\n"
    "virtual_mailbox_maps = static:all/\nsmtpd_peername_lookup = no\nmyhostname = mx.example.test\nrelay_domains =\n"
)


def test_nobody_relays_by_tricks(mta):
    for address, code, text in _attempts(mta(STRANGERS).port):
        local = address.endswith("example.test") and "victim" not in address and "@sub." not in address
        if code == 250:
            assert local or address.split(":")[-1] == "user@example.test", (address, code, text)
        else:
            assert 400 <= code < 600 and "Relay access denied" in text or code in (501, 550, 553), (address, code, text)


def test_tricks_are_answered_as_postfix_answers_them(mta, postfix):
    ours, theirs = _attempts(mta(STRANGERS).port), _attempts(postfix(STRANGERS).port)
    assert ours == theirs
