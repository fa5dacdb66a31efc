"""Mutated SMTP sessions against the whole SMTP server with its access checks, in memory.

    python benchmarks/fuzz_smtpd.py [--sessions 100000] [--seed 0]

Sessions are recorded dialogues with octets changed, removed and put in, and words of the protocol in any order, with
configurations that take turns. Told at the end: sessions a second, what the server answered, what it took, and how much
memory the process held at each tenth. The exit status is 1 if anything but a declared reply came back, a fault was logged,
a session was left open, a stranger's mail was taken for a domain that is not ours, or memory grew.
"""

from __future__ import annotations

import argparse
import gc
import random
import re
import sys
import time
from collections import Counter
from pathlib import Path

_TESTS = Path(__file__).parent.parent / "tests"
sys.path[:0] = [str(_TESTS / name) for name in ("access", "receive", "interop")]

from smtpd_stand_ins import Server, real_access  # noqa: E402
from test_fuzz import _REPLY, _mutated_session, _random_session  # noqa: E402

from mailer.testing.dns import FAILS, FakeResolver  # noqa: E402

_ZONE = {
    "192.0.2.7": {"PTR": ["client.example"]},
    "client.example": {"A": ["192.0.2.7"]},
    "7.2.0.192.bl.example": FAILS,
    "example.org": {"MX": [(10, "mx.example.org")]},
    "mx.example.org": {"A": ["192.0.2.9"]},
}
_COMMON = {
    "mydestination": "mail.example",
    "mynetworks": "127.0.0.0/8",
    "inet_interfaces": "127.0.0.1",
    "local_recipient_maps": "",
    "message_size_limit": "5000",
    "smtpd_forbid_unauth_pipelining": "no",
    "smtpd_hard_error_limit": "50",
}
_VARIANTS = (
    {},
    {
        "smtpd_delay_reject": "no",
        "smtpd_client_restrictions": "reject_unknown_client_hostname, reject_rbl_client bl.example",
        "smtpd_helo_restrictions": "reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname",
        "smtpd_sender_restrictions": "reject_non_fqdn_sender, reject_unknown_sender_domain",
        "smtpd_recipient_restrictions": "reject_non_fqdn_recipient, check_recipient_access regexp:{{/^x/ DISCARD},{/^h/ HOLD}}",
        "smtpd_forbid_bare_newline": "reject",
        "smtpd_forbid_bare_newline_exclusions": "",
    },
    {
        "strict_rfc821_envelopes": "yes",
        "smtpd_helo_required": "yes",
        "smtpd_data_restrictions": "reject_unauth_pipelining, reject_multi_recipient_bounce",
        "smtpd_end_of_data_restrictions": "check_sender_access regexp:{{/x/ DEFER_IF_PERMIT}}",
        "smtpd_authorized_xclient_hosts": "192.0.2.7",
        "smtpd_authorized_xforward_hosts": "192.0.2.7",
        "smtpd_reject_footer": "\\c. $client_address $sender $recipient",
        "smtpd_command_filter": "pcre:{{/^NOOP.*/ RSET}}",
        "smtpd_forbid_bare_newline": "normalize",
    },
)


_OURS = ("mail.example", "[127.0.0.1]", "")


def servers() -> list[Server]:
    made = []
    for variant in _VARIANTS:
        server = Server({**_COMMON, **variant}, FakeResolver(_ZONE), access=object())
        server.factory.service.access = real_access(server.context)
        made.append(server)
    return made


def play(server: Server, octets: bytes, chance: random.Random) -> bytes:
    """One session of a stranger, in a few pieces. :return: what it was told."""
    peer = server.connect("192.0.2.7", 1024 + chance.randrange(60000))
    said = []
    while octets and not peer.closed:
        size = chance.choice((7, 40, 300, 5000))
        said.append(peer.say(octets[:size]))
        octets = octets[size:]
        server.clock.advance(1)
    said.append(peer.say(b""))
    peer.leave()
    server.clock.advance(1)
    return b"".join(said)


def faults(server: Server, xclient: bool) -> list[str]:
    """What must not be. Forgets what the server took and logged."""
    found = [line for line in server.log.lines if "internal fault" in line or "failed:" in line]
    if server.factory.sessions:
        found.append(f"{server.factory.sessions} sessions left")
    for writer in server.sink.messages:
        for recipient in writer.recipients:
            named = re.split("[@%]", recipient.address)[1:] + recipient.address.split("!")[:-1]
            strange = [domain for domain in named if domain.lower().rstrip(".") not in _OURS]
            if strange and not xclient:
                found.append(f"taken for relaying: {recipient.address!r}")
    server.sink.messages.clear()
    server.sink.writers.clear()
    server.log.lines.clear()
    server.context.dns.queries.clear()
    return found


def resident() -> int:
    """Kilobytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


def run(sessions: int, seed: int = 0, tell=lambda text: None) -> tuple[list[str], Counter, int, list[int]]:
    """:return: faults, replies by code, messages taken, memory at each tenth in KB."""
    playing, found, codes, taken, memory = servers(), [], Counter(), 0, []
    for number in range(sessions):
        chance = random.Random(seed * 1_000_003 + number)
        which = number % len(playing)
        server = playing[which]
        octets = _random_session(chance) if number % 4 == 0 else _mutated_session(chance)
        for line in play(server, octets, chance).split(b"\r\n")[:-1]:
            text = line.decode("utf-8", "surrogateescape")
            codes[text[:3]] += 1
            if not _REPLY.match(text):
                found.append(f"session {number}: {text!r}")
        taken += len(server.sink.messages)
        found += [f"session {number}: {fault}" for fault in faults(server, which == 2)]
        if (number + 1) % max(sessions // 10, 1) == 0:
            gc.collect()
            memory.append(resident())
            tell(f"{number + 1} sessions, {memory[-1]} KB, {len(found)} faults")
    return found, codes, taken, memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    found, codes, taken, memory = run(options.sessions, options.seed, lambda text: print(text, flush=True))
    seconds = time.monotonic() - began
    print(
        f"{options.sessions} sessions in {seconds:.0f} s ({options.sessions / seconds:.0f}/s), {taken} messages taken"
    )
    print("replies: " + ", ".join(f"{code} {count}" for code, count in sorted(codes.items())))
    print("memory at each tenth, KB: " + " ".join(map(str, memory)))
    grown = len(memory) > 2 and memory[-1] > memory[1] * 1.1
    for fault in found[:20]:
        print(fault)
    sys.exit(bool(found) or grown)


if __name__ == "__main__":
    main()
