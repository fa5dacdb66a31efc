"""Restrictions that are plug-ins (mailer.interfaces.restriction), in the shape of the built-in ones.

They get a time budget, and their answers are checked: a plug-in's fault costs a refusal for now, never the session.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError

from mailer.access.evaluation import Evaluation, misconfigured
from mailer.access.restriction import Environment, Factory, Restriction
from mailer.access.verdict import Verdict
from mailer.interfaces.restriction import PERMIT
from mailer.message.status import Reply

__all__ = ["BUDGET", "PluginRestriction", "known_with"]

#: Seconds for an answer: as long as a policy server has (smtpd_policy_service_timeout).
BUDGET = 100.0


class PluginRestriction(Restriction):
    """:param factory: an IRestrictionFactory."""

    def __init__(self, factory: Any, environment: Environment, argument: str = "") -> None:
        super().__init__(environment, argument)
        self.name = factory.name
        self._made = factory.build(argument, environment.context)

    async def check(self, state: Evaluation) -> Verdict | None:
        asked: Deferred[Any] = Deferred.fromCoroutine(self._made.check(state))
        if not asked.called:
            asked.addTimeout(BUDGET, self.environment.context.reactor)
        try:
            answer = await asked
        except TimeoutError:
            state.rules.log.error(f"restriction {self}: no answer within {BUDGET:.0f} seconds")
            raise misconfigured() from None
        if answer is None or isinstance(answer, Verdict):
            return answer
        if isinstance(answer, Reply):
            return Verdict(answer)
        if answer == PERMIT:
            return await state.permit(self.name, state.stage, state.subject)
        state.rules.log.error(f"restriction {self}: answered {answer!r}, which is neither a Reply nor PERMIT nor None")
        raise misconfigured()


def _maker(factory: Any) -> Factory:
    def make(environment: Environment, argument: str = "") -> Restriction:
        return PluginRestriction(factory, environment, argument)

    make.takes = factory.takes  # type: ignore[attr-defined]
    return make


def known_with(built_in: Mapping[str, Factory], plugins: Any) -> tuple[dict[str, Factory], list[str]]:
    """The built-in restrictions and the plug-ins, by name in lower case.

    :param plugins: a mailer.plugins.registry.Registry of IRestrictionFactory.
    :return: them, and what is wrong with the plug-ins, for the report at start.
    """
    problems = list(plugins.problems)
    known: dict[str, Factory] = {}
    for factory in plugins:
        name = factory.name.lower()
        if name in built_in:
            problems.append(
                f"restriction {factory.name}: a plug-in has the name of a built-in restriction and is not used"
            )
        else:
            known[name] = _maker(factory)
    return {**known, **built_in}, problems
