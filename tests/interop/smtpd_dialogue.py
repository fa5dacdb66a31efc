"""SMTP dialogues as text files, and the real Postfix answering them.

A vector under ``tests/vectors/smtpd`` holds one behaviour::

    # what this shows
    main.cf: smtpd_helo_required = yes
    client: 127.0.0.2
    C: MAIL FROM:<a@example.org>
    S: 503 5.5.1 Error: send HELO/EHLO first
    L: connect from unknown[127.0.0.2]

``dovecot:`` and ``smtpd.conf:`` lines configure an authentication server beside it (see sasl_dialogue.py).

``C:`` lines that follow one another travel in one write; each gets a CRLF, ``C-`` lines get none; ``W:`` waits so many
seconds instead. Octets are written with Python's escapes. ``S:`` lines are what came back until the server was quiet,
``X`` says that it hung up. ``L:`` lines are the log of smtpd, ``M:`` lines the queued message; queue ids read ``QID`` and
dates ``DATE``.

Run as a script, this records the vectors named anew with the Postfix installed on this machine.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

VECTORS = Path(__file__).parent.parent / "vectors" / "smtpd"

BASE = {
    "myhostname": "mail.example",
    "mydomain": "example",
    "mydestination": "mail.example, localhost",
    "mynetworks": "127.0.0.0/8",
    "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
    "compatibility_level": "3.6",
    "local_header_rewrite_clients": "",
    "smtpd_error_sleep_time": "0",
    "smtpd_hard_error_limit": "1000",
    "smtpd_junk_command_limit": "1000",
    "smtpd_forbid_unauth_pipelining": "no",
}


@dataclass
class Exchange:
    """What the client sends in one write, and the reply lines it then sees."""

    sent: bytes = b""
    source: list[str] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    hangup: bool = False
    wait: float = 0.0


@dataclass
class Dialogue:
    comments: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    client: str = "127.0.0.1"
    exchanges: list[Exchange] = field(default_factory=lambda: [Exchange()])
    log: list[str] = field(default_factory=list)
    message: list[str] = field(default_factory=list)
    beside: list[tuple[str, str]] = field(default_factory=list)

    @property
    def main_cf(self) -> dict[str, str]:
        return {**BASE, **self.settings}


def unescape(text: str) -> bytes:
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1")


def escape(octets: bytes) -> str:
    return "".join(chr(o) if 32 <= o < 127 and o != 92 else "\\\\" if o == 92 else f"\\x{o:02x}" for o in octets)


def parse(text: str) -> Dialogue:
    found = Dialogue()
    for line in text.splitlines():
        if not line.strip():
            continue
        mark, _, rest = line.partition(" ")
        exchange = found.exchanges[-1]
        if mark in ("C:", "C-", "W:"):
            if exchange.replies or exchange.hangup or not found.exchanges[-1].source and len(found.exchanges) == 1:
                exchange = Exchange()
                found.exchanges.append(exchange)
            exchange.source.append(line)
            if mark == "W:":
                exchange.wait = float(rest)
            else:
                exchange.sent += unescape(rest) + (b"\r\n" if mark == "C:" else b"")
        elif mark == "S:":
            exchange.replies.append(rest)
        elif mark == "X":
            exchange.hangup = True
        elif mark == "L:":
            found.log.append(rest)
        elif mark == "M:":
            found.message.append(rest)
        elif mark == "main.cf:":
            name, _, value = rest.partition("=")
            found.settings[name.strip()] = value.strip()
        elif mark in ("dovecot:", "smtpd.conf:"):
            found.beside.append((mark, rest.strip()))
        elif mark == "client:":
            found.client = rest.strip()
        elif line.startswith("#"):
            found.comments.append(line)
        else:
            raise ValueError(f"what is this: {line!r}")
    return found


def render(dialogue: Dialogue) -> str:
    lines = list(dialogue.comments)
    lines += [f"main.cf: {name} = {value}".rstrip() for name, value in dialogue.settings.items()]
    lines += [f"{mark} {text}" for mark, text in dialogue.beside]
    if dialogue.client != "127.0.0.1":
        lines.append(f"client: {dialogue.client}")
    for exchange in dialogue.exchanges:
        lines += exchange.source
        lines += [f"S: {reply}".rstrip(" ") if not reply else f"S: {reply}" for reply in exchange.replies]
        if exchange.hangup:
            lines.append("X")
    lines += [f"M: {line}" for line in dialogue.message]
    lines += [f"L: {line}" for line in dialogue.log]
    return "\n".join(lines) + "\n"


MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
local unix - n n - - local
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class RealPostfix:
    """A Postfix of its own in a temporary directory, on one loopback port, where mail stays in the hold queue."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="pfx", dir="/tmp"))
        self.root.chmod(0o755)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (self.root / "etc").mkdir()
        (self.root / "data").mkdir()
        (self.root / "queue").mkdir()
        self.log = self.root / "log"
        self.log.touch()
        (self.root / "etc" / "master.cf").write_text(MASTER.format(port=self.port))
        own = {
            "queue_directory": self.root / "queue",
            "data_directory": self.root / "data",
            "maillog_file": self.log,
            "maillog_file_prefixes": self.root,
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "defer_transports": "smtp, local, relay, virtual, error",
            "alias_maps": "",
            "alias_database": "",
            "local_recipient_maps": "",
            "multi_instance_enable": "no",
        }
        text = "".join(f"{name} = {value}\n" for name, value in {**own, **settings}.items())
        (self.root / "etc" / "main.cf").write_text(text)
        owner = pwd.getpwnam("postfix").pw_uid
        os.chown(self.root / "data", owner, -1)
        os.chown(self.root / "queue", 0, -1)

    def command(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([words[0], "-c", str(self.root / "etc"), *words[1:]], capture_output=True)

    def __enter__(self) -> RealPostfix:
        started = self.command("/usr/sbin/postfix", "start")
        for _ in range(100):
            if "daemon started" in self.log.read_text():
                return self
            time.sleep(0.05)
        reason = started.stderr.decode() + self.log.read_text()
        self.__exit__()
        raise RuntimeError(reason)

    def __exit__(self, *_: object) -> None:
        self.command("/usr/sbin/postfix", "stop")
        shutil.rmtree(self.root, ignore_errors=True)


_QUEUED = re.compile(r"(queued as |^)[0-9A-F]{9,16}\b")
_DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [ 0-9]\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4} \(\w+\)")
_RECEIVED_ID = re.compile(r"(\bid )[0-9A-F]{9,16}\b")


