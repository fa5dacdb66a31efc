"""Access dialogues: SMTP dialogues (see smtpd_dialogue) whose vectors also say what DNS knows.

A vector under ``tests/vectors/access`` may hold, besides what smtpd_dialogue describes::

    zone: example.com MX 10 mx.example.com
    zone: 192.0.2.7 PTR client.example.com
    zone: example.net A FAILS
    zone: broken.example FAILS

Names that no line mentions do not exist; ``FAILS`` is an answer that cannot be had now; ``NODATA`` says that a name is there
and has no records. A ``client:`` may have any address.

    policy: dunno
    Q: request=smtpd_access_policy | protocol_state=CONNECT | ...

``policy:`` lines are what a policy server at inet:127.0.0.1:10031 answers, one after the other (the last one again and
again); ``Q:`` lines are what it was asked, ports, instances and queue ids made alike.

Run as a script, this records the vectors named anew. It needs root: Postfix, its client and a name server for the zone live
in a network namespace of their own, with their own resolv.conf.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import smtpd_dialogue as dialogue

VECTORS = Path(__file__).parent.parent / "vectors" / "access"
FAILS = "FAILS"
Zone = dict[str, Any]


@dataclass
class World:
    """What is around the server: lines of the zone, a policy server's answers, what it was asked."""

    zone: list[str] = field(default_factory=list)
    policy: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        return [*(f"zone: {line}" for line in self.zone), *(f"policy: {line}" for line in self.policy)]


def parse(text: str) -> tuple[dialogue.Dialogue, World]:
    world = World()
    parts = {"zone:": world.zone, "policy:": world.policy, "Q:": world.asked}
    rest = []
    for line in text.splitlines():
        mark, _, value = line.partition(" ")
        if mark in parts:
            parts[mark].append(value.strip())
        else:
            rest.append(line)
    return dialogue.parse("\n".join(rest)), world


def render(found: dialogue.Dialogue, world: World) -> str:
    lines = dialogue.render(found).splitlines()
    at = next((n for n, line in enumerate(lines) if not line.startswith(("#", "main.cf:"))), 0)
    asked = [f"Q: {line}" for line in world.asked]
    return "\n".join([*lines[:at], *world.lines(), *lines[at:], *asked]) + "\n"


def one_line(request: bytes) -> str:
    """A policy request, without what differs from run to run."""
    text = " | ".join(request.decode("utf-8", "surrogateescape").split("\n"))
    text = re.sub(r"(instance|queue_id)=[\w.]+", r"\1=ID", text)
    return re.sub(r"(client_port|server_port)=\d+", r"\1=PORT", text)


def read_zone(lines: list[str], fails: Any = FAILS) -> Zone:
    """``{name: {type: records}}`` as mailer.testing.dns.FakeResolver takes it; ``fails`` stands for its FAILS."""
    zone: Zone = {}
    for line in lines:
        name, kind, *rest = line.split(None, 2)
        if kind == FAILS:
            zone[name] = fails
            continue
        known = zone.setdefault(name, {})
        if kind == "NODATA":
            continue
        if rest == [FAILS]:
            known[kind] = fails
            continue
        value: Any = rest[0]
        if kind == "MX":
            preference, _, host = value.partition(" ")
            value = (int(preference), "" if host == "." else host)
        elif kind == "TXT":
            value = value.encode()
        known.setdefault(kind, []).append(value)
    return zone


