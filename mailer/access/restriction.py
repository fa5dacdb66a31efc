"""The base of restrictions, and what they are built from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mailer.access.evaluation import Evaluation
from mailer.access.verdict import Verdict

__all__ = ["Environment", "Factory", "Restriction"]


@dataclass(frozen=True)
class Environment:
    """What restrictions may use. ``networks`` is the match list of mynetworks, ``actions`` carries out what access tables
    and policy servers answer (mailer.access.actions.Actions), ``policies`` are the policy servers' clients, by how a
    restriction names them. ``verifier`` is the IVerifier, or None."""

    context: Any
    addressing: Any
    networks: Any
    actions: Any = None
    policies: Any = None
    verifier: Any = None

    @property
    def settings(self) -> Any:
        return self.context.settings


class Restriction(ABC):
    """One entry of a restriction list.

    Subclasses give ``name``; ``takes`` says what has to follow it: nothing, a ``table``, a ``domain``, a ``number`` or a
    ``server``. ``following`` is the word that stands behind it in its list, "" for the last one.
    ``unsupported`` says why it cannot do what it should, for the report at start.
    """

    name = ""
    takes = ""
    unsupported = ""
    following = ""

    def __init__(self, environment: Environment, argument: str = "") -> None:
        self.environment = environment
        self.argument = argument

    def __str__(self) -> str:
        return f"{self.name} {self.argument}" if self.argument else self.name

    def ends_list(self, state: Evaluation) -> None:
        """For a restriction behind which nothing is ever asked: tell the log what is ignored."""
        if self.following:
            state.warn(f"restriction `{self.following}' after `{self.name}' is ignored")

    @abstractmethod
    async def check(self, state: Evaluation) -> Verdict | None:
        """:return: a verdict, or None to ask the next restriction. :raise TemporaryError: cannot tell now."""


Factory = Callable[..., Restriction]
