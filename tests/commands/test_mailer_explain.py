"""mailer explain: the whole command, and what tables tell of themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mailer.message.status import TemporaryError
from mailer.tables.traced import Trace, TracedTable
from mailer.testing.tables import BrokenTable, MemoryTable, TableContract, answer

ROOT = Path(__file__).parent.parent.parent
MAIN_CF = """\
compatibility_level = 3.6
myhostname = mail.example
mydestination = mail.example
virtual_alias_domains = alias.example
virtual_alias_maps =
    inline:{{known@alias.example=u@mail.example, w@elsewhere.test}}
local_recipient_maps = inline:{u=x}
relayhost = [10.0.0.1]
alias_maps = inline:{{u=u, root}}
recipient_canonical_maps = inline:{{old@alias.example=known@alias.example}}
transport_maps = inline:{{broken.test=:}, {slow.test=slow:[mx.slow.test]}}
relay_recipient_maps = fail:away
relay_domains = relay.test
smtpd_client_restrictions = check_client_access inline:{{192.0.2=WARN seen}}
smtpd_recipient_restrictions = permit_sasl_authenticated, own_class, reject_unauth_destination
smtpd_sasl_auth_enable = yes
smtpd_restriction_classes = own_class
own_class = check_sender_access inline:{{spam.test=REJECT go away}}
"""
MASTER_CF = """\
smtp inet n - n - - smtpd
587 inet n - n - - smtpd
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
"""


@pytest.fixture
def explain(tmp_path: Path) -> Any:
    (tmp_path / "main.cf").write_text(MAIN_CF)
    (tmp_path / "master.cf").write_text(MASTER_CF)

    def run(*words: str, status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "mailer.commands.mailer", "explain", "-c", str(tmp_path), *words],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == status, done.stderr
        return done.stdout + done.stderr

    return run


def test_an_address(explain: Any) -> None:
    told = json.loads(explain("--json", "old@alias.example"))["address"]
    steps = {step["step"]: step for step in told["steps"]}
    first = steps["rewriting"]["lookups"][0]
    assert (first["parameter"], first["key"], first["answer"]) == (
        "recipient_canonical_maps",
        "old@alias.example",
        "known@alias.example",
    )
    assert first["where"].endswith("main.cf:10") and 0 <= first["seconds"] < 1
    assert steps["rewriting"]["result"] == "known@alias.example"
    assert steps["class"]["result"] == "virtual_alias"
    assert steps["virtual aliases"]["result"] == ["u@mail.example", "w@elsewhere.test"]
    assert steps["aliases of u"]["result"] == "u, root"
    away = steps["route of w@elsewhere.test"]
    assert (away["transport"], away["nexthop"]) == ("smtp", "[10.0.0.1]")
    assert [one["key"] for one in away["lookups"] if one["parameter"] == "transport_maps"][:2] == [
        "w@elsewhere.test",
        "elsewhere.test",
    ]


def test_a_table_that_cannot_tell(explain: Any) -> None:
    text = explain("x@relay.test")
    assert "listed: cannot tell now" in text
    assert "relay_recipient_maps" in text and "main.cf:12" in text and "cannot tell:" in text


def test_a_client(explain: Any) -> None:
    caller = ["--client", "192.0.2.9", "--client-name", "x.example", "--helo", "x.example"]
    found = json.loads(explain("--json", *caller, "--sender", "a@spam.test", "u@mail.example"))["session"]
    assert found["client"] == "x.example[192.0.2.9]"
    last = found["stages"][-1]
    assert last["stage"] == "RCPT TO:<u@mail.example>"
    assert last["reply"] == "554 5.7.1 <a@spam.test>: Sender address rejected: go away"
    decisions = {one["restriction"].partition(" ")[0]: one for one in last["decisions"]}
    assert decisions["check_client_access"]["key"] == "192.0.2"
    assert decisions["check_sender_access"]["depth"] == 2
    assert decisions["own_class"]["where"].endswith("main.cf:15")
    assert last["log"] == ["warn: seen"]
    text = explain(*caller, "--sender", "a@example.org", "--login", "joe", "--recipient", "u@mail.example")
    assert "RCPT TO:<u@mail.example>: ok" in text and "DATA: ok" in text and "permit_sasl_authenticated: permit" in text


def test_the_options_of_a_service_count(explain: Any) -> None:
    caller = [
        "--client",
        "192.0.2.9",
        "--client-name",
        "x.example",
        "--service",
        "587",
        "--recipient",
        "u@mail.example",
    ]
    assert "Access denied" in explain(*caller)
    assert "no SMTP service named nothere" in explain(*caller[:-3], "nothere", "u@mail.example", status=1)


def test_mistakes_are_told(explain: Any, tmp_path: Path) -> None:
    assert "need an address" in explain(status=1)
    (tmp_path / "main.cf").write_text("smtpd_relay_restrictions = permit\n")
    assert "specify at least one working instance" in explain("--client", "192.0.2.9", "a@b.example", status=1)


class TestTracedTable(TableContract):
    def build(self, tmp_path: Path) -> Any:
        return TracedTable(MemoryTable({self.key: self.value}), "some_maps", Trace(lambda: 0.0))


def test_what_is_recorded() -> None:
    clock = iter(range(100))
    trace = Trace(lambda: float(next(clock)))
    table = TracedTable(MemoryTable({"a": "b"}), "some_maps", trace)
    assert answer(table.lookup("a")) == "b"
    with pytest.raises(TemporaryError):
        answer(TracedTable(BrokenTable(), "", trace).lookup("k"))
    found, broken = trace.asked
    assert (found.parameter, found.table, found.key, found.answer, found.seconds) == (
        "some_maps",
        "memory:table",
        "a",
        "b",
        1.0,
    )
    assert broken.problem and broken.answer is None


def test_searches_belong_to_the_lookup_that_made_them() -> None:
    class Directory(MemoryTable):
        observe: Any = None

        async def lookup(self, key: str) -> str | None:
            self.observe(SimpleNamespace(base="dc=x", text=f"(mail={key})"), "ldap1", 0.25, "1 entries")
            return await super().lookup(key)

    trace = Trace(lambda: 0.0)
    table = TracedTable(Directory({}), "some_maps", trace)
    answer(table.lookup("a"))
    answer(table.lookup("b"))
    assert [one.searches[0].filter for one in trace.asked] == ["(mail=a)", "(mail=b)"]
    assert trace.asked[0].searches[0].seconds == 0.25
