"""The base of restrictions, what they are built from, and how a list is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailer.access.evaluation import Evaluation, evaluate
from mailer.access.verdict import Verdict
from mailer.config.errors import ConfigError

__all__ = ["Environment", "Factory", "ListReader", "Restriction"]

_MOST_NESTED = 20


@dataclass(frozen=True)
class Environment:
    """What restrictions may use. ``networks`` is the match list of mynetworks."""

    context: Any
    addressing: Any
    networks: Any

    @property
    def settings(self) -> Any:
        return self.context.settings


class Restriction:
    """One entry of a restriction list. Subclasses give ``name``, and ``takes`` if an argument follows the name."""

    name = ""
    takes = False

    def __init__(self, environment: Environment, argument: str = "") -> None:
        self.environment = environment
        self.argument = argument

    def __str__(self) -> str:
        return f"{self.name} {self.argument}" if self.argument else self.name

    async def check(self, state: Evaluation) -> Verdict | None:
        """:return: a verdict, or None to ask the next restriction. :raise TemporaryError: cannot tell now."""
        raise NotImplementedError


Factory = Callable[..., Restriction]


class RestrictionClass(Restriction):
    """A list under a name of its own (smtpd_restriction_classes)."""

    def __init__(self, name: str, members: Sequence[Restriction]) -> None:
        self.name = name
        self.argument = ""
        self.members = members

    async def check(self, state: Evaluation) -> Verdict | None:
        return await evaluate(self.members, state)


class _Marker(Restriction):
    """``warn_if_reject``: the evaluator acts on the name."""

    name = "warn_if_reject"


class ListReader:
    """Reads restriction lists.

    :param known: name -> class of each restriction.
    :param table: restriction name for a bare ``type:table`` in a list of the given stage, such as check_client_access.
    """

    def __init__(self, environment: Environment, known: Mapping[str, Factory]) -> None:
        self._environment = environment
        self._known = known
        settings = environment.settings
        self._classes = {name: settings.text(name) for name in settings.smtpd_restriction_classes if self._set(name)}
        self._open: list[str] = []

    def _set(self, name: str) -> bool:
        if self._environment.settings.raw(name) is None:
            raise ConfigError(f"smtpd_restriction_classes: {name} is not defined", f"set {name} in main.cf")
        return True

    def read(self, parameter: str, words: Sequence[str], bare_table: str = "") -> tuple[Restriction, ...]:
        """:param parameter: the name that errors mention. :param bare_table: what ``type:table`` alone stands for.
        :raise ConfigError: an unknown name or a missing argument."""
        result: list[Restriction] = []
        rest = iter(words)
        for word in rest:
            lower = word.lower()
            if lower == _Marker.name:
                result.append(_Marker(self._environment))
            elif word in self._classes:
                result.append(self._class(word, bare_table))
            elif lower in self._known:
                result.append(self._build(parameter, lower, rest))
            elif ":" in word and bare_table in self._known:
                result.append(self._known[bare_table](self._environment, word))
            else:
                raise ConfigError(f'{parameter}: unknown smtpd restriction: "{word}"', "see postconf(5)")
        return tuple(result)

    def _build(self, parameter: str, name: str, rest: Any) -> Restriction:
        factory = self._known[name]
        if not getattr(factory, "takes", False):
            return factory(self._environment)
        argument = next(rest, None)
        if argument is None:
            raise ConfigError(f'{parameter}: restriction "{name}" requires an argument')
        return factory(self._environment, argument)

    def _class(self, name: str, bare_table: str) -> Restriction:
        if name in self._open or len(self._open) > _MOST_NESTED:
            raise ConfigError(f"restriction class {name} contains itself", " -> ".join([*self._open, name]))
        self._open.append(name)
        words = self._classes[name].replace(",", " ").split()
        members = self.read(name, words, bare_table)
        self._open.pop()
        return RestrictionClass(name, members)
