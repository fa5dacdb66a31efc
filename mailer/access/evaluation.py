"""One request on its way through the restriction lists, and the evaluator.

Postfix's order is kept (access(5), postconf(5)): the first verdict ends a list; ``warn_if_reject`` turns a refusal of the
next restriction into a log line; a refusal for good while ``defer_if_reject`` is pending becomes that temporary one; a
pending ``defer_if_permit`` is applied by whoever ends the whole examination; with both pending nothing can change the
outcome, so the list ends. Trouble of the server's own (a restriction that is no good, a table that cannot tell) refuses
for now and is never softened by ``warn_if_reject``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from twisted.logger import Logger

from mailer.access.verdict import PERMIT, Verdict
from mailer.message.session import Session
from mailer.message.status import Reply, TemporaryError

__all__ = ["Broken", "Decision", "Evaluation", "Rules", "WARN_IF_REJECT", "evaluate", "misconfigured", "target_of"]

WARN_IF_REJECT = "warn_if_reject"
_DEEPEST = 100
_LOOKUP_FAILED = "Temporary lookup failure"

_faults = Logger()


class Broken(Exception):
    """The examination cannot be carried out: the request is refused with ``reply``, whatever else was decided."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


def misconfigured() -> Broken:
    """What a client hears of mistakes in the configuration; the log has said which."""
    return Broken(Reply(451, "4.3.5", "Server configuration error"))


@dataclass(frozen=True, slots=True)
class Decision:
    """One restriction's answer, kept for explaining.

    ``parameter`` is the list that it stands in, ``key`` and ``table`` what it found where (or ""), ``answer`` is
    ``permit``, ``dunno`` or a reply. ``depth`` is 1 in a list, more in classes and lists from tables.
    """

    parameter: str
    restriction: str
    key: str
    table: str
    answer: str
    seconds: float
    depth: int = 1


@dataclass(frozen=True)
class Rules:
    """What holds for all examinations of one service. ``permits`` is smtpd_log_access_permit_actions, None if empty; ``ports``
    smtpd_client_port_logging; ``record`` takes every decision, if it is not None."""

    log: Any
    soft_bounce: bool = False
    permits: Any = None
    ports: bool = False
    record: list[Decision] | None = None

    def client(self, session: Session) -> str:
        """``name[address]``, with the port where logs show it."""
        client = session.client
        return f"{client.printable}:{client.port}" if self.ports else client.printable


@dataclass(slots=True)
class Evaluation:
    """The state of one examination.

    ``stage`` and ``subject`` are how replies name what is examined: ``Client host`` and ``name[address]``, ``Helo command``
    and the name, ``Sender address`` ... ``bare_table`` is what a table without ``check_..._access`` stands for. What the log
    should say besides the outcome goes to ``session.decisions``, as pairs of a word and a text.

    ``warning`` is the depth of the list in which ``warn_if_reject`` is in force, or 0.
    """

    session: Session
    rules: Rules
    parameter: str = ""
    stage: str = ""
    subject: str = ""
    bare_table: str = ""
    defer_if_permit: Reply | None = None
    defer_if_reject: Reply | None = None
    warning: int = 0
    depth: int = 0
    sender_checked: bool = False
    recipient_checked: bool = False
    key: str = ""
    table: str = ""
    destinations: dict[str, Any] = field(default_factory=dict)

    def begin(self, parameter: str, stage: str, subject: str, bare_table: str) -> None:
        """Turn to another list. A pending ``defer_if_reject`` lasts for one stage, a ``defer_if_permit`` for all."""
        if stage != self.stage:
            self.defer_if_reject = None
        self.parameter, self.stage, self.subject, self.bare_table = parameter, stage, subject, bare_table
        self.warning = self.depth = 0

    @property
    def discarding(self) -> bool:
        """Whether the message is thrown away whatever comes."""
        envelope = self.session.envelope
        return envelope is not None and bool(envelope.discard)

    @property
    def in_transaction(self) -> bool:
        """Whether there is a message that actions can apply to."""
        return self.session.envelope is not None and bool(self.session.instance)

    def note(self, word: str, text: str) -> None:
        self.session.decisions.append((word, text))

    def warn(self, text: str) -> None:
        """Tell the log what is wrong, behind what it will be told of this examination already."""
        if self.session.decisions:
            self.note("warning", text)
        else:
            self.rules.log.warning(text)

    def tell(self, text: str) -> None:
        """Tell the log, in the same order."""
        if self.session.decisions:
            self.note("", text)
        else:
            self.rules.log.info(text)

    def postpone(self, reply: Reply, tempfail_action: str = "defer_if_permit") -> Verdict | None:
        """A temporary failure: refuse now if that is wanted, else only if nothing refuses for good later."""
        if self.warning or tempfail_action != "defer_if_permit":
            return Verdict(reply)
        if self.defer_if_permit is None:
            self.defer_if_permit = reply
        return None

    def postpone_refusal(self, reply: Reply) -> None:
        """A later refusal for good is to be this temporary one."""
        if self.defer_if_reject is None:
            self.defer_if_reject = reply

    async def permit(self, action: str, stage: str, subject: str, more: str = "") -> Verdict:
        """Permission, logged where smtpd_log_access_permit_actions asks for it."""
        permits = self.rules.permits
        if permits is not None and self.defer_if_permit is None and await permits.match(action):
            self.note("permit", f"action={action} for {stage}={subject} {more}")
        return PERMIT


