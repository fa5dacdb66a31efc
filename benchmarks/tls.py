"""TLS handshakes a second, and messages over TLS, of mailer's and Postfix's SMTP server in alternating rounds.

A session is: connect, EHLO, STARTTLS, handshake, EHLO, QUIT. The clients are processes of their own (Python's ssl on one core
cannot keep a server busy); the figure that counts is the server's CPU for a handshake, the same session without STARTTLS
taken off. With --messages each session carries that many messages of 4 KB after its handshake.

    python benchmarks/tls.py [--seconds 5] [--clients 4] [--rounds 2] [--messages 0] [--only mailer] [--layout both]
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import figures

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))
from certificates import both

MESSAGE = b"Subject: benchmark\r\n\r\n" + (b"x" * 70 + b"\r\n") * 56 + b".\r\n"
SETTINGS = """\
smtpd_tls_security_level = may
smtpd_tls_chain_files = {chain}
virtual_mailbox_domains = bench.test
virtual_mailbox_maps = static:x
virtual_transport = discard
"""


def _session(port: int, context: ssl.SSLContext | None, messages: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 20) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _say(sock, b"")
        _say(sock, b"EHLO bench.test\r\n")
        if context is not None:
            _say(sock, b"STARTTLS\r\n")
            sock = context.wrap_socket(sock)
            _say(sock, b"EHLO bench.test\r\n")
        for _ in range(messages):
            _say(sock, b"MAIL FROM:<a@bench.test>\r\nRCPT TO:<b@bench.test>\r\nDATA\r\n", b"354 ")
            _say(sock, MESSAGE)
        _say(sock, b"QUIT\r\n")
        sock.close()


def _say(sock: socket.socket, octets: bytes, last: bytes = b"2") -> None:
    if octets:
        sock.sendall(octets)
    said = b""
    while True:
        piece = sock.recv(65536)
        if not piece:
            raise RuntimeError(f"the server left after {octets[:40]!r}: {said!r}")
        said += piece
        lines = said.split(b"\r\n")
        if said.endswith(b"\r\n") and lines[-2][3:4] == b" " and lines[-2].startswith(last):
            return
        if lines[0][:1] in (b"4", b"5"):
            raise RuntimeError(f"refused: {said!r}")


def _client(port: int, encrypted: bool, messages: int, end: float, counts: multiprocessing.Queue) -> None:
    context = None
    if encrypted:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    count = 0
    while time.monotonic() < end:
        _session(port, context, messages)
        count += 1
    counts.put(count)


def _round(instance, encrypted: bool, messages: int, clients: int, seconds: float) -> tuple[float, float]:
    """:return: sessions a second, milliseconds of the server's CPU for one."""
    counts: multiprocessing.Queue = multiprocessing.Queue()
    before, begun = instance.cpu(), time.monotonic()
    arguments = (instance.port, encrypted, messages, begun + seconds, counts)
    processes = [multiprocessing.Process(target=_client, args=arguments) for _ in range(clients)]
    for process in processes:
        process.start()
    done = sum(counts.get(timeout=seconds + 60) for _ in processes)
    for process in processes:
        process.join()
    return done / (time.monotonic() - begun), (instance.cpu() - before) / done * 1000


def main() -> None:
    parser = figures.parser(__doc__ or "", 2)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--messages", type=int, default=0)
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="bench-keys-"))
    directory.chmod(0o755)
    try:
        for kind in ("rsa", "ec"):
            chain = directory / f"{kind}.pem"
            chain.write_bytes(both("bench.test", kind))
            _compare(kind, SETTINGS.format(chain=chain), options)
    finally:
        shutil.rmtree(directory)


def _compare(kind: str, settings: str, options: argparse.Namespace) -> None:
    with ExitStack() as stack:
        running = figures.start(stack, options.only, settings, options.layout)
        for number in range(options.rounds):
            for instance in running if number % 2 == 0 else running[::-1]:
                plain = _round(instance, False, options.messages, options.clients, options.seconds / 2)
                rate, cost = _round(instance, True, options.messages, options.clients, options.seconds)
                print(
                    f"{kind:4} {instance.name:9} {rate:7.0f} sessions/s {cost:6.2f} ms CPU each,"
                    f" TLS's part {cost - plain[1]:6.2f} ms (without TLS {plain[0]:.0f}/s)",
                    flush=True,
                )
    speed = subprocess.run(
        ["openssl", "speed", "-seconds", "1", "rsa2048" if kind == "rsa" else "ecdsap256"],
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    print(f"     openssl speed: {' '.join(speed[-1:])}", flush=True)


if __name__ == "__main__":
    main()
