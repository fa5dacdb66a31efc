"""Records the vectors of ``delivery``: a Postfix of its own with a name server and servers of ours on loopback addresses.

Needs root: port 25, port 53, and a chroot in which smtp(8) finds a resolv.conf that names our name server.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import smtplib
import subprocess
import tempfile
import time
from pathlib import Path

from delivery import Delivery, normal, observed, parse, render
from twisted.internet import reactor, threads
from twisted.internet.defer import Deferred
from twisted.names import dns

from mailer.testing.peer import Peer

NAME_SERVER = "127.0.0.153"
PORT = 26259

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - y - - smtp{smtp}
lmtp unix - - y - - lmtp{lmtp}
relay unix - - y - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class NameServer:
    """Answers from the lines of a vector: ``name TYPE value``, or ``name FAIL``."""

    def __init__(self) -> None:
        self.zone: list[list[str]] = []

    def query(self, query, timeout=None):
        name, kind = query.name.name.decode().lower(), dns.QUERY_TYPES.get(query.type, "?")
        mine = [line for line in self.zone if line[0].lower() == name]
        if any(line[1] == "FAIL" for line in mine):
            raise _Servfail
        records = []
        for line in mine:
            if line[1] == kind:
                payload = _payload(kind, line[2:])
                records.append(dns.RRHeader(query.name.name, query.type, dns.IN, 60, payload))
        return mine, records


class _Servfail(Exception):
    pass


def _payload(kind, words):
    if kind == "MX":
        return dns.Record_MX(int(words[0]), b"" if words[1] == "." else words[1].encode())
    return dns.Record_A(words[0]) if kind == "A" else dns.Record_AAAA(words[0])


class _Names(dns.DNSDatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        super().__init__(self)
        self.server = server
        self.noisy = False

    def messageReceived(self, message, protocol, address=None):
        message.answer, message.recAv = 1, 1
        message.additional = []
        try:
            known, message.answers = self.server.query(message.queries[0])
            message.rCode = dns.OK if known else dns.ENAME
        except _Servfail:
            message.rCode = dns.ESERVER
        protocol.writeMessage(message, address)


class RealPostfix:
    """In a temporary directory; ``deliver`` sends a message through it and tells what its client logged."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="pfx", dir="/tmp"))
        self.root.chmod(0o755)
        for name in ("etc", "data", "queue", "queue/etc"):
            (self.root / name).mkdir()
        os.chown(self.root / "data", pwd.getpwnam("postfix").pw_uid, -1)
        for name in ("services", "nsswitch.conf"):
            shutil.copy(f"/etc/{name}", self.root / "queue/etc")
        (self.root / "queue/etc/hosts").write_text("127.0.0.1 localhost\n127.0.0.11 inhosts.example\n")
        (self.root / "queue/etc/resolv.conf").write_text(f"nameserver {NAME_SERVER}\noptions timeout:1 attempts:1\n")
        self.log = self.root / "log"
        self.log.touch()

    def command(self, *words: str) -> None:
        subprocess.run([words[0], "-c", str(self.root / "etc"), *words[1:]], capture_output=True, check=False)

    def configure(self, given: Delivery) -> None:
        own = {
            "compatibility_level": "3.7",
            "queue_directory": self.root / "queue",
            "data_directory": self.root / "data",
            "maillog_file": self.log,
            "maillog_file_prefixes": self.root,
            "mydestination": "localhost",
            "mynetworks": "127.0.0.0/8",
            "alias_maps": "",
            "local_recipient_maps": "",
            "smtpd_peername_lookup": "no",
            "notify_classes": "",
            "transport_maps": f"hash:{self.root}/etc/transport",
            "in_flow_delay": "0",
            "smtpd_reject_unlisted_recipient": "no",
            "local_header_rewrite_clients": "",
            "minimal_backoff_time": "1h",
            "queue_run_delay": "1h",
        }
        text = "".join(f"{name} = {value}\n" for name, value in {**own, **given.main_cf}.items())
        (self.root / "etc/main.cf").write_text(text)
        extra = f" {given.master}" if given.master else ""
        (self.root / "etc/master.cf").write_text(MASTER.format(port=PORT, smtp=extra, lmtp=extra))
        (self.root / "etc/transport").write_text(f"s.example discard:\n* {given.nexthop}\n")
        self.command("/usr/sbin/postmap", f"{self.root}/etc/transport")

    def start(self) -> None:
        """Start, or take up the new configuration."""
        running = "daemon started" in self.log.read_text()
        self.command("/usr/sbin/postfix", "reload" if running else "start")
        for _ in range(200):
            if re.search(r"daemon started|reload --", self.log.read_text().split("\nMARK")[-1]):
                return
            time.sleep(0.05)
        raise RuntimeError(self.log.read_text())

    def stop(self) -> None:
        self.command("/usr/sbin/postfix", "abort")

    def deliver(self, given: Delivery) -> list[str]:
        """Blocks; to be called in a thread."""
        self.configure(given)
        with self.log.open("a") as log:
            log.write("\nMARK\n")
        self.start()
        queue_id = self._submit(given)
        text = self._await(queue_id)
        self.command("/usr/sbin/postsuper", "-d", "ALL")
        return [f"L: {line}" for line in _client_lines(text, queue_id)]

    def _submit(self, given: Delivery) -> str:
        client = smtplib.SMTP("127.0.0.1", PORT, local_hostname="client.example", timeout=10)
        client.ehlo()
        client.command_encoding = "utf-8"
        lines = [f"MAIL FROM:{_path(given.sender)}", *(f"RCPT TO:{_path(to)}" for to in given.recipients)]
        for command in lines:
            code, reply = client.docmd(command)
            if code != 250:
                raise RuntimeError(f"{command}: {reply!r}")
        code, reply = client.data(given.message)
        if code != 250:
            raise RuntimeError(repr(reply))
        client.quit()
        return reply.decode().split()[-1]

    def _await(self, queue_id: str) -> str:
        deadline = time.time() + 60
        while time.time() < deadline:
            text = self.log.read_text().split("\nMARK")[-1]
            done = len(re.findall(rf"{queue_id}: to=<", text))
            expected = re.search(rf"{queue_id}: from=.*nrcpt=(\d+)", text)
            if f"{queue_id}: removed" in text or (expected and done >= int(expected.group(1))):
                time.sleep(0.2)
                return self.log.read_text().split("\nMARK")[-1]
            if "unknown mail transport error" in text:
                return text
            time.sleep(0.05)
        return self.log.read_text().split("\nMARK")[-1]


