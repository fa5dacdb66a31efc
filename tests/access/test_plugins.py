"""Restrictions that are plug-ins: found by name, with their arguments; their faults cost a refusal for now."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
from access_stand_ins import World
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailer.config.errors import ConfigError
from mailer.interfaces.restriction import PERMIT, IRestriction, IRestrictionFactory
from mailer.message.status import Reply, TemporaryError
from mailer.plugins.registry import Registry

EXAMPLE = Path(__file__).parent.parent.parent / "docs/examples/greylist"


@implementer(IRestriction)
class _Says:
    def __init__(self, answer_: Any) -> None:
        self._answer = answer_

    async def check(self, examination: Any) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        if isinstance(self._answer, Deferred):
            return await self._answer
        examination.note("info", f"{examination.stage} {examination.subject}")
        return self._answer


@implementer(IRestrictionFactory)
class _Factory:
    summary, extra = "for tests", ""

    def __init__(self, name: str, says: Any = None, takes: str = "") -> None:
        self.name, self.takes, self._says = name, takes, says
        self.arguments: list[str] = []

    def build(self, argument: str, context: Any) -> _Says:
        self.arguments.append(argument)
        if argument == "bad":
            raise ConfigError("own_rule bad: no such thing")
        return _Says(self._says)


def _world(*factories: Any, rule: str = "own_rule, reject_unauth_destination") -> World:
    registry = Registry(IRestrictionFactory, "restriction", ([("here", each) for each in factories], []))
    return World(plugins=registry, smtpd_recipient_restrictions=rule)


def test_refusal_permission_and_no_opinion() -> None:
    refusing = _world(_Factory("own_rule", Reply(554, "5.7.1", "no")))
    assert refusing.recipient() == "554 5.7.1 no"
    assert _world(_Factory("own_rule", PERMIT), rule="own_rule, reject").recipient() == ""
    assert "Access denied" in _world(_Factory("own_rule"), rule="own_rule, reject").recipient()


def test_what_it_notes_reaches_the_log() -> None:
    world = _world(_Factory("own_rule"))
    session = world.session()
    assert world.recipient(session=session) == ""
    assert session.decisions == [("info", "Recipient address u@mail.example")]


def test_arguments_and_case() -> None:
    factory = _Factory("Own_Rule", takes="word")
    assert _world(factory, rule="OWN_RULE anything:at=all, own_rule two").recipient() == ""
    assert factory.arguments == ["anything:at=all", "two"]
    with pytest.raises(ConfigError):
        _world(factory, rule="own_rule bad")
    assert _world(factory, rule="own_rule").access.problems == [
        "smtpd_recipient_restrictions: restriction own_rule requires an argument"
    ]


@pytest.mark.parametrize("fault", [ValueError("oops"), "nonsense", 7])
def test_faults_cost_a_refusal_for_now(fault: Any) -> None:
    world = _world(_Factory("own_rule", fault))
    assert world.recipient() == "451 4.3.5 Server configuration error"
    assert any("own_rule" in line for line in world.log.lines)


def test_cannot_tell_now() -> None:
    world = _world(_Factory("own_rule", TemporaryError("server gone")))
    assert world.recipient().startswith("451 4.3.0 ")


def test_one_that_never_answers_costs_its_budget() -> None:
    world = _world(_Factory("own_rule", Deferred()))
    session = world.session()
    session.recipient = "u@mail.example"
    asked = Deferred.fromCoroutine(world.access.rcpt(session))
    world.server.clock.advance(99)
    assert not asked.called
    world.server.clock.advance(1)
    replies: list[Any] = []
    asked.addCallback(replies.append)
    assert str(replies[0]) == "451 4.3.5 Server configuration error"
    assert any("own_rule: no answer within 100 seconds" in line for line in world.log.lines)


def test_soft_bounce_warn_if_reject_and_classes_hold_for_plug_ins() -> None:
    factory = _Factory("own_rule", Reply(554, "5.7.1", "no"))
    assert _world(factory, rule="warn_if_reject own_rule").recipient() == ""


def test_a_built_in_name_is_not_to_be_had() -> None:
    world = _world(_Factory("reject", PERMIT), rule="reject")
    assert "Access denied" in world.recipient()
    assert "a plug-in has the name of a built-in restriction" in world.access.problems[0]


def test_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    declared = runpy.run_path(str(EXAMPLE / "twisted/plugins/mailer_greylist_plugin.py"))["defer_greylisted"]
    world = _world(declared, rule="defer_greylisted 300")
    assert world.recipient().startswith("450 4.2.0 <u@mail.example>: Recipient address rejected: Greylisted")
    tests = runpy.run_path(str(EXAMPLE / "tests/test_greylist.py"))
    contract = tests["TestContract"]()
    for name in dir(contract):
        if name.startswith("test_"):
            getattr(contract, name)()
    tests["test_whoever_comes_again_is_let_in"]()
    tests["test_a_network_that_always_comes_again_is_trusted"]()
    for name in [name for name in sys.modules if name.startswith("mailer_greylist")]:
        del sys.modules[name]
