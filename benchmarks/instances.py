"""Start Postfix and mailer side by side, each with its own directories and ports, and read what they cost.

Both get the same main.cf text apart from paths; both run in the foreground as children of the benchmark; CPU is the sum
over their process trees (living processes, and those the roots have waited for), from /proc.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/mail.log
maillog_file_prefixes = {directory}
myhostname = bench.example
mydomain = example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
smtpd_peername_lookup = no
relay_domains =
{extra}
"""

POSTFIX_MASTER_CF = """\
127.0.0.1:{port} inet n - n - {smtpd} smtpd
pickup unix n - n 60 1 pickup
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
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_for_port(port: int, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as sock:
                sock.settimeout(5)
                if sock.recv(3) == b"220":
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"nothing answers at port {port}")


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 600, pause: float = 0.005) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(pause)


def tree(root: int) -> list[int]:
    """The pids of a process and all its descendants."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += parents.get(pid, [])
    return found


def cpu(root: int) -> float:
    """Seconds of CPU that a process tree has used, children that were waited for included."""
    total = 0
    for pid in tree(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / TICK


def resident(root: int) -> int:
    """Octets of memory that belong to the tree alone (proportional set size)."""
    total = 0
    for pid in tree(root):
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            continue
    return total


class Instance:
    """A running MTA, which may be stopped and started again over the same directory.

    :param command: runs it in the foreground. :param environment: its whole environment.
    """

    def __init__(
        self, name: str, command: list[str | Path], environment: dict[str, str], port: int, directory: Path
    ) -> None:
        self.name = name
        self.command = command
        self.environment = environment
        self.port = port
        self.directory = directory
        self.process: subprocess.Popen[bytes]
        self.start()

    def start(self) -> None:
        """Returns when it greets."""
        self.process = subprocess.Popen(
            self.command,
            cwd=self.directory,
            env=self.environment,
            stdout=(self.directory / "stdout").open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_for_port(self.port)
        except BaseException:
            self.stop()
            sys.stderr.write((self.directory / "stdout").read_text()[-4000:])
            raise

    def stop(self, kill: bool = False) -> None:
        """:param kill: the whole process group at once, without a word."""
        if kill:
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def configure(self, name: str, value: str) -> None:
        """Set a parameter in main.cf; known at the next start."""
        with (self.directory / "main.cf").open("a") as file:
            file.write(f"{name} = {value}\n")

    def cpu(self) -> float:
        return cpu(self.process.pid)

    def resident(self) -> int:
        return resident(self.process.pid)


@contextmanager
def temporary(name: str) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix=f"bench-{name}-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def postfix(
    extra: str = "", smtpd: str = "-", master: str = "", environment: dict[str, str] | None = None
) -> Iterator[Instance]:
    """The installed Postfix. Needs root, as Postfix's master does."""
    with temporary("postfix") as directory:
        port = free_port()
        (directory / "main.cf").write_text(MAIN_CF.format(directory=directory, extra=extra))
        (directory / "master.cf").write_text(POSTFIX_MASTER_CF.format(port=port, smtpd=smtpd) + master)
        (directory / "queue").mkdir()
        (directory / "data").mkdir()
        shutil.chown(directory / "data", "postfix")
        environment = {**os.environ, "MAIL_CONFIG": str(directory), **(environment or {})}
        subprocess.run(["postfix", "-c", str(directory), "check"], check=True, env=environment, capture_output=True)
        master_daemon = Path(
            subprocess.run(
                ["postconf", "-h", "daemon_directory"], check=True, capture_output=True, text=True
            ).stdout.strip()
        )
        command = [master_daemon / "master", "-c", str(directory), "-d"]
        instance = Instance("postfix", command, environment, port, directory)
        try:
            yield instance
        finally:
            instance.stop()


@contextmanager
def mailer(
    extra: str = "", master: str = "", environment: dict[str, str] | None = None, layout: str = "single"
) -> Iterator[Instance]:
    """This checkout, with the interpreter that runs the benchmark, in one process or in many."""
    with temporary("mailer") as directory:
        port = free_port()
        (directory / "main.cf").write_text(MAIN_CF.format(directory=directory, extra=extra))
        (directory / "master.cf").write_text(POSTFIX_MASTER_CF.format(port=port, smtpd="-") + master)
        (directory / "queue").mkdir()
        (directory / "data").mkdir()
        twistd = Path(sys.executable).with_name("twistd")
        command = [twistd, "--nodaemon", "--pidfile=", "mailer", f"--layout={layout}", "-c", str(directory)]
        checkout = str(Path(__file__).resolve().parent.parent)
        environment = {**os.environ, "MAIL_CONFIG": str(directory), "PYTHONPATH": checkout, **(environment or {})}
        instance = Instance("mailer" if layout == "single" else layout, command, environment, port, directory)
        try:
            yield instance
        finally:
            instance.stop()


class Sink:
    """smtp-sink(1) with its counter."""

    def __init__(self, process: subprocess.Popen, port: int, output: Path) -> None:
        self.process = process
        self.port = port
        self._output = output

    def received(self) -> int:
        """Messages taken so far."""
        with self._output.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 300))
            found = re.findall(rb"mesg=(\d+)", file.read())
        return int(found[-1]) if found else 0


@contextmanager
def sink(*options: str, backlog: int = 1024) -> Iterator[Sink]:
    with temporary("sink") as directory:
        port = free_port()
        output = directory / "counter"
        process = subprocess.Popen(
            [
                "smtp-sink",
                *(["-u", "nobody"] if os.getuid() == 0 else []),
                "-c",
                *options,
                f"127.0.0.1:{port}",
                str(backlog),
            ],
            stdout=output.open("wb"),
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for_port(port)
            yield Sink(process, port, output)
        finally:
            process.kill()
            process.wait()
