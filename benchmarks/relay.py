"""Relay throughput end to end: smtp-source -> MTA -> smtp-sink, Postfix and mailer in alternating rounds.

    python benchmarks/relay.py [--messages 3000] [--sessions 1 10 50 100] [--rounds 3] [--size 4096] [--only mailer]
        [--layout both] [--restrictions]

A round counts from the first connection of smtp-source until smtp-sink has taken the last message. CPU is that of all
processes of the MTA. Printed: the median of the rounds, and mailer's figures over Postfix's of the same run. "new" makes a
connection for each message, "persistent" one for each session. With ``--restrictions`` a second instance of each has ten
restrictions of an ordinary configuration and four access tables, and what these cost is shown.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

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


CHECKING = "+checks"
#: Ten restrictions, four of them tables with a thousand entries each that decide nothing.
RESTRICTIONS = """\
smtpd_client_restrictions = check_client_access {0}/client
smtpd_helo_restrictions = reject_invalid_helo_hostname, check_helo_access {0}/helo
smtpd_sender_restrictions = reject_non_fqdn_sender, check_sender_access {0}/sender
smtpd_recipient_restrictions = reject_non_fqdn_recipient, reject_unlisted_recipient, check_recipient_access {0}/recipient,
    permit_mynetworks, reject_unauth_destination
"""


def tables(directory: str) -> None:
    for name in ("client", "helo", "sender", "recipient"):
        lines = "".join(f"{name}{number}.invalid REJECT\n" for number in range(1000))
        (Path(directory) / name).write_text(lines)


def cost(medians: dict[str, list[float]]) -> None:
    for name, (rate, _, cpu) in medians.items():
        checked = medians.get(f"{name}{CHECKING}")
        if checked is not None:
            lost = 100 * (1 - checked[0] / rate)
            print(f"    {name}: restrictions cost {lost:.0f} % of the rate, {checked[2] - cpu:+.3f} ms CPU a message")


def main() -> None:
    parser = figures.parser(__doc__, rounds=3)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 10, 50, 100])
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--keep", choices=["new", "persistent", "both"], default="both")
    parser.add_argument("--restrictions", action="store_true")
    options = parser.parse_args()
    keeps = {"new": [False], "persistent": [True], "both": [False, True]}[options.keep]
    with ExitStack() as stack:
        sink = stack.enter_context(instances.sink())
        running = figures.start(stack, options.only, f"relayhost = [127.0.0.1]:{sink.port}\n", options.layout)
        checking: list[instances.Instance] = []
        if options.restrictions:
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix="rst", dir="/tmp"))
            os.chmod(place, 0o755)
            tables(place)
            extra = f"relayhost = [127.0.0.1]:{sink.port}\n" + RESTRICTIONS.format(f"texthash:{place}")
            checking = figures.start(stack, options.only, extra, options.layout)
            for instance in checking:
                instance.name += CHECKING
        print(f"{options.size} octets, {options.messages} messages a round, {options.rounds} rounds, median")
        figures.heading("sessions", ["msg/s", "accepted/s", "CPU ms/msg"])
        for keep in keeps:
            for sessions in options.sessions:
                count = max(200, options.messages // 4) if sessions == 1 else options.messages
                ask = partial(measure, sink=sink, sessions=sessions, messages=count, size=options.size, keep=keep)
                label = f"{sessions} {'persistent' if keep else 'new'}"
                medians = figures.alternate([*running, *checking], options.rounds, ask)
                figures.show(label, medians)
                cost(medians)


if __name__ == "__main__":
    main()
