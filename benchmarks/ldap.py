"""A relay that asks a directory about every message: Postfix and mailer in alternating rounds, over one slapd.

    python benchmarks/ldap.py [--people 10000] [--messages 2000] [--sessions 20] [--rounds 3] [--only mailer]

Every message has another recipient, who is validated (relay_recipient_maps), expanded (virtual_alias_maps) and routed
(transport_maps), each by a search of its own. "cold": nobody has been asked about before. "warm": the same recipients again
at once, which only helps who keeps answers; Postfix does not. "groups": mail to teams of 20, expanded by 20 more searches.
A round counts from the first connection until the last message has arrived; CPU is that of the MTA alone, slapd's apart.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import figures
import instances

SAMPLE = Path(__file__).resolve().parent.parent / "etc/ldap-relay"

SLAPD_CONF = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include {sample}/mailrelay.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {directory}/slapd.pid
database mdb
suffix "dc=example,dc=com"
directory {directory}/db
maxsize 1073741824
dbnosync
index objectClass eq
index mail,mailAlternateAddress,mailLocalAlias,mailStatus,mailDeliveryAddress eq,pres
"""


class Directory:
    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def cpu(self) -> float:
        return instances.cpu(self.process.pid)


@contextmanager
def directory(people: int) -> Iterator[Directory]:
    """A running slapd with so many people."""
    place = Path(tempfile.mkdtemp(prefix="bench-slapd-"))
    try:
        (place / "db").mkdir()
        conf = place / "slapd.conf"
        conf.write_text(SLAPD_CONF.format(sample=SAMPLE, directory=place))
        command = [sys.executable, SAMPLE / "generate.py", "--people", str(people)]
        with (place / "content.ldif").open("wb") as ldif:
            subprocess.run(command, stdout=ldif, check=True)
        subprocess.run(["slapadd", "-q", "-f", conf, "-l", place / "content.ldif"], check=True)
        port = instances.free_port()
        process = subprocess.Popen(["slapd", "-h", f"ldap://127.0.0.1:{port}", "-f", conf, "-d", "0"])
        try:
            instances.wait_for(partial(_listens, port), "slapd", 20, 0.05)
            yield Directory(process, port)
        finally:
            process.kill()
            process.wait()
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def tables(place: Path, slapd: Directory, sink: int) -> str:
    """The sample's tables, with this directory and this next host. :return: lines of main.cf."""
    for path in (SAMPLE / "ldap").glob("*.cf"):
        lines = [
            line
            for line in path.read_text().splitlines()
            if not line.startswith(("server_host", "bind_", "answer_ttl"))
        ]
        lines.append(f"server_host = ldap://127.0.0.1:{slapd.port}")
        text = "\n".join(lines).replace("result_format = relay:[%s]", f"result_format = relay:[127.0.0.1]:{sink}")
        (place / path.name).write_text(text + "\nanswer_ttl = 600\nabsence_ttl = 600\n")
    place.chmod(0o755)
    return f"""\
relay_domains = example.com
relay_recipient_maps = ldap:{place}/recipients.cf
virtual_alias_maps = ldap:{place}/aliases.cf, ldap:{place}/groups.cf
transport_maps = ldap:{place}/transport.cf
"""


MESSAGE = b"Subject: x\r\nFrom: a@bench.example\r\n\r\n" + b"x" * 78 + b"\r\n.\r\n"


def send(port: int, recipients: list[str], sessions: int) -> None:
    """Each recipient gets a message of its own; sessions are kept, commands pipelined. Any refusal ends the benchmark."""
    failures: list[BaseException] = []

    def work(mine: list[str]) -> None:
        try:
            with socket.create_connection(("127.0.0.1", port), 60) as sock:
                converse(sock, mine)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(recipients[number::sessions],)) for number in range(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def converse(sock: socket.socket, recipients: list[str]) -> None:
    replies = sock.makefile("rb")

    def expect(code: bytes) -> None:
        while (line := replies.readline())[3:4] == b"-":
            pass
        if not line.startswith(code):
            raise RuntimeError(line)

    expect(b"220")
    sock.sendall(b"EHLO client\r\n")
    expect(b"250")
    for recipient in recipients:
        sock.sendall(f"MAIL FROM:<a@bench.example>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode())
        for code in (b"250", b"250", b"354"):
            expect(code)
        sock.sendall(MESSAGE)
        expect(b"250")
    sock.sendall(b"QUIT\r\n")
    expect(b"221")


class Recipients:
    """Active people, in an order in which nobody comes twice until all have come."""

    def __init__(self, people: int) -> None:
        self._numbers = [number for number in range(people) if number % 20 != 19 and number != 2]
        self._next: dict[str, int] = {}

    def fresh(self, name: str, count: int) -> list[str]:
        start = self._next.get(name, 0)
        self._next[name] = start + count
        numbers = self._numbers
        return [f"user{numbers[at % len(numbers)]}@example.com" for at in range(start, start + count)]


def measure(
    instance: instances.Instance,
    sink: instances.Sink,
    slapd: Directory,
    recipients: list[str],
    sessions: int,
    each: int = 1,
) -> tuple[float, float, float]:
    """:return: messages sent a second, milliseconds of the MTA's CPU a message, and of slapd's."""
    before, cpu, other = sink.received(), instance.cpu(), slapd.cpu()
    start = time.monotonic()
    send(instance.port, recipients, sessions)
    count = len(recipients)
    instances.wait_for(lambda: sink.received() >= before + count * each, f"{instance.name}: all {count} messages")
    seconds = time.monotonic() - start
    time.sleep(0.5)
    return count / seconds, (instance.cpu() - cpu) * 1000 / count, (slapd.cpu() - other) * 1000 / count


def main() -> None:
    parser = figures.parser(__doc__, rounds=3)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--messages", type=int, default=1500)
    parser.add_argument("--sessions", type=int, default=20)
    options = parser.parse_args()
    if shutil.which("slapd") is None:
        raise SystemExit("slapd is not installed")
    with ExitStack() as stack:
        slapd = stack.enter_context(directory(options.people))
        sink = stack.enter_context(instances.sink())
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-ldap-")))
        running = figures.start(stack, options.only, tables(place, slapd, sink.port))
        size = f"{options.people} people, {options.messages} messages a round"
        print(f"{size}, {options.sessions} sessions, median of {options.rounds} rounds")
        figures.heading("answers", ["msg/s", "CPU ms/msg", "slapd ms/msg"])
        people = Recipients(options.people)
        last: dict[str, list[str]] = {}

        def cold(instance: instances.Instance) -> tuple[float, float, float]:
            last[instance.name] = people.fresh(instance.name, options.messages)
            return measure(instance, sink, slapd, last[instance.name], options.sessions)

        def warm(instance: instances.Instance) -> tuple[float, float, float]:
            return measure(instance, sink, slapd, last[instance.name], options.sessions)

        figures.show("cold", figures.alternate(running, options.rounds, cold))
        figures.show("warm", figures.alternate(running, options.rounds, warm))
        teams = [f"team{number}@example.com" for number in range(min(300, options.people // 20))]
        figures.show(
            "groups",
            figures.alternate(running, 1, lambda one: measure(one, sink, slapd, teams, options.sessions), False),
        )


if __name__ == "__main__":
    main()