def _path(line: str) -> str:
    """``address KEY=value`` as a command has it."""
    found = re.fullmatch(r'((?:"[^"]*"@)?\S+)(.*)', line)
    assert found is not None
    return f"<{found.group(1).strip('<>')}>{found.group(2)}"


def _client_lines(text: str, queue_id: str) -> list[str]:
    lines = []
    for line in text.splitlines():
        found = re.search(r" postfix/(?:smtp|lmtp|relay/smtp|error|retry|discard)\[\d+\]: (.*)", line)
        if not found:
            continue
        said = found.group(1)
        other = re.match(r"([0-9A-F]{8,}): ", said)
        if other and other.group(1) != queue_id:
            continue
        said = re.sub(r" delay=[^ ]+, delays=[^ ]+,", "", said.replace(queue_id, "QID"))
        lines.append(normal(said))
    return lines


def _listen(given: Delivery) -> tuple[dict[str, Peer], list[object]]:
    peers, ports = {}, []
    for address in given.addresses():
        scripts = given.scripts(address)
        if scripts == "refuse":
            continue
        if scripts == "silent":
            raise RuntimeError("silent needs a firewall; not recordable")
        peer = peers[address] = Peer(*scripts, clock=reactor)
        host, _, port = address.rpartition(":")
        if address.startswith("/"):
            path = str(given.root) + address  # type: ignore[attr-defined]
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            ports.append(reactor.listenUNIX(path, peer, mode=0o666))
        else:
            ports.append(reactor.listenTCP(int(port), peer, interface=host.strip("[]")))
    return peers, ports


async def _record(paths: list[Path]) -> None:
    names = NameServer()
    port = reactor.listenUDP(53, _Names(names), interface=NAME_SERVER)
    postfix = RealPostfix()
    try:
        for path in paths:
            given = parse(path.read_text())
            given.root = postfix.root / "queue"  # type: ignore[attr-defined]
            names.zone = [line.split() for line in given.dns]
            peers, ports = _listen(given)
            log = await threads.deferToThread(postfix.deliver, given)
            given.recorded = [*observed(peers), *log]
            for each in ports:
                await each.stopListening()
            path.write_text(render(given))
            print(path.name, *given.recorded, sep="\n    ")
    finally:
        postfix.stop()
        shutil.rmtree(postfix.root, ignore_errors=True)
        await port.stopListening()


def record(paths: list[Path]) -> None:
    def begin() -> None:
        done = Deferred.fromCoroutine(_record(paths))
        done.addErrback(lambda failure: print(failure.getTraceback()))
        done.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()


__all__ = ["record"]
