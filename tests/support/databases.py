"""Real database servers for tests: PostgreSQL and MariaDB, each in a temporary directory, as an ordinary user, on a socket
and a loopback port."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["MariaDb", "PostgreSql", "Server", "free_port"]

_PATIENCE = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _owner() -> tuple[int, int] | None:
    """Whom servers run as that refuse root; None: whoever we are."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


class Server:
    """A server that was started; ``stop``, ``freeze``, ``thaw``, ``start`` again, and ``close`` at the end."""

    needs: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="db", dir="/tmp"))
        self.port = free_port()
        self._owner = _owner()
        if self._owner is not None:
            os.chown(self.directory, *self._owner)
        self._process: subprocess.Popen[bytes] | None = None
        self.prepare()
        self.start()

    @classmethod
    def missing(cls) -> str:
        """Why it cannot be used here; ""."""
        absent = [name for name in cls.needs if cls.program(name) is None]
        return f"not installed: {', '.join(absent)}" if absent else ""

    @classmethod
    def program(cls, name: str) -> str | None:
        return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")

    def prepare(self) -> None:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def ready(self) -> bool:
        raise NotImplementedError

    def run(self, *command: str, data: str | None = None) -> str:
        """Run a program of the server's to its end."""
        done = subprocess.run(
            command, input=data, capture_output=True, text=True, timeout=_PATIENCE, cwd=self.directory, **self._who()
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _who(self) -> dict[str, object]:
        return {} if self._owner is None else {"user": self._owner[0], "group": self._owner[1], "extra_groups": []}

    def start(self) -> None:
        with open(self.directory / "log", "ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory, **self._who()
            )
        self._wait(self.ready)

    def _wait(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + _PATIENCE
        while not condition():
            assert self._process is not None and self._process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < end, (self.directory / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGQUIT if isinstance(self, PostgreSql) else signal.SIGKILL)
            process.wait(_PATIENCE)

    def freeze(self) -> None:
        """The server and the processes that it has for its clients."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        done = subprocess.run(["pgrep", "-P", str(self._process.pid)], capture_output=True, text=True)
        for process in [self._process.pid, *map(int, done.stdout.split())]:
            os.kill(process, number)

    def close(self) -> None:
        with contextlib.suppress(AssertionError):
            self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


class PostgreSql(Server):
    """User ``mail``, password ``secret``, data base ``mail``."""

    needs = ("initdb", "postgres", "psql")

    @classmethod
    def program(cls, name: str) -> str | None:
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        return str(found[-1]) if found else shutil.which(name)

    def prepare(self) -> None:
        (self.directory / "password").write_text("secret\n")
        self.run(
            *(self.program("initdb") or "", "-D", "data", "-U", "mail", "--pwfile", str(self.directory / "password")),
            *("-A", "scram-sha-256", "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
        )

    def command(self) -> list[str]:
        options = [f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={self.directory}"]
        options += ["fsync=off", "max_connections=40", "shared_buffers=8MB"]
        return [self.program("postgres") or "", "-D", "data", *(word for each in options for word in ("-c", each))]

    def ready(self) -> bool:
        try:
            self.sql("select 1", "postgres")
        except AssertionError:
            return False
        return True

    def sql(self, text: str, database: str = "mail") -> str:
        url = f"postgresql://mail:secret@127.0.0.1:{self.port}/{database}"
        return self.run(self.program("psql") or "", "-qAt", "-v", "ON_ERROR_STOP=1", url, data=text)


class MariaDb(Server):
    """User ``mail``, password ``secret``, data base ``mail``."""

    needs = ("mariadbd", "mariadb-install-db", "mariadb")

    def prepare(self) -> None:
        self.run(
            *(self.program("mariadb-install-db") or "", "--no-defaults", f"--datadir={self.directory}/data"),
            *("--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-flush-method=nosync"),
        )

    def command(self) -> list[str]:
        place = self.directory
        return [
            *(self.program("mariadbd") or "", "--no-defaults", f"--datadir={place}/data", f"--socket={place}/socket"),
            *(f"--port={self.port}", "--bind-address=127.0.0.1", f"--pid-file={place}/pid", "--skip-log-bin"),
            *("--innodb-buffer-pool-size=8M", "--innodb-flush-method=nosync", "--character-set-server=utf8mb4"),
        ]

    def ready(self) -> bool:
        try:
            self.sql("select 1", "mysql")
        except AssertionError:
            return False
        return True

    def sql(self, text: str, database: str = "mail") -> str:
        client = self.program("mariadb") or ""
        return self.run(
            client, "--no-defaults", "-NB", f"--socket={self.directory}/socket", "-uroot", database, data=text
        )

    def start(self) -> None:
        super().start()
        self.sql(
            "create database if not exists mail; create user if not exists mail@'127.0.0.1' identified by 'secret';"
            " create user if not exists mail@localhost identified by 'secret';"
            " grant all on mail.* to mail@'127.0.0.1'; grant all on mail.* to mail@localhost;",
            "mysql",
        )
