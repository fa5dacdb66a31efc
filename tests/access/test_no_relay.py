"""Never an open relay: with the default restrictions nobody gets a stranger's mail to another domain, however the address is
spelt; and the whole server with its checks under mutated sessions (``benchmarks/fuzz_smtpd.py``, a short run of it)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smtpd_stand_ins import Server, real_access

from mailer.testing.dns import FakeResolver

sys.path.append(str(Path(__file__).parent.parent.parent / "benchmarks"))

STRANGER = "192.0.2.7"
#: The defaults stand for everything that is not named here.
OWN = {
    "mydestination": "mail.example, localhost",
    "relay_domains": "relay.example",
    "virtual_alias_domains": "alias.example",
    "virtual_alias_maps": "inline:{{known@alias.example=u@mail.example}}",
    "local_recipient_maps": "",
    "mynetworks": "127.0.0.0/8",
    "inet_interfaces": "127.0.0.1",
}
OURS = ("mail.example", "localhost", "relay.example", "alias.example", "[127.0.0.1]", "")


@pytest.fixture(scope="module")
def server() -> Server:
    made = Server(
        {**OWN, "smtpd_hard_error_limit": "1000000", "smtpd_recipient_limit": "100000"},
        FakeResolver({}),
        access=object(),
    )
    made.factory.service.access = real_access(made.context)
    return made


def _taken(server: Server, path: str, smtputf8: bool) -> Any:
    """The address that was taken, None if it was not."""
    server.sink.writers.clear()
    peer = server.connect(STRANGER)
    peer.say(b"EHLO client.example\r\n")
    peer.say(b"MAIL FROM:<a@example.org>" + (b" SMTPUTF8" if smtputf8 else b"") + b"\r\n")
    peer.say(b"RCPT TO:" + path.encode("utf-8", "surrogateescape").replace(b"\r", b"").replace(b"\n", b"") + b"\r\n")
    peer.leave()
    recipients = [each for writer in server.sink.writers for each in writer.recipients]
    return recipients[0].address if recipients else None


def _is_ours(address: str) -> bool:
    """What our own reading would deliver here: nothing that names another host, by whatever operator."""
    local, at, domain = address.rpartition("@")
    if not at:
        local, domain = address, ""
    return domain.lower().removesuffix(".") in OURS and not any(operator in local for operator in "@%!")


_HOSTILE = [
    "<@mail.example:u@elsewhere.test>", "<@mail.example,@relay.example:u@elsewhere.test>", "<u%elsewhere.test@mail.example>",
    "<u%elsewhere.test@[127.0.0.1]>", "<u%elsewhere.test>", "<elsewhere.test!u>", "<elsewhere.test!u@mail.example>",
    "<mail.example!elsewhere.test!u>", '<"u@elsewhere.test"@mail.example>', '<"u@elsewhere.test">',
    '<"u%elsewhere.test"@mail.example>', '<"elsewhere.test!u"@mail.example>', r"<u\@elsewhere.test@mail.example>",
    "<u@elsewhere.test@mail.example>", "<u@mail.example@elsewhere.test>", "<u@elsewhere.test.>", "<u@ELSEWHERE.test>",
    "<u@[192.0.2.1]>", "<u@[IPv6:2001:db8::1]>", "<u@192.0.2.1>", "<u@mail.example.elsewhere.test>", "<u@xmail.example>",
    "<u@m\u0430il.example>", "<u@mail\uff0eexample>", "<u@MAIL\u3002example>",
     "<u@\uff4dail.example>", "<u@mail.ex\u00adample>",
    "<u@sub.mail.example>", "<u@elsewhere.test%mail.example>", "<u%elsewhere.test%mail.example@mail.example>", "<u@>",
    "<@mail.example>", "<@elsewhere.test:@mail.example:u>", "<u@mail.example,u@elsewhere.test>",
     "<u@mail.example> <u@elsewhere.test>",
    "<u(@mail.example)@elsewhere.test>", "<u@elsewhere.test(@mail.example)>",
     '<"u"@elsewhere.test>', "<u@mail.example\0@elsewhere.test>",
    "<u@mail.example%00@elsewhere.test>", "<u+x%elsewhere.test@relay.example>", "<u%elsewhere.test@alias.example>",
    "<elsewhere.test!u@relay.example>", "<known%elsewhere.test@alias.example>", "<u@elsewhere.test:25>", "<u@[mail.example]>",
]  # fmt: skip


@pytest.mark.parametrize("path", _HOSTILE)
@pytest.mark.parametrize("smtputf8", [False, True], ids=["ascii", "utf8"])
def test_well_known_tricks(server: Server, path: str, smtputf8: bool) -> None:
    taken = _taken(server, path, smtputf8)
    assert taken is None or _is_ours(taken), taken


_PIECES = st.sampled_from(
    ["u", "x", "mail.example", "MAIL.example", "elsewhere.test", "relay.example", "alias.example", "127.0.0.1",
     "[127.0.0.1]", "[192.0.2.1]",
     "@", "@", "@", "%", "!", ":", ",", ".", "\\", '"', "(", ")", "<", ">", " ", "\t", "\0",
     "\u00e4", "\u0430", "\uff0e", "\udcff", "+", "-", "="]
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.lists(_PIECES, max_size=12), st.booleans(), st.booleans())
def test_any_mixture(pieces: list[str], bracketed: bool, smtputf8: bool) -> None:
    text = "".join(pieces)
    taken = _taken(_shared(), f"<{text}>" if bracketed else text, smtputf8)
    assert taken is None or _is_ours(taken), taken


_made: list[Server] = []


def _shared() -> Server:
    if not _made:
        _made.append(Server({**OWN, "smtpd_hard_error_limit": "1000000"}, FakeResolver({}), access=object()))
        _made[0].factory.service.access = real_access(_made[0].context)
    return _made[0]


def test_a_stranger_can_reach_us_at_all(server: Server) -> None:
    for path in ("<u@mail.example>", "<u@relay.example>", "<known@alias.example>", "<u@[127.0.0.1]>", "<postmaster>"):
        assert _taken(server, path, False)


def test_mutated_sessions() -> None:
    import fuzz_smtpd

    found, codes, taken, _ = fuzz_smtpd.run(900)
    assert found == []
    assert codes["250"] > 1000 and codes["554"] + codes["454"] > 20 and taken > 20
