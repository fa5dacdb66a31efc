"""Many sessions with many configurations, played to the real Postfix and to ``mailer`` side by side.

Cases come from three places: the recorded dialogues under ``tests/vectors/smtpd`` and ``tests/vectors/access``, one file each,
and the tables under ``tests/vectors/agree``, where a file holds many::

    main.cf: mydestination = mail.example
    zone: example.com MX 10 mx.example.com
    == what this shows
    main.cf: smtpd_helo_required = yes
    C: MAIL FROM:<a@example.org>
    S: 503 5.5.1 Error: send HELO/EHLO first

What stands before the first ``==`` holds for all cases of the file; ``service:`` lines are more lines for master.cf, and the
rest is as smtpd_dialogue and access_dialogue describe it.

All cases whose address resolution is configured alike share one Postfix and one ``mailer``: each case is a service of its own
in master.cf, with its settings as ``-o`` options. Both live in a network namespace with a name server for the zones, so that
this needs root. Run as a script with ``record``, it notes in the tables what Postfix says; with ``run`` it writes what both
said to standard output, as JSON.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import access_dialogue
import smtpd_dialogue as dialogue

VECTORS = Path(__file__).parent.parent / "vectors"
TABLES = VECTORS / "agree"
ROOT = Path(__file__).parent.parent.parent
INSIDE = "MAILER_AGREEMENT"
PROXY = 20_000
_SLOW = 10.0

#: Parameters that daemons other than smtpd read, too: cases that differ in these cannot share an instance.
_SHARED = re.compile(
    r"(my(domain|origin|destination|hostname)|inet_.*|proxy_interfaces|virtual_.*|relay(host|_domains|_transport)|"
    r".*transport(_maps)?|.*canonical_.*|recipient_delimiter|swap_bangpath|allow_percent_hack|append_.*|resolve_.*|"
    r"empty_address_.*|parent_domain_matches_subdomains|address_verify_.*|owner_request_special|fast_flush_domains|"
    r"queue_minfree|header_.*|smtputf8_.*|enable_long_queue_ids|compatibility_level|double_bounce_sender|"
    r"local_header_rewrite_clients|show_user_unknown_table_name|remote_header_rewrite_domain|message_size_limit|soft_bounce|default_verp_delimiters)"
).fullmatch

MAIN = """\
queue_directory = {root}/queue
data_directory = {root}/data
maillog_file = {root}/log
maillog_file_prefixes = {root}
inet_interfaces = all
inet_protocols = ipv4
defer_transports = smtp, local, relay, virtual, error
alias_maps =
alias_database =
multi_instance_enable = no
max_idle = 20s
postscreen_cache_map =
"""
#: What the recorded dialogues were recorded with.
_OWN = {"inet_interfaces": "127.0.0.1", "local_recipient_maps": ""}


@dataclass
class Case:
    """``replies`` are the recorded ones, exchange by exchange, ``(lines, hung up)``."""

    name: str
    spoken: dialogue.Dialogue
    world: access_dialogue.World
    services: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def settings(self) -> dict[str, str]:
        return {**_OWN, **self.spoken.main_cf}

    @property
    def shared(self) -> tuple[tuple[str, str], ...]:
        return tuple(sorted((name, value) for name, value in self.settings.items() if _SHARED(name)))

    @property
    def replies(self) -> list[tuple[list[str], bool]]:
        return [(exchange.replies, exchange.hangup) for exchange in self.spoken.exchanges]


def _case(name: str, lines: list[str]) -> Case:
    services = [line.partition(" ")[2] for line in lines if line.startswith("service:")]
    spoken, world = access_dialogue.parse("\n".join(line for line in lines if not line.startswith("service:")))
    return Case(name, spoken, world, services)


def read_table(path: Path) -> list[Case]:
    """The cases of a table."""
    head, *parts = re.split(r"^== ", path.read_text(), flags=re.MULTILINE)
    common = head.splitlines()
    found = []
    for part in parts:
        title, *lines = part.splitlines()
        found.append(_case(f"{path.stem}: {title}", common + lines))
    return found


def tables() -> list[Case]:
    return [case for path in sorted(TABLES.glob("*.txt")) for case in read_table(path)]


def recorded() -> list[Case]:
    """The dialogues recorded one by one, but for those that wait for a time limit (they are replayed with a clock), and for
    configurations that Postfix finds out about when a client is there already (ours refuses to start)."""
    paths = [*sorted((VECTORS / "smtpd").glob("*.txt")), *sorted((VECTORS / "access").glob("*.txt"))]
    cases = [_case(f"{path.parent.name}/{path.stem}", path.read_text().splitlines()) for path in paths]
    return [case for case in cases if _quick(case)]


def _quick(case: Case) -> bool:
    fatal = any(line.startswith("fatal:") for line in case.spoken.log)
    return not fatal and all(exchange.wait <= 1 for exchange in case.spoken.exchanges)


def sample(cases: list[Case], part: int) -> list[Case]:
    """One in ``part`` of the cases, always the same ones."""
    return [case for case in cases if zlib.crc32(case.name.encode()) % part == 0]


# Instances.


def _options(case: Case) -> str:
    own = ((name, value) for name, value in case.settings.items() if not _SHARED(name))
    return "".join(f"\n  -o {{ {name} = {value} }}" for name, value in own)


def _lines(case: Case, port: int) -> str:
    """The case's lines of master.cf. ``{proxy}`` stands for a port that the services behind the case's own may have."""
    text = f"{port} inet n - n - - smtpd{_options(case)}\n" + "".join(f"{line}\n" for line in case.services)
    return text.replace("{proxy}", str(port + PROXY))


class Instance:
    """One MTA that serves all cases of a group, each on its port. It ends with the namespace.

    :param place: a directory to make one in."""

    def __init__(self, cases: list[Case], ports: list[int], place: Path) -> None:
        self.root = Path(tempfile.mkdtemp(dir=place))
        self.root.chmod(0o755)
        self.ports = dict(zip((case.name for case in cases), ports, strict=True))
        for name in ("etc", "data", "queue"):
            (self.root / name).mkdir()
        self.log = self.root / "log"
        self.log.touch()
        shared = "".join(f"{name} = {value}\n" for name, value in cases[0].shared)
        (self.root / "etc" / "main.cf").write_text(MAIN.format(root=self.root) + shared)
        lines = "".join(_lines(case, self.ports[case.name]) for case in cases)
        (self.root / "etc" / "master.cf").write_text(lines + dialogue.MASTER.partition("\n")[2])

    def start(self) -> None:
        raise NotImplementedError

    def _await(self, started: object) -> None:
        for _ in range(1600):
            if "daemon started" in self.log.read_text():
                return
            time.sleep(0.05)
        raise RuntimeError(f"{type(self).__name__}: {started} {self.log.read_text()[-2000:]}")


class Postfix(Instance):
    def start(self) -> None:
        shutil.chown(self.root / "data", "postfix")
        self._await(self._command("start"))

    def _command(self, word: str) -> bytes:
        words = ["/usr/sbin/postfix", "-c", str(self.root / "etc"), word]
        return subprocess.run(words, capture_output=True).stderr


class Mailer(Instance):
    def start(self) -> None:
        words = [Path(sys.executable).parent / "twistd", "-n", "--pidfile=", "mailer", "-c", self.root / "etc"]
        self._output = self.root / "stdout"
        self._process = subprocess.Popen(
            words,
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=self._output.open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            self._await("")
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{self._output.read_text()[-3000:]}") from None


# Sessions.

Said = list[tuple[list[str], bool]]


def _converse(case: Case, port: int, recording: bool) -> Said:
    """The client's part of a case. As many lines are awaited as were recorded; ``recording``: until the server is quiet."""
    said: Said = []
    peer = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(case.spoken.client, 0))
    with peer:
        for exchange in case.spoken.exchanges:
            if exchange.sent:
                try:
                    peer.sendall(exchange.sent)
                except OSError:
                    said.append(([], True))
                    break
            expected = 0 if recording else len(exchange.replies)
            said.append(_replies(peer, expected, exchange.hangup and not recording, recording, exchange.wait, not said))
            if said[-1][1] or not said[0][0]:  # without a greeting there is nobody to talk to
                break
    return said