def anonymous(line: str) -> str:
    """The line without what differs from run to run."""
    line = _RECEIVED_ID.sub(r"\1QID", _QUEUED.sub(r"\1QID", line))
    return re.sub(r":(\d{4,5})$", ":PORT", _DATE.sub("DATE", line))


def _read_replies(peer: socket.socket, quiet: float) -> tuple[list[str], bool]:
    received = b""
    hangup = False
    peer.settimeout(max(quiet, 0.8))
    while True:
        try:
            chunk = peer.recv(65536)
        except TimeoutError:
            break
        except ConnectionResetError:
            chunk = b""
        if not chunk:
            hangup = True
            break
        received += chunk
        peer.settimeout(quiet)
    return [anonymous(escape(line)) for line in received.split(b"\r\n")[:-1]], hangup


def record(dialogue: Dialogue, quiet: float = 0.15, start: type[RealPostfix] = RealPostfix) -> None:
    """Play the client's part to the real Postfix and note what it says."""
    with start(dialogue.main_cf) as postfix:
        mark = postfix.log.stat().st_size
        peer = socket.create_connection(("127.0.0.1", postfix.port), source_address=(dialogue.client, 0))
        for exchange in dialogue.exchanges:
            if exchange.sent:
                peer.sendall(exchange.sent)
            exchange.replies, exchange.hangup = _read_replies(peer, exchange.wait or quiet)
            if exchange.hangup:
                break
        peer.close()
        time.sleep(0.5)
        log = postfix.log.read_text()[mark:]
        dialogue.log = [
            anonymous(match.group(1)).replace(f":{postfix.port}", ":PORT")
            for match in re.finditer(r" postfix/smtpd\[\d+\]: (.*)", log)
        ]
        if dialogue.message:
            queue_id = re.search(r"postfix/smtpd\[\d+\]: (\w+): client=", log)
            assert queue_id, log
            text = postfix.command("/usr/sbin/postcat", "-bh", "-q", queue_id.group(1)).stdout
            lines = text.split(b"\n")[:-1]
            dialogue.message = [anonymous(escape(line)) for line in lines]


def main() -> None:
    for name in sys.argv[1:]:
        path = Path(name)
        dialogue = parse(path.read_text())
        record(dialogue)
        path.write_text(render(dialogue))
        sys.stdout.write(f"== {path.name}\n{path.read_text()}")


if __name__ == "__main__":
    main()
