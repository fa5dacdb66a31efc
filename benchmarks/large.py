"""Messages of 20 MB through a relay: octets a second, CPU, and the most memory that the MTA needed.

    python benchmarks/large.py [--messages 16] [--sessions 1 4] [--size 20000000] [--rounds 2] [--only mailer]

Memory is the proportional set size of all processes of the MTA, sampled ten times a second: the most that was seen.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial

import figures
import instances
from relay import submit


def measure(
    instance: instances.Instance, sink: instances.Sink, sessions: int, messages: int, size: int
) -> tuple[float, float, float]:
    """:return: megabytes a second, milliseconds of CPU a megabyte, megabytes of memory."""
    before, cpu = sink.received(), instance.cpu()
    megabytes = messages * size / 1e6
    with figures.Peak(instance) as peak:
        start = time.monotonic()
        submit(instance, sessions, messages, size, True, "b@elsewhere.test")
        instances.wait_for(lambda: sink.received() >= before + messages, f"{instance.name}: all {messages} messages")
        seconds = time.monotonic() - start
    time.sleep(0.5)
    return megabytes / seconds, (instance.cpu() - cpu) * 1000 / megabytes, peak.octets / 1e6


def main() -> None:
    parser = figures.parser(__doc__, rounds=2)
    parser.add_argument("--messages", type=int, default=16)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--size", type=int, default=20_000_000)
    options = parser.parse_args()
    limit = options.size * 2
    with ExitStack() as stack:
        sink = stack.enter_context(instances.sink())
        extra = f"relayhost = [127.0.0.1]:{sink.port}\nmessage_size_limit = {limit}\nmailbox_size_limit = 0\n"
        running = figures.start(stack, options.only, extra)
        print(f"{options.size / 1e6:.0f} MB, {options.messages} messages a round, {options.rounds} rounds, median")
        figures.heading("sessions", ["MB/s", "CPU ms/MB", "memory MB"])
        for sessions in options.sessions:
            ask = partial(measure, sink=sink, sessions=sessions, messages=options.messages, size=options.size)
            figures.show(str(sessions), figures.alternate(running, options.rounds, ask))


if __name__ == "__main__":
    main()
