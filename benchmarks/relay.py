"""Relay throughput end to end: smtp-source -> MTA -> smtp-sink, Postfix and mailer in alternating rounds.

    python benchmarks/relay.py [--messages 3000] [--sessions 1 10 50 100] [--rounds 3] [--size 4096] [--only mailer]

A round counts from the first connection of smtp-source until smtp-sink has taken the last message. CPU is that of all
processes of the MTA. Printed: the median of the rounds, and mailer's figures over Postfix's of the same run.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import ExitStack

import instances


def round_of(instance: instances.Instance, sink: instances.Sink, sessions: int, messages: int, size: int, keep: bool):
    """:return: messages a second and milliseconds of CPU a message."""
    before, cpu = sink.received(), instance.cpu()
    start = time.monotonic()
    command = ["smtp-source", "-s", str(sessions), "-m", str(messages), "-l", str(size)]
    command += [
        *(["-d"] if keep else []),
        "-f",
        "a@bench.example",
        "-t",
        "b@elsewhere.test",
        f"127.0.0.1:{instance.port}",
    ]
    subprocess.run(command, check=True, timeout=300)
    accepted = time.monotonic() - start
    while sink.received() < before + messages:
        time.sleep(0.005)
        if time.monotonic() > start + 300:
            sys.exit(f"{instance.name}: only {sink.received() - before} of {messages} arrived")
    seconds = time.monotonic() - start
    time.sleep(0.5)
    return messages / seconds, (instance.cpu() - cpu) * 1000 / messages, messages / accepted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 10, 50, 100])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--only", choices=["postfix", "mailer"])
    parser.add_argument("--keep", choices=["new", "persistent", "both"], default="both")
    options = parser.parse_args()
    keeps = {"new": [False], "persistent": [True], "both": [False, True]}[options.keep]
    with ExitStack() as stack:
        sink = stack.enter_context(instances.sink())
        extra = f"relayhost = [127.0.0.1]:{sink.port}\n"
        makers = {"postfix": instances.postfix, "mailer": instances.mailer}
        running = [stack.enter_context(maker(extra)) for name, maker in makers.items() if options.only in (None, name)]
        print(f"{options.size} octets, {options.messages} messages a round, {options.rounds} rounds, median")
        print(f"{'sessions':>8} {'connections':>11} {'MTA':>8} {'msg/s':>8} {'accepted/s':>10} {'CPU ms/msg':>10}")
        for keep in keeps:
            for sessions in options.sessions:
                results = defaultdict(list)
                count = max(200, options.messages // 4) if sessions == 1 else options.messages
                for turn in range(options.rounds + 1):
                    for instance in running:
                        figures = round_of(instance, sink, sessions, count, options.size, keep)
                        if turn:  # the first is a warm-up
                            results[instance.name].append(figures)
                _show(sessions, keep, results)


def _show(sessions: int, keep: bool, results: dict) -> None:
    medians = {
        name: [statistics.median(column) for column in zip(*rounds, strict=True)] for name, rounds in results.items()
    }
    label = "persistent" if keep else "new"
    for name, (rate, cpu, accepted) in medians.items():
        print(f"{sessions:>8} {label:>11} {name:>8} {rate:>8.0f} {accepted:>10.0f} {cpu:>10.3f}")
    if len(medians) == 2:
        ours, theirs = medians["mailer"], medians["postfix"]
        rate, cpu, accepted = (mine / other for mine, other in zip(ours, theirs, strict=True))
        print(f"{sessions:>8} {label:>11}    ratio {rate:>8.2f} {accepted:>10.2f} {cpu:>10.2f}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
