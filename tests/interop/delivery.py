"""Deliveries to scripted servers as text files, and the real Postfix making them.

A vector under ``tests/vectors/smtp_client`` holds one behaviour::

    # what this shows
    main.cf: smtp_skip_5xx_greeting = no
    nexthop: smtp:[127.0.0.11]:2525
    from: sender@s.example BODY=8BITMIME
    to: user@d.example NOTIFY=NEVER
    dns: d.example MX 10 mx.d.example
    peer: 127.0.0.11:2525 RCPT 550 5.1.1 no such user
    D: Subject: a line of the message
    C: 127.0.0.11:2525 EHLO me.example
    B: a line of the content as it arrived
    L: the log of smtp(8)

``peer:`` adds an answer for a verb (``mailer.testing.peer``; several for one verb: one time after the other), or says
``extensions`` and a list of them; ``next`` begins the script of the next connection; ``refuse`` and ``silent`` are for
addresses where nothing listens or answers. From ``C:`` on everything is recorded: queue ids read QID, sizes SIZE=N.
Run as root as a script, this records the vectors named anew with the Postfix installed on this machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from mailer.testing.peer import After, Peer, Script

VECTORS = Path(__file__).parent.parent / "vectors" / "smtp_client"

BASE = {
    "myhostname": "me.example",
    "mydomain": "example",
    "smtp_connect_timeout": "3s",
    "smtp_connection_cache_on_demand": "no",
    "lmtp_connection_cache_on_demand": "no",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4, ipv6",
}

CONTENT = ["Subject: test", "", "Hello"]


@dataclass
class Delivery:
    comments: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    master: str = ""
    nexthop: str = "smtp:[127.0.0.11]:2525"
    sender: str = "sender@s.example"
    recipients: list[str] = field(default_factory=list)
    dns: list[str] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)
    content: list[str] = field(default_factory=list)
    recorded: list[str] = field(default_factory=list)

    @property
    def main_cf(self) -> dict[str, str]:
        return {**BASE, **self.settings}

    @property
    def message(self) -> bytes:
        lines = [unescape(line) for line in self.content] if self.content else [line.encode() for line in CONTENT]
        return b"".join(line + b"\r\n" for line in lines)

    def addresses(self) -> list[str]:
        """Every address that something is said about."""
        return list(dict.fromkeys(line.split()[0] for line in self.peers))

    def scripts(self, address: str) -> list[Script] | str:
        """The scripts of one address, or ``refuse`` or ``silent``."""
        scripts: list[dict[str, object]] = [{}]
        for line in self.peers:
            where, verb, *rest = line.split(" ", 2)
            if where != address:
                continue
            text = rest[0] if rest else ""
            if verb in ("refuse", "silent"):
                return verb
            if verb == "next":
                scripts.append({})
            elif verb == "extensions":
                scripts[-1]["extensions"] = [word.strip() for word in text.split(",") if word.strip()]
            elif verb == "lmtp":
                scripts[-1]["lmtp"] = True
            else:
                name = "DOT" if verb == "." else verb
                answers = scripts[-1].setdefault(name, [])
                answers.append(_answer(text))  # type: ignore[attr-defined]
        return [Script(**script) for script in scripts]  # type: ignore[arg-type]


def _answer(text: str) -> str | After:
    delay = re.fullmatch(r"after (\S+) (.*)", text)
    if delay:
        return After(float(delay.group(1)), delay.group(2))
    return unescape(text).decode("utf-8", "surrogateescape")


def unescape(text: str) -> bytes:
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1")


def escape(octets: bytes) -> str:
    return "".join(chr(o) if 32 <= o < 127 and o != 92 else "\\\\" if o == 92 else f"\\x{o:02x}" for o in octets)


def parse(text: str) -> Delivery:
    found = Delivery()
    for line in text.splitlines():
        mark, _, rest = line.partition(" ")
        if not line.strip():
            continue
        if line.startswith("#"):
            found.comments.append(line)
        elif mark == "main.cf:":
            name, _, value = rest.partition("=")
            found.settings[name.strip()] = value.strip()
        elif mark == "master.cf:":
            found.master = rest
        elif mark == "nexthop:":
            found.nexthop = rest
        elif mark == "from:":
            found.sender = rest
        elif mark == "to:":
            found.recipients.append(rest)
        elif mark == "dns:":
            found.dns.append(rest)
        elif mark == "peer:":
            found.peers.append(rest)
        elif mark == "D:":
            found.content.append(rest)
        elif mark in ("C:", "B:", "L:"):
            found.recorded.append(line)
        else:
            raise ValueError(f"what is this: {line!r}")
    found.recipients = found.recipients or ["user@d.example"]
    return found


def render(given: Delivery) -> str:
    lines = list(given.comments)
    lines += [f"main.cf: {name} = {value}".rstrip() for name, value in given.settings.items()]
    lines += [f"master.cf: {given.master}"] if given.master else []
    lines += [f"nexthop: {given.nexthop}", f"from: {given.sender}"]
    lines += [f"to: {recipient}" for recipient in given.recipients]
    lines += [f"dns: {line}" for line in given.dns]
    lines += [f"peer: {line}" for line in given.peers]
    lines += [f"D: {line}".rstrip() for line in given.content]
    lines += given.recorded
    return "\n".join(lines) + "\n"


def observed(peers: dict[str, Peer]) -> list[str]:
    """What the servers saw."""
    lines = []
    for address, peer in peers.items():
        for number, commands in enumerate(peer.commands):
            mark = f"{address}#{number + 1}" if number else address
            lines += [f"C: {mark} {_anonymous(command)}" for command in commands]
        for mail in peer.mails:
            if mail.rcpts and mail.content:
                lines += [f"B: {escape(line)}".rstrip() for line in _own(mail.content).split(b"\r\n")[:-1]]
    return lines


def _anonymous(command: str) -> str:
    command = re.sub(r"SIZE=[0-9]+", "SIZE=N", command)
    return re.sub(r"IDENT=[0-9A-F]{8,}", "IDENT=QID", re.sub(r"PORT=[0-9]+", "PORT=PORT", command))


def normal(line: str) -> str:
    """A log line without what depends on headers that the receiving side adds, and no longer than any log takes it."""
    return re.sub(r"message size [0-9]+", "message size N", line)[:1000]


def _own(content: bytes) -> bytes:
    """The content without what the receiving side put before it."""
    return re.sub(rb"(?m)^Received: .*\r\n(?:[ \t].*\r\n)*", b"", content)


if __name__ == "__main__":
    import sys

    from record import record  # the recorder needs root and an installed Postfix

    record([Path(name) for name in sys.argv[1:]] or sorted(VECTORS.glob("*.txt")))
