"""What cleaning and addressing cost a relayed message, between a writer of chunks and a queue that keeps nothing.

    python benchmarks/clean_micro.py [--messages 20000] [--rounds 5]

A message of 4 KB with a dozen header fields and one recipient goes through the chain as the SMTP server gives it (two
chunks), and its recipient is resolved once, as the scheduler does. ``remote``: no rewriting, as from a stranger; ``local``:
from a client of ours, fields complete; ``bare``: the same, with addresses to complete and fields to add; ``virtual``: with
a virtual alias table in memory; ``checks``: with header checks. Figures are microseconds of CPU for a message, the least
and the median of the rounds; the guard is 60 us for ``remote``.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from dataclasses import replace
from typing import Any

from twisted.internet.task import Clock

from mailer.addressing.service import Addressing
from mailer.clean.chain import build
from mailer.config.maincf import parse_main
from mailer.config.settings import Settings
from mailer.interfaces.context import Context
from mailer.message.envelope import Client, Envelope, Recipient
from mailer.tables.opening import Tables

GUARD = 60.0
BASE = """\
compatibility_level = 3.6
myhostname = mx.example.com
inet_interfaces = 127.0.0.1
relay_domains = example.net
local_recipient_maps =
alias_maps =
"""
RECEIVED = (
    b"Received: from client.example.org (client.example.org [192.0.2.1])\r\n"
    b"\tby mx.example.com (Postfix) with ESMTP id 4XYZ12abcdz1\r\n"
    b"\tfor <someone@example.net>; Mon,  1 Jan 2024 00:00:00 +0000 (UTC)\r\n"
)
EXTRA = b"".join(b"X-Header-%d: some value of header field %d here\r\n" % (n, n) for n in range(6))
BODY = b"\r\n" + (b"x" * 70 + b"\r\n") * 45
COMPLETE = (
    b'From: "A Person" <person@example.org>\r\nTo: Someone Else <someone@example.net>\r\nSubject: test\r\n'
    b"Date: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <1234@example.org>\r\nMIME-Version: 1.0\r\n" + EXTRA + BODY
)
BARE = b"From: person\r\nTo: someone\r\nSubject: test\r\n" + EXTRA + BODY


class NullQueue:
    """Takes everything, keeps nothing; one object is sink and writer."""

    queue_id = "4XYZ12abcdz1"

    def open(self, envelope: Any, producer: Any = None) -> NullQueue:
        return self

    def recipient(self, recipient: Recipient) -> None:
        pass

    def write(self, chunk: bytes) -> None:
        pass

    async def commit(self) -> str:
        return self.queue_id

    def abort(self) -> None:
        pass


class NullLog:
    def info(self, text: str) -> None:
        pass

    warning = error = fatal = panic = info


CASES = {
    "remote": ("remote", COMPLETE, ""),
    "local": ("local", COMPLETE, ""),
    "bare": ("local", BARE, "append_dot_mydomain = yes\n"),
    "virtual": ("remote", COMPLETE, "virtual_alias_maps = inline:{ a@example.net=b@example.net }\n"),
    "checks": ("remote", COMPLETE, "header_checks = regexp:{ {/^X-Bad:/ REJECT} {/^Subject: bad/ REJECT} }\n"),
}


def run(name: str, messages: int) -> float:
    """Microseconds of CPU for a message."""
    context_name, content, settings = CASES[name]
    entries = parse_main(BASE + settings, "main.cf").entries
    bare = Context(settings=Settings(entries), reactor=Clock(), seconds=time.time, log=NullLog())
    context = replace(bare, tables=Tables(bare))
    addressing = Addressing(context)
    sink = build(context, addressing, NullQueue())
    client = Client("client.example.org", "192.0.2.1", helo="client.example.org", protocol="ESMTP")

    async def message() -> None:
        envelope = Envelope(sender="person@example.org", client=client, context=context_name, arrival=1.7e9)
        writer = sink.open(envelope)
        writer.recipient(Recipient("someone@example.net", "someone@example.net"))
        writer.write(RECEIVED)
        writer.write(content)
        await writer.commit()
        await addressing.resolve("person@example.org", "someone@example.net")

    gc.collect()
    start = time.process_time()
    for _ in range(messages):
        try:
            message().send(None)
        except StopIteration:
            continue
        raise SystemExit("the chain waits for something")
    return (time.process_time() - start) / messages * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    results = {}
    for name in CASES:
        rounds = [run(name, options.messages) for _ in range(options.rounds)]
        results[name] = min(rounds)
        print(f"{name:8} {min(rounds):6.1f} us least {statistics.median(rounds):6.1f} us median")
    if results["remote"] > GUARD:
        raise SystemExit(f"more than {GUARD} us for a relayed message")


if __name__ == "__main__":
    main()
