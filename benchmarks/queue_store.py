"""How fast the queue store takes and forgets messages, and what that costs.

    python benchmarks/queue_store.py [--directory DIR] [--seconds 3] [--size 4096] [--slow-fsync MS]

For 1, 10 and 50 writers in flight: messages a second and CPU microseconds a message (reactor thread, and whole process),
once for inserting alone and once for insert, record and remove, as a message that is relayed at once does. With
``--slow-fsync`` every fsync and fdatasync of the process takes that much longer (a small C shim, compiled when needed), as on a
disk that really flushes; the store must sustain 2,000 messages a second at 50 writers with 5 ms.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from mailer.message.envelope import Client, Envelope, Recipient
from mailer.message.status import Outcome
from mailer.queue.store import SqliteQueue
from mailer.testing.log import RecordingLog

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
static void wait_long(void) { char *us = getenv("FSYNC_DELAY_US"); if (us) usleep(atoi(us)); }
int fsync(int fd) { int (*real)(int) = dlsym(RTLD_NEXT, "fsync"); wait_long(); return real(fd); }
int fdatasync(int fd) { int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync"); wait_long(); return real(fd); }
"""


class Consumer:
    """Delivers everything at once; ``finish`` says whether entries are removed."""

    def __init__(self, queue: Any, finish: bool) -> None:
        self.queue = queue
        self.finish = finish
        self.outcome = Outcome.sent("250 2.0.0 Ok: queued as 12345", relay="mx.example.org[192.0.2.1]:25")

    def room(self) -> bool:
        return True

    def arrived(self, entry: Any) -> None:
        if self.finish:
            self.queue.record(entry.queue_id, [(1, self.outcome)])
            self.queue.remove(entry.queue_id)

    def withdrawn(self, queue_ids: list[str]) -> None:
        raise AssertionError("nobody withdraws anything here")

    def due(self, flush: bool) -> None:
        raise AssertionError("nothing waits here")


async def write_messages(queue: SqliteQueue, content: bytes, until: float) -> int:
    client = Client("client.example.com", "192.0.2.10", "54321", "client.example.com", "client.example.com", "ESMTP")
    count = 0
    while time.monotonic() < until:
        message = queue.open(Envelope("sender@example.com", client))
        message.recipient(Recipient("recipient@example.org"))
        message.write(content)
        await message.commit()
        count += 1
    return count


async def measure(directory: str, writers: int, seconds: float, size: int, finish: bool) -> None:
    place = tempfile.mkdtemp(dir=directory)
    queue = SqliteQueue(place, reactor, time.time, RecordingLog())
    await queue.start()
    queue.subscribe(Consumer(queue, finish))
    content = b"Subject: benchmark\r\n\r\n" + (b"x" * 76 + b"\r\n") * (size // 78)
    wall, whole, own = time.monotonic(), time.process_time(), time.thread_time()
    counts = await gatherResults(
        [Deferred.fromCoroutine(write_messages(queue, content, wall + seconds)) for _ in range(writers)]
    )
    await queue.flushed()
    wall, whole, own = time.monotonic() - wall, time.process_time() - whole, time.thread_time() - own
    total = sum(counts)
    print(
        f"{'insert+remove' if finish else 'insert':14} {writers:3} writers: {total / wall:8.0f} msg/s"
        f"  CPU {whole / total * 1e6:6.1f} us/msg, of it reactor thread {own / total * 1e6:6.1f}",
        flush=True,
    )
    await queue.stop()
    shutil.rmtree(place)


async def run(options: argparse.Namespace) -> None:
    for finish in (False, True):
        for writers in options.writers:
            await measure(options.directory, writers, options.seconds, options.size, finish)


def with_slow_fsync(milliseconds: float) -> int:
    """Run this program again under the shim. :return: its exit code."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        print("no C compiler: cannot slow fsync down", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as place:
        source, shim = os.path.join(place, "slow.c"), os.path.join(place, "slow.so")
        with open(source, "w", encoding="ascii") as file:
            file.write(SHIM)
        subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)
        environment = {**os.environ, "LD_PRELOAD": shim, "FSYNC_DELAY_US": str(int(milliseconds * 1000))}
        return subprocess.run([sys.executable, *sys.argv], env=environment).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--directory", help="where to put the queue (default: the temporary directory)")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--writers", type=int, nargs="+", default=[1, 10, 50])
    parser.add_argument("--slow-fsync", type=float, default=0.0, metavar="MS")
    options = parser.parse_args()
    if options.slow_fsync and "FSYNC_DELAY_US" not in os.environ:
        return with_slow_fsync(options.slow_fsync)
    failures: list[Any] = []

    def start() -> None:
        finished = Deferred.fromCoroutine(run(options))
        finished.addErrback(failures.append)
        finished.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(start)
    reactor.run()
    for failure in failures:
        failure.printTraceback()
    return len(failures)


if __name__ == "__main__":
    sys.exit(main())