def _replies(
    peer: socket.socket, expected: int, hangup: bool, recording: bool, wait: float, greeting: bool
) -> tuple[list[str], bool]:
    received, end = b"", time.monotonic() + 8 + wait
    while True:
        enough = received.count(b"\r\n") >= expected and not hangup
        patient = not enough or recording and not received
        longest = 1.5 if recording and not greeting else 4.0
        peer.settimeout(max(0.01, min(end - time.monotonic(), longest)) if patient else 0.25 if recording else 0.04)
        try:
            octets = peer.recv(65536)
        except TimeoutError:
            break
        except ConnectionResetError:
            octets = b""
        if not octets:
            return _reply_lines(received), True
        received += octets
    return _reply_lines(received), False


def _reply_lines(received: bytes) -> list[str]:
    return [dialogue.anonymous(dialogue.escape(line)) for line in received.split(b"\r\n")[:-1]]


def _batches(cases: list[Case]) -> list[list[Case]]:
    """Cases that may run at the same time: with the same zone, and without a policy server of their own."""
    found: dict[object, list[Case]] = defaultdict(list)
    for case in cases:
        alone = case.name if case.world.policy or "rate" in case.name else ""
        found["\n".join(case.world.zone), alone].append(case)
    return list(found.values())


def play(cases: list[Case], kinds: list[type[Instance]], recording: bool = False) -> dict[str, list[Said]]:
    """Name of each case -> what each kind of MTA said. To be called inside the namespace."""
    place = Path(os.environ[INSIDE])
    names, policies = access_dialogue.NameServer(), access_dialogue.PolicyServer()
    names.start()
    policies.start()
    for address in {case.spoken.client for case in cases if not case.spoken.client.startswith("127.")}:
        subprocess.run(["ip", "addr", "add", address, "dev", "lo"], check=True)
    groups: dict[object, list[Case]] = defaultdict(list)
    for case in cases:
        groups[case.shared].append(case)
    said: dict[str, list[Said]] = {case.name: [[] for _ in kinds] for case in cases}
    first, waiting = 2001, []
    for group in groups.values():
        instances = []
        for kind in kinds:
            instances.append(kind(group, list(range(first, first + len(group))), place))
            first += len(group)
        waiting.append((group, instances))
    with ThreadPoolExecutor(2 * len(kinds)) as starters:
        # The next group's instances start while this one's sessions are played.
        started = [[starters.submit(instance.start) for instance in instances] for _, instances in waiting[:1]]
        for at, (group, instances) in enumerate(waiting):
            started += [[starters.submit(instance.start) for instance in each] for _, each in waiting[at + 1 : at + 2]]
            for start in started[at]:
                start.result()
            _play_group(group, instances, names, policies, said, recording)
    return said


