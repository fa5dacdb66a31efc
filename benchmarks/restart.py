"""Restart with a long queue: how long until there is a greeting, and until a first message has been delivered.

    python benchmarks/restart.py [--messages 50000] [--rounds 3] [--only mailer]

The queue is filled through SMTP with mail that is deferred (defer_transports), then the MTA is killed and started, deferred
mail due at once. The first delivery is that of a message sent as soon as the MTA answers; the next figure is when the first 1,000
of the old ones have gone, after ``postqueue -f``.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import figures
import instances
from relay import submit

OLD = 1000


def queue_length(instance: instances.Instance) -> int:
    """Entries that have been deferred, by the log."""
    return (instance.directory / "mail.log").read_bytes().count(b"status=deferred")


def fill(instance: instances.Instance, messages: int) -> None:
    submit(instance, 20, messages, 2000, True, "b@elsewhere.test")
    instances.wait_for(lambda: queue_length(instance) >= messages, f"{instance.name}: all deferred", pause=0.5)


def flush(instance: instances.Instance) -> None:
    program = Path(sys.executable).with_name("postqueue") if instance.name == "mailer" else "postqueue"
    subprocess.run([program, "-c", str(instance.directory), "-f"], check=True, env=instance.environment)


def measure(instance: instances.Instance, sink: instances.Sink, messages: int) -> tuple[float, ...]:
    """:return: seconds until the greeting, until the first delivery, until 1,000 old ones; megabytes of memory."""
    fill(instance, messages)
    before = sink.received()
    instance.stop(kill=True)
    instance.configure("defer_transports", "")
    with figures.Peak(instance) as peak:
        start = time.monotonic()
        instance.start()
        ready = time.monotonic() - start
        submit(instance, 1, 1, 2000, True, "new@now.test")
        instances.wait_for(lambda: sink.received() > before, f"{instance.name}: the first message")
        first = time.monotonic() - start
        flush(instance)
        flushed = time.monotonic()
        instances.wait_for(lambda: sink.received() > before + OLD, f"{instance.name}: {OLD} old messages")
    return ready, first, time.monotonic() - flushed, peak.octets / 1e6


def main() -> None:
    parser = figures.parser(__doc__, rounds=1)
    parser.add_argument("--messages", type=int, default=50_000)
    options = parser.parse_args()
    figures.heading("entries", ["ready s", "delivered s", "1,000 old s", "memory MB"])
    medians = {}
    with instances.sink() as sink:
        extra = f"relayhost = [127.0.0.1]:{sink.port}\ndefer_transports = smtp relay\n"
        for name, maker in figures.makers(options.only).items():
            rows = []
            for _ in range(options.rounds):
                with maker(extra) as instance:
                    rows.append(measure(instance, sink, options.messages))
            medians[name] = figures.medians(rows)
        figures.show(str(options.messages), medians)


if __name__ == "__main__":
    main()
