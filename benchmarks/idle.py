"""Memory for each SMTP session that waits, and for each delivery that does: of the MTA's processes, and of the kernel.

    python benchmarks/idle.py [--sessions 4000] [--tls] [--postfix-sessions 100] [--only mailer] [--layout both]
    python benchmarks/idle.py --deliveries 2000 [--layout both] --only mailer

A session has said EHLO (with --tls: after STARTTLS) and is silent; a delivery waits for the answer to its final dot. Process
memory is the growth of the proportional set size. Kernel memory is the growth of the slab caches that belong to sockets
(/proc/slabinfo, root only) and of the sockets' buffers; half of it is the other end, which is on this machine as well. Postfix
is asked for fewer sessions: each is a process, 100 as it ships.
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import ssl
import subprocess
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import figures
import instances

CACHES = {"TCP", "sock_inode_cache", "filp", "dentry", "eventpoll_epi", "eventpoll_pwq", "skbuff_head_cache",
          "skbuff_small_head", "tw_sock_TCP", "request_sock_TCP", "kmalloc-512", "kmalloc-1k", "lsm_file_cache"}  # fmt: skip
TLS = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {directory}/pair.pem\n"
MANY = """\
relayhost = [127.0.0.1]:{port}
default_process_limit = 5000
initial_destination_concurrency = 5000
default_destination_concurrency_limit = 5000
smtp_connection_cache_on_demand = no
"""


def kernel_memory() -> int | None:
    """Octets in the caches of sockets and in their buffers; None where that cannot be read."""
    try:
        lines = Path("/proc/slabinfo").read_text().splitlines()[2:]
    except PermissionError:
        return None
    total = sum(int(fields[1]) * int(fields[3]) for fields in map(str.split, lines) if fields[0] in CACHES)
    for line in Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            total += int(line.split()[-1]) * os.sysconf("SC_PAGE_SIZE")
    return total


class Grown:
    """What the memory of an instance has grown by. ``each(count)`` is KiB for one: in processes, and in the kernel."""

    def __init__(self, instance: instances.Instance) -> None:
        self._instance = instance
        time.sleep(2)
        self._before = instance.resident(), kernel_memory()

    def each(self, count: int) -> tuple[float, float]:
        time.sleep(2)
        grown = (self._instance.resident() - self._before[0]) / count / 1024
        before, after = self._before[1], kernel_memory()
        ours = float("nan") if before is None or after is None else (after - before) / 2 / count / 1024
        return grown, ours


def connect(port: int, context: ssl.SSLContext | None) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), 60)
    assert sock.recv(512).startswith(b"220")
    if context is not None:
        sock.sendall(b"STARTTLS\r\n")
        assert sock.recv(512).startswith(b"220")
        sock = context.wrap_socket(sock)
    sock.sendall(b"EHLO client.example\r\n")
    assert sock.recv(2048).startswith(b"250")
    return sock


def sessions(instance: instances.Instance, count: int, tls: bool) -> tuple[float, float]:
    """:return: KiB a session in processes, and in the kernel."""
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with ExitStack() as stack:
        for _ in range(20):  # what is made once
            stack.enter_context(connect(instance.port, context))
        memory = Grown(instance)
        for _ in range(count):
            stack.enter_context(connect(instance.port, context))
        return memory.each(count)


class SlowSink:
    """An SMTP server that answers everything but the final dot. ``held`` counts the messages that wait for that."""

    def __init__(self) -> None:
        self.held = self.port = 0
        self._ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True).start()
        self._ready.wait()

    async def _run(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=4096)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 slow.example ESMTP\r\n")
        while line := await reader.readline():
            if line.upper().startswith(b"DATA"):
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                self.held += 1
                await asyncio.sleep(3600)
            writer.write(b"250 ok\r\n")


def deliveries(instance: instances.Instance, sink: SlowSink, count: int) -> tuple[float, float]:
    """:return: KiB a delivery in processes, and in the kernel."""
    with socket.create_connection(("127.0.0.1", instance.port), 60) as sock, sock.makefile("rwb") as stream:
        assert stream.readline().startswith(b"220")

        def send(number: int) -> None:
            for line in (b"HELO x", b"MAIL FROM:<me@example>", b"RCPT TO:<u%d@elsewhere.example>" % number, b"DATA",
                         b"Subject: x\r\n\r\nx\r\n."):  # fmt: skip
                stream.write(line + b"\r\n")
                stream.flush()
                answer = stream.readline()
                assert answer[:1] in b"23", answer

        def fill(upto: int) -> None:
            for number in range(sent[0], upto):
                send(number)
            sent[0] = upto
            end = time.monotonic() + 60
            while sink.held < upto and time.monotonic() < end:
                time.sleep(0.1)
            assert sink.held >= upto, f"{sink.held} of {upto} deliveries at the same time"

        sent = [0]
        fill(20)
        memory = Grown(instance)
        fill(20 + count)
        return memory.each(count)


def pair(directory: Path) -> None:
    """A key and a certificate for it."""
    key, chain = directory / "key.pem", directory / "chain.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=bench.example -days 2"
    )
    subprocess.run([*command.split(), "-keyout", key, "-out", chain], check=True, capture_output=True)
    (directory / "pair.pem").write_bytes(key.read_bytes() + chain.read_bytes())


def main() -> None:
    parser = figures.parser(__doc__, rounds=1)
    parser.add_argument("--sessions", type=int, default=4000)
    parser.add_argument("--postfix-sessions", type=int, default=100)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--deliveries", type=int, default=0)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    figures.heading("deliveries" if options.deliveries else "sessions", ["process KiB", "kernel KiB", "sum KiB"])
    medians = {}
    with instances.temporary("keys") as keys:
        pair(keys)
        for name, maker in figures.makers(options.only, options.layout).items():
            sink = SlowSink()
            extra = MANY.format(port=sink.port) if options.deliveries else ""
            extra += TLS.format(directory=keys) if options.tls else ""
            count = options.sessions if name != "postfix" else options.postfix_sessions - 20
            with maker(extra) as instance:

                def measure(one: instances.Instance, count: int = count, sink: SlowSink = sink) -> tuple[float, float]:
                    if options.deliveries:
                        return deliveries(one, sink, options.deliveries)
                    return sessions(one, count, options.tls)

                rows = figures.alternate([instance], options.rounds, measure, warm_up=False)
                processes = len(instances.tree(instance.process.pid))
            medians[name] = [*rows[instance.name], sum(rows[instance.name])]
            figures.show(f"{options.deliveries or count}, {processes} processes", {name: medians[name]})
    figures.show("", medians)


if __name__ == "__main__":
    main()