def _play_group(group, instances, names, policies, said, recording) -> None:
    def one(case: Case) -> None:
        for at, instance in enumerate(instances):
            case.world.asked.clear()
            try:
                began = time.monotonic()
                said[case.name][at] = _converse(case, instance.ports[case.name], recording)
                if (seconds := time.monotonic() - began) > _SLOW:
                    sys.stderr.write(f"{seconds:.0f} s: {case.name}: {type(instance).__name__}\n")
            except OSError as error:
                said[case.name][at] = [([f"{type(error).__name__}: {error}"], True)]

    for batch in _batches(group):
        names.serve(access_dialogue.read_zone(batch[0].world.zone))
        policies.world = batch[0].world
        began = time.monotonic()
        with ThreadPoolExecutor(8) as clients:
            list(clients.map(one, batch))
        if (seconds := time.monotonic() - began) > _SLOW:
            sys.stderr.write(f"{seconds:.0f} s for {len(batch)} cases like {batch[0].name}\n")


def in_namespace(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this script where the network is its own."""
    with tempfile.TemporaryDirectory(prefix="agr", dir="/tmp") as directory:
        os.chmod(directory, 0o755)
        resolv, hosts = Path(directory, "resolv.conf"), Path(directory, "hosts")
        resolv.write_text("nameserver 127.0.0.1\noptions attempts:1 timeout:2\n")
        hosts.write_text("127.0.0.1 localhost\n::1 localhost\n")
        script = (
            f"ip link set lo up && mount --bind {resolv} /etc/resolv.conf && mount --bind {hosts} /etc/hosts"
            ' && "$0" "$@"'  # not exec: the first process of a namespace has to collect those that nobody waits for
        )
        words = [
            "unshare",
            "-n",
            "-m",
            "-p",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "sh",
            "-c",
            script,
            sys.executable,
            __file__,
            *arguments,
        ]
        return subprocess.run(
            words, env={**os.environ, INSIDE: directory}, capture_output=True, text=True, timeout=1500
        )


def _exchanges(lines: list[str]) -> tuple[list[str], list[list[str]]]:
    """What stands before a case's first command, and its commands by exchange. Where nothing is recorded yet each ``C:`` and
    ``W:`` line is an exchange of its own."""
    fresh = not any(line.partition(" ")[0] in ("S:", "X") for line in lines)
    head: list[str] = []
    sources: list[list[str]] = []
    new = True
    for line in lines:
        mark = line.partition(" ")[0]
        if mark in ("S:", "X"):
            new = True
        elif mark in ("C:", "C-", "W:"):
            if new:
                sources.append([])
            sources[-1].append(line)
            new = fresh and mark != "C-"
        else:
            head.append(line)
    return head, sources


def _separated(text: str) -> str:
    """The table, with empty replies between commands that have none yet."""
    return _rewritten(text, lambda title, count: [(["?"], False)] * count)


def _rewritten(text: str, answers_for: Callable[[str, int], Said]) -> str:
    head, *parts = re.split(r"^== ", text, flags=re.MULTILINE)
    out = [head]
    for part in parts:
        title, *lines = part.splitlines()
        before, sources = _exchanges([line for line in lines if line])
        answers = answers_for(title, len(sources) + 1)
        body = list(before)
        for source, (replies, hangup) in zip([[], *sources], answers, strict=False):
            body += [*source, *(f"S: {reply}" for reply in replies), *(["X"] if hangup else [])]
        out.append(f"== {title}\n" + "".join(f"{line}\n" for line in body) + "\n")
    return "".join(out).rstrip("\n") + "\n"


def _record(path: Path) -> None:
    path.write_text(_separated(path.read_text()))
    said = play(read_table(path), [Postfix], recording=True)
    path.write_text(_rewritten(path.read_text(), lambda title, _: said[f"{path.stem}: {title}"][0]))


def main() -> None:
    word, *names = sys.argv[1:]
    if INSIDE not in os.environ:
        done = in_namespace(*sys.argv[1:])
        sys.stdout.write(done.stdout)
        sys.stderr.write(done.stderr)
        sys.exit(done.returncode)
    if word == "record":
        for path in map(Path, names):
            _record(path)
        return
    cases = [*tables(), *recorded()]
    if names and names[0].isdigit():
        cases = sample(cases, int(names[0]))
    elif names:
        cases = [case for case in cases if any(name in case.name for name in names)]
    kinds = [Postfix, Mailer] if word == "run" else [Mailer]
    json.dump(play(cases, kinds), sys.stdout)


if __name__ == "__main__":
    main()
