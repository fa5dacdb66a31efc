"""Start, reload and end of the real server, also under load."""

import os
import signal
import smtplib
import socket
import subprocess
import threading
import time

import pytest
from peers import BIN, free_port, wait_until

ENDED = (0, -signal.SIGTERM)  # twistd ends itself with the signal that asked it to, once everything is put away


def hup(server):
    server.process.send_signal(signal.SIGHUP)


def append(server, text, name="main.cf"):
    with (server.directory / name).open("a") as file:
        file.write(text)


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as sock:
            sock.settimeout(5)
            return sock.recv(3) == b"220"
    except OSError:
        return False


def start_fails(server):
    """:return: what it said."""
    server.start(wait=False)
    assert server.process.wait(30) == 1
    server.process = None
    return server.output() + server.log()


def test_a_port_in_use(mta):
    server = mta(start=False)
    with socket.create_server(("127.0.0.1", server.port)):
        assert f"fatal: bind [127.0.0.1]:{server.port}: Address already in use" in start_fails(server)
    server.start().stop()


def test_a_queue_in_use(mta):
    server = mta()
    other = mta(f"queue_directory = {server.directory}/queue\n", start=False)
    said = start_fails(other)
    assert "fatal: " in said and ("another" in said), said
    server.send(["you@example.test"])  # the first has not noticed
    server.wait_for_mail("you")
    server.tool("sendmail", "you@example.test", input=b"Subject: x\n\nx\n")
    server.wait_for_mail("you", 2)
    assert server.tool("mailq").stdout == b"Mail queue is empty\n"


@pytest.mark.parametrize("damage", ["garbage", "future"])
def test_a_queue_that_is_damaged(mta, damage):
    server = mta()
    server.stop()
    (database,) = (server.directory / "queue/mailer").glob("*.sqlite")
    if damage == "garbage":
        database.write_bytes(b"this is no database" * 1000)
    else:
        import sqlite3

        with sqlite3.connect(database) as connection:
            connection.execute("PRAGMA user_version = 9999")
    assert "fatal: " in start_fails(server)
    assert database.exists()


def test_a_directory_that_cannot_be_made(mta):
    server = mta(start=False)
    (server.directory / "file").write_text("")
    append(server, f"data_directory = {server.directory}/file/data\n")
    assert "Not a directory" in start_fails(server) or "File exists" in server.output()


def test_ends_and_starts_lose_no_mail_that_waits(mta):
    server = mta("defer_transports = smtp\n")
    server.send(["late@elsewhere.test"])
    for _ in range(3):
        assert server.stop() in ENDED
        server.start()
        assert b"late@elsewhere.test" in server.tool("mailq").stdout
    assert server.log().count(": terminating") == 3


def test_reload_changes_the_relayhost(mta, sink):
    first, second = sink(), sink()
    server = mta(f"relayhost = [127.0.0.1]:{first.port}\n")
    server.send(["a@elsewhere.test"])
    wait_until(lambda: first.messages, what="the first message")
    append(server, f"relayhost = [127.0.0.1]:{second.port}\n")
    hup(server)
    server.wait_for_log("postfix/master[", "reload -- configuration")
    server.send(["b@elsewhere.test"])
    wait_until(lambda: second.messages, what="the second message")
    assert len(first.messages) == 1


def test_reload_reads_changed_tables(mta):
    server = mta(start=False)
    table = server.directory / "aliases.txt"
    table.write_text("all@example.test one@example.test\n")
    append(server, f"virtual_alias_maps = texthash:{table}\n")
    server.start()
    server.send(["all@example.test"])
    server.wait_for_mail("one")
    table.write_text("all@example.test two@example.test\n")
    hup(server)
    server.wait_for_log("reload -- configuration")
    server.send(["all@example.test"])
    server.wait_for_mail("two")
    assert len(server.messages("one")) == 1


def test_reload_adds_and_removes_ports_and_keeps_sessions(mta):
    server = mta()
    extra = free_port()
    with server.smtp() as client:
        client.ehlo()
        client.mail("me@example.test")
        append(server, f"127.0.0.1:{extra} inet n - n - - smtpd -o smtpd_banner=extra\n", "master.cf")
        hup(server)
        wait_until(lambda: answers(extra), what="the new port")
        assert client.rcpt("you@example.test")[0] == 250  # begun before
        client.data("Subject: x\r\n\r\nx\r\n")
        with smtplib.SMTP("127.0.0.1", extra, timeout=20) as other:
            other.sendmail("me@example.test", ["other@example.test"], "Subject: x\r\n\r\nx\r\n")
            text = (server.directory / "master.cf").read_text()
            (server.directory / "master.cf").write_text(text.replace(f"127.0.0.1:{extra} ", f"#127.0.0.1:{extra} "))
            hup(server)
            wait_until(lambda: not answers(extra), what="the end of the new port")
            other.sendmail("me@example.test", ["other@example.test"], "Subject: x\r\n\r\nx\r\n")
    server.wait_for_mail("you")
    server.wait_for_mail("other", 2)
    assert answers(server.port)


