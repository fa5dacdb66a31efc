"""Relay throughput end to end: smtp-source -> MTA -> smtp-sink, Postfix and mailer in alternating rounds.

    python benchmarks/relay.py [--messages 3000] [--sessions 1 10 50 100] [--rounds 3] [--size 4096] [--only mailer]
        [--layout both]

A round counts from the first connection of smtp-source until smtp-sink has taken the last message. CPU is that of all
processes of the MTA. Printed: the median of the rounds, and mailer's figures over Postfix's of the same run. "new" makes a
connection for each message, "persistent" one for each session.
"""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack
from functools import partial

import figures
import instances


def submit(instance: instances.Instance, sessions: int, messages: int, size: int, keep: bool, recipient: str) -> None:
    command = ["smtp-source", "-s", str(sessions), "-m", str(messages), "-l", str(size), *(["-d"] if keep else [])]
    command += ["-f", "a@bench.example", "-t", recipient, f"127.0.0.1:{instance.port}"]
    subprocess.run(command, check=True, timeout=300)


def measure(
    instance: instances.Instance, sink: instances.Sink, sessions: int, messages: int, size: int, keep: bool
) -> tuple[float, float, float]:
    """:return: messages a second, messages accepted a second, milliseconds of CPU a message."""
    before, cpu = sink.received(), instance.cpu()
    start = time.monotonic()
    submit(instance, sessions, messages, size, keep, "b@elsewhere.test")
    accepted = time.monotonic() - start
    instances.wait_for(lambda: sink.received() >= before + messages, f"{instance.name}: all {messages} messages")
    seconds = time.monotonic() - start
    time.sleep(0.5)  # what is tidied up afterwards belongs to it
    return messages / seconds, messages / accepted, (instance.cpu() - cpu) * 1000 / messages


def main() -> None:
    parser = figures.parser(__doc__, rounds=3)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 10, 50, 100])
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--keep", choices=["new", "persistent", "both"], default="both")
    options = parser.parse_args()
    keeps = {"new": [False], "persistent": [True], "both": [False, True]}[options.keep]
    with ExitStack() as stack:
        sink = stack.enter_context(instances.sink())
        running = figures.start(stack, options.only, f"relayhost = [127.0.0.1]:{sink.port}\n", options.layout)
        print(f"{options.size} octets, {options.messages} messages a round, {options.rounds} rounds, median")
        figures.heading("sessions", ["msg/s", "accepted/s", "CPU ms/msg"])
        for keep in keeps:
            for sessions in options.sessions:
                count = max(200, options.messages // 4) if sessions == 1 else options.messages
                ask = partial(measure, sink=sink, sessions=sessions, messages=count, size=options.size, keep=keep)
                label = f"{sessions} {'persistent' if keep else 'new'}"
                figures.show(label, figures.alternate(running, options.rounds, ask))


if __name__ == "__main__":
    main()
