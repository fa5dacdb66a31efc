"""How many messages are accepted when every fsync takes 5 ms longer, as on a disk that really flushes.

    python benchmarks/slowdisk.py [--delay 5] [--messages 4000] [--sessions 1 50] [--rounds 2] [--only mailer]

fsync and fdatasync of all processes of the MTA are delayed by a small C library (compiled here). Two figures: messages that
the transport ``discard`` takes at once, and messages that wait in the queue afterwards (HOLD); both count until the last 250.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial

import figures
import instances
from queue_store import SHIM
from relay import submit

DISCARD = "default_transport = discard\nrelay_transport = discard\n"
HOLD = "smtpd_recipient_restrictions = static:hold permit_mynetworks reject\n"
#: Postfix hands on to its daemons what it is told to.
IMPORT = "import_environment = MAIL_CONFIG TZ LANG=C LD_PRELOAD FSYNC_DELAY_US\n"


def build(directory: str) -> str:
    """:return: the path of the library."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        sys.exit("no C compiler: cannot slow fsync down")
    source, shim = os.path.join(directory, "slow.c"), os.path.join(directory, "slow.so")
    with open(source, "w", encoding="ascii") as file:
        file.write(SHIM)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)
    os.chmod(directory, 0o755)
    return shim


def measure(instance: instances.Instance, sessions: int, messages: int) -> tuple[float, float]:
    """:return: messages accepted a second, milliseconds of CPU a message."""
    cpu = instance.cpu()
    start = time.monotonic()
    submit(instance, sessions, messages, 4096, True, "b@elsewhere.test")
    seconds = time.monotonic() - start
    time.sleep(1)
    return messages / seconds, (instance.cpu() - cpu) * 1000 / messages


def main() -> None:
    parser = figures.parser(__doc__, rounds=2)
    parser.add_argument("--delay", type=float, default=5.0, help="milliseconds")
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 50])
    options = parser.parse_args()
    print(f"fsync takes {options.delay:g} ms longer; 4096 octets, {options.rounds} rounds, median")
    figures.heading("sessions", ["accepted/s", "CPU ms/msg"])
    with ExitStack() as stack:
        shim = build(stack.enter_context(tempfile.TemporaryDirectory()))
        slow = {"LD_PRELOAD": shim, "FSYNC_DELAY_US": str(int(options.delay * 1000))}
        for label, extra in (("discard", DISCARD), ("hold", HOLD)):
            with ExitStack() as inner:
                running = figures.start(inner, options.only, IMPORT + extra, environment=slow)
                for sessions in options.sessions:
                    count = max(100, options.messages // 20) if sessions == 1 else options.messages
                    ask = partial(measure, sessions=sessions, messages=count)
                    figures.show(f"{sessions} {label}", figures.alternate(running, options.rounds, ask))


if __name__ == "__main__":
    main()
