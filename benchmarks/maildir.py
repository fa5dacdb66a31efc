"""Delivery into a Maildir by ``virtual``: smtp-source -> MTA -> files, Postfix and mailer in alternating rounds.

    python benchmarks/maildir.py [--messages 2000] [--sessions 10 50] [--rounds 3] [--size 4096] [--only mailer]

Each message is a file that is synced before it is renamed into ``new``. A round counts until the last file is there.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import ExitStack
from functools import partial

import figures
import instances
from relay import submit

MAIN = f"""
virtual_mailbox_domains = example.test
virtual_mailbox_base = $config_directory/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:{os.getuid() or 65534}
virtual_gid_maps = static:{os.getgid() or 65534}
virtual_minimum_uid = 1
"""


def delivered(instance: instances.Instance) -> int:
    return sum(len(os.listdir(path)) for path in (instance.directory / "mail").glob("box/new"))


def measure(instance: instances.Instance, sessions: int, messages: int, size: int) -> tuple[float, float]:
    """:return: messages a second, milliseconds of CPU a message."""
    mail = instance.directory / "mail"
    shutil.rmtree(mail, ignore_errors=True)
    mail.mkdir()
    if os.getuid() == 0:
        os.chown(mail, 65534, 65534)
    cpu = instance.cpu()
    start = time.monotonic()
    submit(instance, sessions, messages, size, True, "u@example.test")
    instances.wait_for(lambda: delivered(instance) >= messages, f"{instance.name}: all {messages} files", 60, 0.02)
    seconds = time.monotonic() - start
    time.sleep(0.5)
    return messages / seconds, (instance.cpu() - cpu) * 1000 / messages


def main() -> None:
    parser = figures.parser(__doc__, rounds=3)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--sessions", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--size", type=int, default=4096)
    options = parser.parse_args()
    with ExitStack() as stack:
        running = figures.start(stack, options.only, MAIN)
        print(f"{options.size} octets, {options.messages} messages a round, {options.rounds} rounds, median")
        figures.heading("sessions", ["msg/s", "CPU ms/msg"])
        for sessions in options.sessions:
            ask = partial(measure, sessions=sessions, messages=options.messages, size=options.size)
            figures.show(str(sessions), figures.alternate(running, options.rounds, ask))


if __name__ == "__main__":
    main()
