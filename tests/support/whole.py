"""Whole-system scenarios: one configuration, some sessions and commands, and all that can be seen of them afterwards.

A scenario is a JSON object: ``main`` and ``master`` (lines added to main.cf and master.cf), ``files`` (name -> text, executable
if it begins with ``#!``), ``sink`` (verb -> the next server's reply), ``do`` (steps), ``show`` (files to look at), and
``recorded``: what Postfix came to. ``@DIRECTORY@``, ``@PORT@`` and ``@SINK@`` stand for what differs from run to run. A step
is ``["smtp", LINE...]`` (``CONTENT text`` sends text and the final dot), ``["tool", [WORD...], INPUT]``, or ``["wait", WORD]``
for a log line. Postfix's prose for people is left out (and ours, which differs).
"""

import os
import re
import socket
import time
from contextlib import suppress
from pathlib import Path

from peers import Sink, free_port

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = @DIRECTORY@/queue
data_directory = @DIRECTORY@/data
maillog_file = @DIRECTORY@/mail.log
maillog_file_prefixes = @DIRECTORY@
myhostname = mx.example.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_database =
virtual_mailbox_base = @DIRECTORY@/mail
virtual_mailbox_maps = inline:{ a@v.test=a/, b@v.test=b/, c@v.test=c/, mbox@v.test=mbox, sender@v.test=sender/ }
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 1
recipient_delimiter = +
"""
DEFAULTS = {
    "alias_maps": "",
    "mynetworks": "127.0.0.0/8",
    "mydestination": "localhost.example.test",
    "virtual_mailbox_domains": "v.test",
    "relayhost": "[127.0.0.1]:@SINK@",
}
_HUMAN = ("This is the mail system at host", "The mail system at")
_PROGRAM = re.compile(r"\w{3} +\d+ [\d:]{8} \S+ (\S+?)\[\d+\]: (.*)")
_CONNECTS = re.compile(r"(connect|lost connection after CONNECT|disconnect) from \S+(?: commands=0/0)?")


class Whole:
    """One run. :param directory: where everything is. :param given: the scenario."""

    def __init__(self, directory, given):
        self.directory = Path(directory)
        self.given = given
        self.port = free_port()
        self.sink = Sink({verb: reply.encode() for verb, reply in given.get("sink", {}).items()})
        self.replies = []
        self.output = []

    def write(self, master_cf):
        """main.cf, master.cf, files and directories."""
        for name in ("queue", "data", "mail"):
            (self.directory / name).mkdir()
        os.chown(self.directory / "mail", 65534, 65534)
        main = self.given.get("main", "")
        defaults = [
            f"{name} = {value}\n" for name, value in DEFAULTS.items() if not re.search(rf"(?m)^{name}\s*=", main)
        ]
        texts = {"main.cf": MAIN_CF + "".join(defaults) + main, "master.cf": master_cf + self.given.get("master", "")}
        for name, text in {**texts, **self.given.get("files", {})}.items():
            path = self.directory / name
            path.write_text(self.filled(text))
            path.chmod(0o755 if text.startswith("#!") else 0o644)

    def filled(self, text):
        for name, value in (("DIRECTORY", self.directory), ("PORT", self.port), ("SINK", self.sink.port)):
            text = text.replace(f"@{name}@", str(value))
        return text

    def act(self, tool):
        """The steps. :param tool: ``tool(words, input)`` runs a command, and gives its status and output."""
        for what, *rest in self.given["do"]:
            if what == "smtp":
                self._session(rest)
            elif what == "wait":
                self._wait(rest[0])
            else:
                words, given = rest[0], self.filled(rest[1]) if len(rest) > 1 else ""
                status, text = tool([self.filled(word) for word in words], given.encode())
                self.output += [f"$ {' '.join(words)}: {status}", *text.splitlines()]

    def _session(self, lines):
        with socket.create_connection(("127.0.0.1", self.port), 10) as sock, sock.makefile("rb") as stream:
            sock.settimeout(20)
            self._reply(stream)
            for line in map(self.filled, lines):
                if line.startswith("CONTENT "):
                    self.replies.append("C: (content)")
                    line = line[8:].replace("\n", "\r\n") + "\r\n."
                else:
                    self.replies.append(f"C: {line}")
                try:
                    sock.sendall(line.encode() + b"\r\n")
                    self._reply(stream)
                except ConnectionError:
                    self.replies.append("(closed)")

    def _reply(self, stream):
        line = b"   -"
        while line[3:4] == b"-":
            line = stream.readline()
            self.replies.append(line.decode().rstrip("\r\n") if line else "(closed)")

    def _wait(self, word, seconds=15):
        end = time.monotonic() + seconds
        while word not in self._log():
            assert time.monotonic() < end, f"no {word!r} in the log within {seconds} s:\n{self._log()}"
            time.sleep(0.02)

    def _log(self):
        path = self.directory / "mail.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def observed(self):
        """All that can be seen now, as lines in which nothing depends on the run."""
        normal = _Normal(self)
        found = ["== replies", *map(normal, self.replies)]
        programs = {}
        for line in self._log().splitlines():
            match = _PROGRAM.fullmatch(line)
            if (
                match
                and "master" not in match[1]
                and "postfix-script" not in match[1]
                and not _CONNECTS.fullmatch(match[2])
            ):
                programs.setdefault(match[1], []).append(normal(match[2]))
        for program in sorted(programs):
            found += [f"== log of {program}", *sorted(programs[program])]
        found += ["== tools", *map(normal, self.output), "== mail", *self._mail(normal)]
        for name in self.given.get("show", ()):
            path = self.directory / name
            found += [f"== {name}", *map(normal, path.read_text().splitlines() if path.exists() else ["(none)"])]
        found.append("== sink")
        for sender, recipients, content in sorted(map(_sortable, self.sink.messages)):
            text = content.decode(errors="replace").splitlines()
            found += [normal(sender.decode()), *(normal(each.decode()) for each in recipients), *map(normal, text)]
        return list(_without_prose(found))

    def _mail(self, normal):
        documents = []
        for path in (self.directory / "mail").rglob("*"):
            name = re.sub(r"/(new|cur|tmp)/.*", r"/\1/", str(path.relative_to(self.directory / "mail")))
            with suppress(FileNotFoundError):  # a delivery under way renames its file
                if path.is_file():
                    status, text = path.stat(), path.read_text(errors="replace")
                    title = f"-- {name} uid={status.st_uid} mode={status.st_mode & 0o7777:o}"
                    documents.append([title, *map(normal, text.splitlines())])
        return [line for document in sorted(documents) for line in document]


def _sortable(message):
    sender, recipients, content = message
    return sender, sorted(recipients), content


class _Normal:
    """Replaces what differs from run to run: queue ids by the order of the messages' first log lines."""

    def __init__(self, whole):
        self._ids = {}
        self._values = [(str(whole.directory), "DIR"), (str(whole.sink.port), "SINK"), (str(whole.port), "PORT")]
        for found in re.finditer(r"\]: ([0-9A-F]{9,14}): (?:client|uid|message-id)=", whole._log()):
            self._id(found)

    def _id(self, found):
        return self._ids.setdefault(found[1], f"Q{len(self._ids) + 1}")

    def __call__(self, text):
        for value, name in self._values:
            text = text.replace(value, name)
        text = re.sub(r"\b20\d{12}\.(?=[0-9A-F]{9,14}@)", "STAMP.", text)
        text = re.sub(r"\b((?=[0-9A-F]*\d)[0-9A-F]{9,14})\b", self._id, text)
        for pattern, name in _VARYING:
            text = pattern.sub(name, text)
        return text


_VARYING = [
    (re.compile(pattern), name)
    for pattern, name in (
        (r"\b(delays?|size|SIZE)=[\d./e-]+", r"\1=N"),
        (r"\w{3}, +\d+ \w{3} \d{4} [\d:]{8} [+-]\d{4}(?: \(\w+\))?", "DATE"),
        (r"^(From \S+)  .*", r"\1  DATE"),
        (r"\bQ\d+\.(?:\d{10}|Q\d+)/", "BOUNDARY/"),
        (r"(\w\[127\.0\.0\.1\]):\d{4,5}\b", r"\1:PORT"),
        (r"^(Q\d+[*!]?) +\d+ \w{3} \w{3} [ \d]\d [\d:]{8}", r"\1 SIZE DATE"),
        (r'("(?:message_size|arrival_time)"): \d+', r"\1: N"),
        (r'("arrival_time"): Q\d+', r"\1: N"),
    )
]


def _without_prose(lines):
    prose = False
    for line in lines:
        if line.startswith(_HUMAN):
            prose = True
            yield "(prose)"
        if prose and (re.match(r"<.*>(:| \()", line) or line.startswith("--BOUNDARY/")):
            prose = False
        if not prose:
            yield line
