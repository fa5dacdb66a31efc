"""The real ``twistd mailer`` in a temporary directory, on loopback ports, and peers for it to talk to."""

from __future__ import annotations

import mailbox
import os
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

import mailer

ROOT = Path(mailer.__file__).parent.parent
BIN = Path(sys.executable).parent

#: For ``pytest.mark.parametrize("layout", LAYOUTS, indirect=True)``: the same acceptance in both.
LAYOUTS = ("single", "processes")

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/mail.log
maillog_file_prefixes = {directory}
myhostname = mx.example.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
virtual_mailbox_domains = example.test
virtual_mailbox_base = {directory}/mail
virtual_mailbox_maps = regexp:{{ {{ /^([a-z0-9_][^@+\\/]*)(\\+[^@]*)?@/ $$1/ }} }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
recipient_delimiter = +
"""

MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
smtp unix - - n - - smtp
relay unix - - n - - smtp
lmtp unix - - n - - lmtp
virtual unix - n n - - virtual
local unix - n n - - local
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
"""


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_until(condition, seconds=15, what="it"):
    """Poll a condition of another process; the bound is generous, the usual wait is not."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {seconds} s")
        time.sleep(0.02)


class Mta:
    """One instance, started and stopped any number of times over the same directory."""

    def __init__(self, directory, main="", master="", layout="single"):
        self.directory = directory
        self.layout = layout
        self.wrapping = ()  # a command that runs the instance
        self.port = free_port()
        uid, gid = (os.getuid(), os.getgid()) if os.getuid() else (65534, 65534)
        self.uid, self.gid = uid, gid
        values = {"directory": directory, "port": self.port, "uid": uid, "gid": gid}
        (directory / "main.cf").write_text(MAIN_CF.format(**values) + main)
        (directory / "master.cf").write_text(MASTER_CF.format(**values) + master)
        for name in ("queue", "data", "mail"):
            (directory / name).mkdir(mode=0o755)
        if os.getuid() == 0:
            os.chown(directory / "mail", uid, gid)
            with suppress(LookupError):  # the account of the daemons
                shutil.chown(directory / "data", "postfix")
        self.process = None

    def environment(self):
        return {**os.environ, "PYTHONPATH": str(ROOT), "MAIL_CONFIG": str(self.directory), "PYTHONFAULTHANDLER": "1"}

    def start(self, wait=True):
        self.process = subprocess.Popen(
            [
                *self.wrapping,
                BIN / "twistd",
                "--nodaemon",
                "--pidfile=",
                "mailer",
                f"--layout={self.layout}",
                "-c",
                str(self.directory),
            ],
            cwd=self.directory,
            env=self.environment(),
            stdout=(self.directory / "stdout").open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        if wait:
            wait_until(self.answers, what=f"the start of {self.directory}: {self.output()}")
        return self

    def answers(self):
        assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.output()}"
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as sock:
                sock.settimeout(5)
                return sock.recv(3) == b"220"
        except OSError:
            return False

    def output(self):
        path = self.directory / "stdout"
        return path.read_text(errors="replace") if path.exists() else ""

    def stop(self, kill=False):
        """:return: the exit status."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        status = self.process.wait(40)
        self.process = None
        return status

    def log(self):
        path = self.directory / "mail.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_for_log(self, *words, seconds=15):
        """The first log line with all the words."""

        def found():
            for line in self.log().splitlines():
                if all(word in line for word in words):
                    return line
            return None

        try:
            return wait_until(found, seconds, f"a log line with {words}")
        except AssertionError as error:
            raise AssertionError(
                f"{error}\n--- log\n{self.log()[-4000:]}\n--- output\n{self.output()[-4000:]}"
            ) from None

    def smtp(self):
        return smtplib.SMTP("127.0.0.1", self.port, local_hostname="client.test", timeout=20)

    def send(self, recipients, content="Subject: test\r\n\r\nhello\r\n", sender="sender@example.test", **options):
        with self.smtp() as client:
            return client.sendmail(sender, recipients, content, **options)

    def mailbox(self, user):
        return mailbox.Maildir(self.directory / "mail" / user, create=False)

    def messages(self, user):
        directory = self.directory / "mail" / user / "new"
        return sorted(directory.iterdir()) if directory.is_dir() else []

    def wait_for_mail(self, user, count=1, seconds=15):
        """The contents of ``count`` messages in the user's Maildir."""
        try:
            wait_until(lambda: len(self.messages(user)) >= count, seconds, f"{count} messages for {user}")
        except AssertionError as error:
            raise AssertionError(
                f"{error}\n--- log\n{self.log()[-4000:]}\n--- output\n{self.output()[-4000:]}"
            ) from None
        return [path.read_bytes() for path in self.messages(user)]

    def tool(self, *command, input=None, check=True):
        """Run one of our command-line tools against this instance."""
        return subprocess.run(
            [BIN / command[0], *command[1:]],
            env=self.environment(),
            input=input,
            capture_output=True,
            timeout=60,
            check=check,
        )


class Sink:
    """A small SMTP server in a thread: takes everything, or answers as ``script`` says.

    :param script: verb -> reply line (bytes) for MAIL, RCPT, AUTH, DATA, DOT; ``offers`` is the last line of EHLO;
    ``b""`` drops the connection.
    """

    def __init__(self, script=None, lmtp=False):
        self.script = script or {}
        self.messages = []  # (mail, [rcpt], content)
        self.lmtp = lmtp
        self._server = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _reply(self, verb, argument, default):
        reply = self.script.get(verb, default)
        return reply(argument) if callable(reply) else reply

    def _serve(self, connection):
        # A client that is killed or gives up is none of our business.
        with suppress(ConnectionError), connection, connection.makefile("rwb") as stream:

            def say(line):
                stream.write(line + b"\r\n")
                stream.flush()

            say(b"220 sink.test ESMTP")
            mail, rcpts = b"", []
            while line := stream.readline(4096):
                verb, _, argument = line.strip().partition(b" ")
                verb = verb.upper().decode()
                if verb in ("EHLO", "LHLO"):
                    offers = b"PIPELINING\r\n250-8BITMIME\r\n250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n250"
                    say(b"250-sink.test\r\n250-" + offers + b" " + self.script.get("offers", b"SIZE 0"))
                    continue
                reply = self._reply(verb, argument, b"354 go on" if verb == "DATA" else b"250 2.0.0 Ok")
                if reply == b"":
                    return
                if verb == "MAIL":
                    mail, rcpts = argument, []
                elif verb == "RCPT" and reply.startswith(b"2"):
                    rcpts.append(argument)
                say(reply)
                if verb == "QUIT":
                    return
                if verb == "DATA" and reply.startswith(b"3"):
                    content = []
                    while (line := stream.readline()) not in (b".\r\n", b""):
                        content.append(line[1:] if line.startswith(b".") else line)
                    if line == b"":
                        return
                    final = self._reply("DOT", b"", b"250 2.0.0 Ok: queued as SINK")
                    if final == b"":
                        return
                    if final.startswith(b"2"):
                        self.messages.append((mail, list(rcpts), b"".join(content)))
                    for _ in rcpts if self.lmtp else [None]:
                        say(final)

    def close(self):
        self._server.close()


def need(program):
    """Skip, saying why, where a peer is not installed."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path
