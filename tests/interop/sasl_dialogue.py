"""SMTP dialogues with AUTH: the real Postfix beside the real Dovecot, or with Cyrus SASL and a saslauthd of ours.

Vectors are written as ``smtpd_dialogue`` says, under ``tests/vectors/sasl``. ``dovecot:`` lines are added to dovecot.conf,
``smtpd.conf:`` lines make Cyrus SASL's smtpd.conf; the line ``none`` means that there is no such server.

Run as a script, this records the vectors named anew.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import smtpd_dialogue
from smtpd_dialogue import Dialogue, RealPostfix, parse, render

VECTORS = Path(__file__).parent.parent / "vectors" / "sasl"

#: Users and passwords that both servers know.
USERS = {"bob": "secret", "ann@example.org": "p\xe4ss", "closed": "secret"}

DOVECOT_CONF = """\
base_dir = {directory}/run
log_path = {directory}/log
protocols =
ssl = no
default_login_user = nobody
default_internal_user = nobody
default_internal_group = nogroup
first_valid_uid = 1
auth_failure_delay = 0
auth_mechanisms = plain login cram-md5 scram-sha-256 anonymous external
{more}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {directory}/users
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/tmp
}}
service auth {{
  unix_listener {socket} {{
    mode = 0666
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""


class Dovecot:
    """Dovecot's auth service on one UNIX socket."""

    def __init__(self, path: Path, more: list[str]) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="dov", dir="/tmp"))
        self.directory.chmod(0o755)
        users = "".join(f"{name}:{{PLAIN}}{word}::::::{_extra(name)}\n" for name, word in USERS.items())
        (self.directory / "users").write_text(users)
        text = DOVECOT_CONF.format(directory=self.directory, socket=path, more="\n".join(more))
        (self.directory / "dovecot.conf").write_text(text)
        self._process = subprocess.Popen(
            ["/usr/sbin/dovecot", "-F", "-c", str(self.directory / "dovecot.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(100):
            if path.exists():
                return
            time.sleep(0.05)
        self.stop()
        raise RuntimeError((self.directory / "log").read_text())

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        shutil.rmtree(self.directory, ignore_errors=True)


def _extra(name: str) -> str:
    return "nologin" if name == "closed" else ""


def saslauthd_answer(user: str, password: str, service: str, realm: str) -> str:
    """What our saslauthd says to a request."""
    full = f"{user}@{realm}" if realm else user
    return "OK" if password and USERS.get(full, USERS.get(user)) == password else "NO authentication failed"


class Saslauthd:
    """A saslauthd(8) in threads, on the socket ``mux`` in a directory of its own."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="csl", dir="/tmp"))
        self.directory.chmod(0o755)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(self.directory / "mux"))
        os.chmod(self.directory / "mux", 0o666)
        self._socket.listen(5)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            with peer:
                stream = peer.makefile("rb")
                words = [stream.read(int.from_bytes(stream.read(2), "big")).decode() for _ in range(4)]
                said = saslauthd_answer(*words).encode()
                peer.sendall(len(said).to_bytes(2, "big") + said)

    def stop(self) -> None:
        self._socket.close()
        shutil.rmtree(self.directory, ignore_errors=True)


class PostfixWithAuth(RealPostfix):
    """Starts what the settings ask for beside Postfix."""

    def __init__(self, beside: list[tuple[str, str]], settings: dict[str, str]) -> None:
        self._servers: list[Dovecot | Saslauthd] = []
        self._dovecot = [text for mark, text in beside if mark == "dovecot:"]
        self._uses_dovecot = settings.get("smtpd_sasl_type") == "dovecot" and "none" not in self._dovecot
        super().__init__(settings)
        if settings.get("smtpd_sasl_type", "cyrus") == "cyrus":
            self._use_saslauthd([text for mark, text in beside if mark == "smtpd.conf:"])

    def _use_saslauthd(self, lines: list[str]) -> None:
        saslauthd = Saslauthd()
        self._servers.append(saslauthd)
        if not any(line.startswith("saslauthd_path") for line in lines):
            lines = [*lines, f"saslauthd_path: {saslauthd.directory}/mux"]
        place = self.root / "etc/sasl"  # Debian's Postfix looks here, whatever cyrus_sasl_config_path says
        place.mkdir()
        (place / "smtpd.conf").write_text("".join(f"{line}\n" for line in lines))

    def __enter__(self) -> PostfixWithAuth:
        super().__enter__()
        if self._uses_dovecot:
            self._servers.append(Dovecot(self.root / "queue/private/auth", self._dovecot))
        return self

    def __exit__(self, *reason: object) -> None:
        for server in self._servers:
            server.stop()
        super().__exit__(*reason)


def record(dialogue: Dialogue) -> None:
    smtpd_dialogue.record(dialogue, 0.25, partial(PostfixWithAuth, dialogue.beside))  # type: ignore[arg-type]


def main() -> None:
    for name in sys.argv[1:]:
        path = Path(name)
        dialogue = parse(path.read_text())
        record(dialogue)
        path.write_text(render(dialogue))
        sys.stdout.write(f"== {path.name}\n{path.read_text()}")


if __name__ == "__main__":
    main()