class NameServer(threading.Thread):
    """Answers UDP queries from ``zone``, on port 53 of an address of the loopback interface."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        super().__init__(daemon=True)
        self.zone: Zone = {}
        self.asked: list[str] = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))

    def serve(self, zone: Zone) -> None:
        from ipaddress import ip_address

        self.zone = {
            (ip_address(name).reverse_pointer if "PTR" in records else name).lower(): records
            for name, records in zone.items()
        }

    def run(self) -> None:
        while True:
            octets, peer = self.socket.recvfrom(4096)
            self.socket.sendto(self._answer(octets), peer)

    def _answer(self, octets: bytes) -> bytes:
        from twisted.names import dns

        message = dns.Message()
        message.fromStr(octets)
        query = message.queries[0]
        name = query.name.name.decode().lower()
        kind = dns.QUERY_TYPES.get(query.type, "?")
        self.asked.append(f"{name} {kind}")
        records = self.zone.get(name)
        message.answer, message.recAv = 1, 1
        message.additional = []
        if records is None:
            inner = any(known.endswith("." + name) for known in self.zone)
            message.rCode = dns.OK if inner else dns.ENAME
        elif records == FAILS or records.get(kind) == FAILS:
            message.rCode = dns.ESERVER
        else:
            payloads = [self._payload(kind, record) for record in records.get(kind, ())]
            message.answers = [dns.RRHeader(name, query.type, payload=payload, ttl=0) for payload in payloads]
        if not message.answers:  # not to be kept: the next vector may have other names
            authority = dns.Record_SOA("ns.invalid", "nobody.invalid", minimum=0, ttl=0)
            message.authority = [dns.RRHeader(name, dns.SOA, payload=authority, ttl=0)]
        return message.toStr()

    @staticmethod
    def _payload(kind: str, record: Any) -> Any:
        from twisted.names import dns

        if kind == "MX":
            return dns.Record_MX(record[0], record[1])
        return getattr(dns, f"Record_{kind}")(record)


class PolicyServer(threading.Thread):
    """Answers policy requests as its ``world`` says, and notes them there."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.world = World()
        self.socket = socket.create_server(("127.0.0.1", 10031))

    def run(self) -> None:
        while True:
            peer, _ = self.socket.accept()
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with suppress(ConnectionError):
            self._answer_all(peer)

    def _answer_all(self, peer: socket.socket) -> None:
        buffer = b""
        while octets := peer.recv(65536):
            buffer += octets
            while b"\n\n" in buffer:
                request, _, buffer = buffer.partition(b"\n\n")
                answers, asked = self.world.policy, self.world.asked
                peer.sendall(f"action={answers[min(len(asked), len(answers) - 1)]}\n\n".encode())
                asked.append(one_line(request))


def _in_namespace(arguments: list[str]) -> None:
    """Run this script again where the network is its own."""
    with tempfile.TemporaryDirectory(prefix="acc", dir="/tmp") as directory:
        resolv, hosts = Path(directory, "resolv.conf"), Path(directory, "hosts")
        resolv.write_text("nameserver 127.0.0.1\noptions attempts:1 timeout:2\n")
        hosts.write_text("127.0.0.1 localhost\n::1 localhost\n")
        script = (
            f"ip link set lo up && mount --bind {resolv} /etc/resolv.conf && mount --bind {hosts} /etc/hosts"
            ' && exec "$0" "$@"'
        )
        words = [sys.executable, __file__, *arguments]
        subprocess.run(["unshare", "-n", "-m", "sh", "-c", script, *words], env={**os.environ, "ACCESS_ALONE": "1"})


def main() -> None:
    if "ACCESS_ALONE" not in os.environ:
        _in_namespace(sys.argv[1:])
        return
    server, policies = NameServer(), PolicyServer()
    server.start()
    policies.start()
    for name in sys.argv[1:]:
        path = Path(name)
        found, world = parse(path.read_text())
        world.asked.clear()
        policies.world = world
        server.serve(read_zone(world.zone))
        if not found.client.startswith("127."):
            subprocess.run(["ip", "addr", "add", found.client, "dev", "lo"], stderr=subprocess.DEVNULL)
        server.asked.clear()
        try:
            dialogue.record(found, 0.05)
        except RuntimeError as error:
            sys.stdout.write(f"== {path.name}: {error}\n")
            continue
        path.write_text(render(found, world))
        sys.stdout.write(f"== {path.name}\n{path.read_text()}")
        if "-v" in os.environ.get("ACCESS_SHOW", ""):
            sys.stdout.write("".join(f"?? {line}\n" for line in server.asked))


if __name__ == "__main__":
    main()