def target_of(subject: str, text: str) -> str:
    """``<subject>: text``, the shape of most refusals."""
    return f"<{subject}>: {text}"


async def evaluate(restrictions: Sequence[Any], state: Evaluation) -> Verdict | None:
    """Ask each restriction in turn.

    :return: the first verdict, or None when nobody had one. :raise Broken: see there.
    """
    depth = state.depth = state.depth + 1
    if depth > _DEEPEST:
        state.warn(f"restrictions within restrictions, too many, in {state.parameter}")
        raise misconfigured()
    verdict = None
    ask = _ask if state.rules.record is None else _ask_and_record
    for restriction in restrictions:
        if state.discarding:
            break
        if restriction.name == WARN_IF_REJECT:
            state.warning = state.warning or depth
            continue
        verdict = await ask(restriction, state)
        if verdict is not None and verdict.reply is not None:
            verdict = refusal(verdict.reply, state)
        if state.warning >= depth:
            state.warning = 0
        if verdict is not None or (state.defer_if_permit is not None and state.defer_if_reject is not None):
            break
    state.depth = depth - 1
    return verdict


def refusal(reply: Reply, state: Evaluation) -> Verdict | None:
    """What becomes of a refusal."""
    if not 400 <= reply.code < 600:
        state.warn(f"SMTP reply code configuration error: {reply}")
        reply = Reply(450, "4.7.1", "Service unavailable")
    if not state.warning and state.defer_if_reject is not None and reply.permanent:
        reply = state.defer_if_reject
    if state.rules.soft_bounce and reply.permanent:
        reply = Reply(reply.code - 100, "4" + reply.enhanced[1:], reply.text)
    if state.warning:
        state.note("reject_warning", str(reply))
        return None
    return Verdict(reply)


async def _ask(restriction: Any, state: Evaluation) -> Verdict | None:
    try:
        verdict: Verdict | None = await restriction.check(state)
        return verdict
    except Broken:
        raise
    except TemporaryError as error:
        text = error.reply.text
        if not text.endswith(_LOOKUP_FAILED):
            text = target_of(state.subject, _LOOKUP_FAILED)
        raise Broken(Reply(451, "4.3.0", text)) from error
    except Exception as error:  # a restriction may be a plug-in: its fault costs a refusal for now, not the session
        _faults.failure("restriction {name} failed", name=restriction.name)
        state.rules.log.error(f"restriction {restriction} failed: {type(error).__name__}")
        raise misconfigured() from error


async def _ask_and_record(restriction: Any, state: Evaluation) -> Verdict | None:
    began, depth = perf_counter(), state.depth
    state.key = state.table = ""
    answer = "dunno"
    try:
        verdict = await _ask(restriction, state)
        if verdict is not None:
            answer = "permit" if verdict.reply is None else str(verdict.reply)
        return verdict
    except Broken as error:
        answer = str(error.reply)
        raise
    finally:
        record = state.rules.record
        assert record is not None
        seconds = perf_counter() - began
        record.append(Decision(state.parameter, str(restriction), state.key, state.table, answer, seconds, depth))
