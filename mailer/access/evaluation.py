"""One request on its way through the restriction lists, and the evaluator.

Postfix's order is kept (access(5), postconf(5)): the first verdict ends a list; ``warn_if_reject`` turns the next
restriction's refusal into a log line; a refusal while ``defer_if_reject`` is pending becomes that temporary one; a pending
``defer_if_permit`` is applied by whoever ends the whole examination. A table or server that cannot tell now is a temporary
refusal, and so is a restriction that fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from twisted.logger import Logger

from mailer.access.verdict import Verdict, refuse
from mailer.message.session import Session
from mailer.message.status import Reply, TemporaryError

__all__ = ["Decision", "Evaluation", "evaluate", "target_of"]

_faults = Logger()


@dataclass(frozen=True, slots=True)
class Decision:
    """One restriction's answer, kept for the log and for explaining. ``answer`` is ``permit``, ``dunno`` or a reply."""

    restriction: str
    answer: str
    seconds: float


@dataclass(slots=True)
class Evaluation:
    """The state of one examination. ``subject`` is what replies name in ``<>``: client, helo name, sender or recipient.

    What ``warn_if_reject`` spares the client goes to ``session.decisions``, as ``(action, text)`` for the log.
    """

    session: Session
    stage: str
    subject: str
    defer_if_permit: Reply | None = None
    defer_if_reject: Reply | None = None
    depth: int = 0
    record: list[Decision] | None = None
    notes: dict[str, Any] = field(default_factory=dict)


def target_of(subject: str, text: str) -> str:
    """``<subject>: text``, the shape of most refusals."""
    return f"<{subject}>: {text}"


async def evaluate(restrictions: Sequence[Any], state: Evaluation) -> Verdict | None:
    """Ask each restriction in turn.

    :return: the first verdict, or None when nobody had one.
    """
    warning = False
    for restriction in restrictions:
        if restriction.name == "warn_if_reject":
            warning = True
            continue
        verdict = await _ask(restriction, state)
        if verdict is not None and verdict.reply is not None:
            if warning:
                state.session.decisions.append(("reject_warning", str(verdict.reply)))
                verdict = None
            elif state.defer_if_reject is not None and verdict.reply.permanent:
                verdict = Verdict(state.defer_if_reject)
        warning = False
        if verdict is not None:
            return verdict
    return None


async def _ask(restriction: Any, state: Evaluation) -> Verdict | None:
    began = perf_counter() if state.record is not None else 0.0
    try:
        verdict = await restriction.check(state)
    except TemporaryError:
        verdict = refuse(451, "4.3.0", target_of(state.subject, "Temporary lookup failure"))
    except Exception:  # a restriction may be a plug-in: its fault costs a temporary refusal, not the session
        _faults.failure("restriction {name} failed", name=restriction.name)
        verdict = refuse(451, "4.3.5", target_of(state.subject, "Server configuration error"))
    if state.record is not None:
        answer = "dunno" if verdict is None else "permit" if verdict.reply is None else str(verdict.reply)
        state.record.append(Decision(str(restriction), answer, perf_counter() - began))
    return verdict