def test_a_reload_that_wants_a_port_in_use_changes_nothing(mta):
    server = mta()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        append(server, f"127.0.0.1:{port} inet n - n - - smtpd\n", "master.cf")
        append(server, "smtpd_banner = never seen\n")
        hup(server)
        line = server.wait_for_log("reload: the old configuration stays in force")
        assert f"bind [127.0.0.1]:{port}: Address already in use" in line
    with socket.create_connection(("127.0.0.1", server.port), 5) as sock:
        assert b"never seen" not in sock.recv(200)
    server.send(["you@example.test"])
    server.wait_for_mail("you")


def test_log_rotation(mta):
    server = mta()
    log = server.directory / "mail.log"
    log.rename(server.directory / "mail.log.1")
    hup(server)
    wait_until(lambda: log.exists() and "reload" in log.read_text(), what="a new log")
    server.send(["you@example.test"])
    server.wait_for_log("status=sent")
    assert "status=sent" not in (server.directory / "mail.log.1").read_text()


class Load:
    """Sends from several threads until told to stop, and knows what was acknowledged."""

    def __init__(self, server, threads=8):
        self.server = server
        self.acknowledged = []
        self.going = True
        self._threads = [threading.Thread(target=self._send, args=(number,), daemon=True) for number in range(threads)]
        for thread in self._threads:
            thread.start()

    def _send(self, thread):
        number = 0
        while self.going:
            try:
                with self.server.smtp() as client:
                    while self.going:
                        name = f"{thread}.{number}"
                        number += 1
                        client.sendmail("me@example.test", ["you@example.test"], f"Subject: {name}\r\n\r\nx\r\n")
                        self.acknowledged.append(name)
            except (smtplib.SMTPException, OSError):
                time.sleep(0.01)

    def stop(self):
        self.going = False
        for thread in self._threads:
            thread.join(30)
        return self.acknowledged

    def arrived(self):
        subjects = []
        for path in self.server.messages("you"):
            header = path.read_bytes().partition(b"\n\n")[0]
            subjects += [line[9:].decode() for line in header.split(b"\n") if line.startswith(b"Subject: ")]
        return subjects


def test_the_end_under_load_loses_nothing_and_repeats_nothing(mta):
    server = mta()
    load = Load(server)
    for _ in range(3):
        so_far = len(load.acknowledged)
        wait_until(lambda so_far=so_far: len(load.acknowledged) > so_far + 50, what="load")
        begin = time.monotonic()
        assert server.stop() in ENDED
        assert time.monotonic() - begin < 15
        server.start()
    acknowledged = load.stop()
    server.wait_for_mail("you", len(acknowledged), 30)
    wait_until(lambda: server.tool("mailq").stdout == b"Mail queue is empty\n", what="an empty queue")
    arrived = load.arrived()
    assert set(acknowledged) <= set(arrived)
    assert len(arrived) == len(set(arrived))  # whoever ends in good order delivers nothing twice
    assert "Traceback" not in server.output()


def test_reloads_under_load_lose_nothing_and_refuse_nothing(mta):
    server = mta()
    load = Load(server)
    for number in range(10):
        append(server, f"smtpd_banner = number {number}\n")
        seen = server.log().count("reload -- configuration")
        hup(server)
        wait_until(lambda seen=seen: server.log().count("reload -- configuration") > seen, what="the reload")
    acknowledged = load.stop()
    server.wait_for_mail("you", len(acknowledged), 30)
    wait_until(lambda: server.tool("mailq").stdout == b"Mail queue is empty\n", what="an empty queue")
    assert sorted(load.arrived()) == sorted(acknowledged)
    assert "Traceback" not in server.output() and "error:" not in server.log()


def test_as_a_daemon_with_a_pidfile(mta):
    server = mta(start=False)
    pidfile = server.directory / "pid"
    command = [BIN / "twistd", f"--pidfile={pidfile}", f"--logfile={server.directory}/twistd.log", "mailer"]
    subprocess.run(
        [*command, "-c", str(server.directory)], cwd=server.directory, env=server.environment(), check=True, timeout=30
    )
    wait_until(lambda: answers(server.port), what="the daemon")
    pid = int(pidfile.read_text())
    try:
        server.send(["you@example.test"])
        server.wait_for_mail("you")
        assert f"postfix/master[{pid}]: " in server.wait_for_log("daemon started")
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not pidfile.exists(), what="the end of the daemon")
    wait_until(lambda: not answers(server.port), what="the end of the daemon")
