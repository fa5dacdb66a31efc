"""Memory for each SMTP session that waits: of the MTA's processes, and of the kernel for its sockets.

    python benchmarks/idle.py [--sessions 4000] [--postfix-sessions 100] [--only mailer]

A session has said EHLO and is silent. Process memory is the growth of the proportional set size. Kernel memory is the growth of
the slab caches that belong to sockets (/proc/slabinfo, root only) and of the sockets' buffers; half of it is the
clients' end, which is on this machine as well. Postfix is asked for fewer sessions: each is a process, 100 as it ships.
"""

from __future__ import annotations

import os
import resource
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import figures
import instances

CACHES = {"TCP", "sock_inode_cache", "filp", "dentry", "eventpoll_epi", "eventpoll_pwq", "skbuff_head_cache",
          "skbuff_small_head", "tw_sock_TCP", "request_sock_TCP", "kmalloc-512", "kmalloc-1k", "lsm_file_cache"}  # fmt: skip


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


def connect(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), 60)
    assert sock.recv(512).startswith(b"220")
    sock.sendall(b"EHLO client.example\r\n")
    assert sock.recv(2048).startswith(b"250")
    return sock


def measure(instance: instances.Instance, count: int) -> tuple[float, float]:
    """:return: KiB a session in processes, and in the kernel."""
    with ExitStack() as stack:
        for _ in range(20):  # what is made once
            stack.enter_context(connect(instance.port))
        time.sleep(2)
        processes, kernel = instance.resident(), kernel_memory()
        for _ in range(count):
            stack.enter_context(connect(instance.port))
        time.sleep(2)
        grown = (instance.resident() - processes) / count / 1024
        after = kernel_memory()
        ours = float("nan") if kernel is None or after is None else (after - kernel) / 2 / count / 1024
        return grown, ours


def main() -> None:
    parser = figures.parser(__doc__, rounds=1)
    parser.add_argument("--sessions", type=int, default=4000)
    parser.add_argument("--postfix-sessions", type=int, default=100)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    figures.heading("sessions", ["process KiB", "kernel KiB", "sum KiB"])
    medians = {}
    for name, maker in figures.makers(options.only).items():
        count = options.sessions if name == "mailer" else options.postfix_sessions - 20
        with maker() as instance:
            rows = figures.alternate([instance], options.rounds, lambda one, n=count: measure(one, n), warm_up=False)
        medians[name] = [*rows[name], sum(rows[name])]
        figures.show(str(count), {name: medians[name]})
    figures.show("", medians)


if __name__ == "__main__":
    main()
