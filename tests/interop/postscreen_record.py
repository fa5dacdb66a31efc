"""Records the dialogues in tests/vectors/postscreen from the real Postfix, or tells what has changed.

    python tests/interop/postscreen_record.py [--write] [NAME ...]

A vector has ``main:`` lines for main.cf, then what clients do: ``client: ADDRESS`` connects from there, ``C:`` is what it says,
``S:`` what it is told until it has been quiet for a moment (``<EOF>`` at the end), ``wait:`` seconds, ``close:``; ``log:`` lines
are what postscreen and dnsblog said. Needs root and Debian's Postfix: everything happens in a network namespace of its own
with a resolv.conf of its own, so that clients have any loopback address and the blocklists are ours.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parent / "receive"), str(HERE)]
VECTORS = HERE.parent / "vectors/postscreen"
MAIN = """\
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
mynetworks = 127.0.0.200/32
postscreen_greet_wait = 2s
smtpd_peername_lookup = no
myhostname = postfix.test
mydestination =
"""
MASTER = """\
127.0.0.1:{port} inet n - n - 1 postscreen
smtpd pass - - n - - smtpd
dnsblog unix - - n - 0 dnsblog
tlsproxy unix - - n - 0 tlsproxy
"""
#: How long a client waits for its first reply and for later ones, and how long silence is.
FIRST, LATER = 2.7, 0.3


def alone() -> None:
    """Go on in a namespace of our own."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write("nameserver 127.0.0.1\noptions attempts:1 timeout:2\n")
        file.flush()
        script = f'ip link set lo up && mount --bind {file.name} /etc/resolv.conf && exec "$@"'
        command = ["unshare", "-n", "-m", "sh", "-c", script, "x", sys.executable, *sys.argv]
        sys.exit(subprocess.run(command, env={**os.environ, "SCREEN_ALONE": "1"}).returncode)


def name_server() -> None:
    """Answers as the stand-in of the tests in memory does."""
    from screen_stand_ins import LISTED
    from twisted.names import dns

    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))

    def answer(data: bytes, peer: tuple[str, int]) -> None:
        message = dns.Message()
        message.fromStr(data)
        query = message.queries[0]
        name = query.name.name.decode().lower()
        message.answer = message.recAv = 1
        if "slow" in name:
            time.sleep(5)
        found = LISTED.get(name)
        if "fail" in name:
            message.rCode = dns.ESERVER
        elif found is None:
            message.rCode = dns.ENAME
        elif query.type == dns.A:
            message.answers = [dns.RRHeader(query.name.name, dns.A, payload=dns.Record_A(found), ttl=3600)]
        server.sendto(message.toStr(), peer)

    while True:
        threading.Thread(target=answer, args=server.recvfrom(600), daemon=True).start()


class Client:
    def __init__(self, address: str, port: int) -> None:
        self._socket = socket.socket()
        self._socket.bind((address, 0))
        self._socket.connect(("127.0.0.1", port))
        self.patience = FIRST

    def say(self, octets: bytes) -> None:
        self._socket.sendall(octets)

    def hear(self) -> str:
        text = ""
        self._socket.settimeout(self.patience)
        self.patience = LATER
        try:
            while octets := self._socket.recv(4096):
                text += octets.decode("latin-1")
            return text + "<EOF>"
        except TimeoutError:
            return text or "<wait>"
        except OSError:
            return text + "<EOF>"

    def close(self) -> None:
        self._socket.close()


def play(rows: list[tuple[str, str]], port: int) -> list[str]:
    """:return: the lines of the vector with what Postfix says."""
    lines = []
    client = None
    for kind, rest in rows:
        if kind == "client":
            client = Client(rest, port)
        elif kind == "wait":
            time.sleep(float(rest))
        elif client is not None and kind == "C":
            client.say(json.loads(rest).encode("latin-1"))
        elif client is not None and kind == "S":
            rest = json.dumps(client.hear())
        elif client is not None and kind == "close":
            client.close()
        lines.append(f"{kind}: {rest}".rstrip(" "))
    return lines


def logged(text: str) -> list[str]:
    told = []
    for line in text.splitlines():
        found = re.search(r"/(postscreen|dnsblog)\[\d+\]: (.*)", line)
        if found and "full cleanup" not in line and "overriding earlier entry" not in line:
            said = re.sub(r"(\d\]):\d{4,5}\b", r"\1:P", found[2])
            told.append(f"log: {found[1]}: " + re.sub(r"after \d+\.\d+|after \d+(?= from)", "after T", said))
    return told


def record(path: Path) -> str:
    from certificates import both
    from peers import free_port, wait_until
    from servers import Postfix

    rows = []
    for line in path.read_text().splitlines():
        kind, _, rest = line.partition(":")
        rows.append((kind, rest.removeprefix(" ")))
    directory = Path(tempfile.mkdtemp(prefix="screen-"))
    directory.chmod(0o755)
    certificate = directory / "server.pem"
    certificate.write_bytes(both("postfix.test"))
    main = "".join(rest.replace("{certificate}", str(certificate)) + "\n" for kind, rest in rows if kind == "main")
    port = free_port()
    postfix = Postfix(directory, MAIN + main, MASTER.format(port=port))
    try:
        wait_until(lambda: (directory / "queue/private/smtpd").exists(), what="postscreen's start")
        lines = play([row for row in rows if row[0] != "log"], port)
        time.sleep(0.8)
    finally:
        postfix.stop()
    return "\n".join(lines + logged(postfix.log())) + "\n"


def main() -> int:
    if "SCREEN_ALONE" not in os.environ:
        alone()
    threading.Thread(target=name_server, daemon=True).start()
    wanted = [word for word in sys.argv[1:] if not word.startswith("-")]
    changed = 0
    for path in sorted(VECTORS.glob("*.txt")):
        if wanted and path.stem not in wanted:
            continue
        before, now = path.read_text(), record(path)
        if sorted(before.splitlines()) != sorted(now.splitlines()):
            changed += 1
            print(path.stem)
            print("\n".join(f"  - {line}" for line in before.splitlines() if line not in now.splitlines()))
            print("\n".join(f"  + {line}" for line in now.splitlines() if line not in before.splitlines()))
            if "--write" in sys.argv:
                path.write_text(now)
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
