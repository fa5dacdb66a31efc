"""One message to many destinations whose servers take a second for each reply.

    python benchmarks/fanout.py [--destinations 500] [--delay 1.0] [--rounds 1] [--only mailer]

Every destination is a loopback address of its own (127.1.x.y), all served by one process that keeps each reply back. A
round counts from the end of the message at the MTA until the last server has taken it. Postfix runs as many smtp(8) processes as
default_process_limit allows (100 as it ships, so here too); mailer's deliveries are no processes and are not bounded by it.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import smtplib
import time
from contextlib import ExitStack
from multiprocessing.sharedctypes import Synchronized
from typing import Any

import figures
import instances

EHLO = b"250-slow.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"
ANSWERS = {b"EHLO": EHLO, b"DATA": b"354 Go on\r\n", b"QUIT": b"221 2.0.0 Bye\r\n"}


def address(number: int) -> str:
    return f"127.1.{number // 250}.{number % 250 + 1}"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float, taken: Any) -> None:
    """A session that answers each command, the banner included, after ``delay`` seconds."""

    async def say(reply: bytes) -> None:
        await asyncio.sleep(delay)
        writer.write(reply)

    try:
        await say(b"220 slow.test ESMTP\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            await say(ANSWERS.get(verb, b"250 2.0.0 Ok\r\n"))
            if verb == b"DATA":
                await reader.readuntil(b"\r\n.\r\n")
                await say(b"250 2.0.0 Ok\r\n")
                taken.value += 1
            elif verb == b"QUIT":
                break
    except (ConnectionError, asyncio.IncompleteReadError):
        pass  # a client that leaves early has not been counted
    finally:
        writer.close()


def sink(port: int, delay: float, taken: Synchronized[int]) -> None:
    """The process of all the slow servers."""

    async def run() -> None:
        server = await asyncio.start_server(lambda r, w: serve(r, w, delay, taken), "0.0.0.0", port, backlog=4096)
        await server.serve_forever()

    asyncio.run(run())


def measure(instance: instances.Instance, destinations: int, taken: Synchronized[int]) -> tuple[float, float]:
    """:return: seconds until the last server has the message, and seconds of CPU."""
    before, cpu = taken.value, instance.cpu()
    recipients = [f"b@d{number}.test" for number in range(destinations)]
    with smtplib.SMTP("127.0.0.1", instance.port) as client:
        client.sendmail("a@bench.example", recipients, "Subject: to many\r\n\r\nhello\r\n")
    start = time.monotonic()
    instances.wait_for(lambda: taken.value >= before + destinations, f"{instance.name}: all {destinations}")
    seconds = time.monotonic() - start
    time.sleep(3)
    return seconds, instance.cpu() - cpu


def main() -> None:
    parser = figures.parser(__doc__, rounds=1)
    parser.add_argument("--destinations", type=int, default=500)
    parser.add_argument("--delay", type=float, default=1.0)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with ExitStack() as stack:
        taken = multiprocessing.Value("i", 0)
        port = instances.free_port()
        process = multiprocessing.Process(target=sink, args=(port, options.delay, taken), daemon=True)
        process.start()
        stack.callback(process.terminate)
        routes = " ".join(
            f"{{ d{number}.test = smtp:[{address(number)}]:{port} }}" for number in range(options.destinations)
        )
        extra = f"transport_maps = inline:{{ {routes} }}\nsmtpd_recipient_limit = {options.destinations + 1}\n"
        running = figures.start(stack, options.only, extra)
        print(f"{options.destinations} destinations, {options.delay} s for each reply, {options.rounds} rounds")
        figures.heading("destinations", ["seconds", "CPU s"])
        rows = figures.alternate(
            running, options.rounds, lambda instance: measure(instance, options.destinations, taken), warm_up=False
        )
        figures.show(str(options.destinations), rows)


if __name__ == "__main__":
    main()
