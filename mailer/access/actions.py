"""What access tables and policy servers answer, carried out: the actions of access(5).

Actions for the whole message (HOLD, FILTER, REDIRECT, BCC, PREPEND, DISCARD) are noted on the session's envelope. An answer
that is no action is a list of restrictions.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from mailer.access.enhanced import fit, split_status
from mailer.access.evaluation import Evaluation, evaluate, misconfigured, target_of
from mailer.access.verdict import PERMIT, Verdict, reply_with
from mailer.config.values import split_list
from mailer.message.address import encode
from mailer.message.status import Reply

__all__ = ["Actions", "Answer"]

_REFUSAL = re.compile(r"([45])\d\d", re.ASCII).fullmatch
_HEADER = re.compile(r"[!-9;-~]+[ \t]*:").match
_MOST_LISTS = 1000
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """``table`` and ``key`` are what warnings name; ``subject`` and ``stage`` what replies name."""

    table: str
    key: str
    value: str
    subject: str
    stage: str

    def rejected(self, text: str) -> str:
        return target_of(self.subject, f"{self.stage} rejected: {text}")


class Actions:
    """Carries out answers.

    :param read: reads a list of restrictions: ``read(parameter, words, bare_table)``.
    """

    def __init__(self, settings: Any) -> None:
        self.read: Callable[..., tuple[Any, ...]] | None = None
        self._reject_code = settings.access_map_reject_code
        self._defer_code = settings.access_map_defer_code
        self._filtered = bool(settings.smtpd_proxy_filter)
        self._lists: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._words: dict[str, Callable[[Evaluation, Answer, str], Awaitable[Verdict | None]]] = {
            "OK": self._ok,
            "RELAY": self._ok,
            "REJECT": self._reject,
            "DEFER": self._defer,
            "DEFER_IF_PERMIT": self._defer_if_permit,
            "DEFER_IF_REJECT": self._defer_if_reject,
            "DUNNO": self._dunno,
            "WARN": self._warn,
            "INFO": self._info,
            "HOLD": self._hold,
            "DISCARD": self._discard,
            "FILTER": self._filter,
            "REDIRECT": self._redirect,
            "BCC": self._bcc,
            "PREPEND": self._prepend,
        }

    async def carry_out(self, state: Evaluation, answer: Answer) -> Verdict | None:
        """:return: a verdict, or None to go on. :raise Broken: the answer makes no sense."""
        value = answer.value
        if not value:
            state.warn(f"access table {answer.table} entry {value} has empty value")
            return await self._ok(state, answer, "")
        word, _, text = value.partition(" ") if "\t" not in value else value.replace("\t", " ").partition(" ")
        text = text.strip()
        action = self._words.get(word.upper())
        if action is not None:
            return await action(state, answer, text)
        if value.isascii() and value.isdigit():
            return await self._ok(state, answer, "")
        refusal = _REFUSAL(word)
        if refusal is not None:
            status, text = split_status(text, f"{refusal[1]}.7.1")
            return self._refused(state, answer, int(word), status, text, "Access denied")
        return await self._restrictions(state, answer)

    # Verdicts.

    async def _ok(self, state: Evaluation, answer: Answer, text: str) -> Verdict | None:
        if state.rules.permits is None:
            return PERMIT
        word = answer.value.partition(" ")[0]
        return await state.permit(word, answer.stage, answer.subject, f"from {answer.table}")

    async def _dunno(self, state: Evaluation, answer: Answer, text: str) -> Verdict | None:
        return None

    @staticmethod
    def _refused(state: Evaluation, answer: Answer, code: int, status: str, text: str, default: str) -> Verdict:
        fitting = fit(status, answer.stage)
        if fitting != status:
            state.tell(f"mapping DSN status {status} into {answer.stage} status {fitting}")
        return Verdict(reply_with(code, fitting, answer.rejected(text or default)))

    async def _reject(self, state: Evaluation, answer: Answer, text: str) -> Verdict | None:
        status, text = split_status(text, "5.7.1")
        return self._refused(state, answer, self._reject_code, status, text, "Access denied")

    async def _defer(self, state: Evaluation, answer: Answer, text: str) -> Verdict | None:
        status, text = split_status(text, "4.7.1")
        return self._refused(state, answer, self._defer_code, status, text, "Access denied")

    def _later(self, state: Evaluation, answer: Answer, text: str) -> Reply:
        status, text = split_status(text, "4.7.1")
        reply = self._refused(state, answer, self._defer_code, status, text, "Service unavailable").reply
        assert reply is not None
        return reply

    async def _defer_if_permit(self, state: Evaluation, answer: Answer, text: str) -> Verdict | None:
        return state.postpone(self._later(state, answer, text))

    async def _defer_if_reject(self, state: Evaluation, answer: Answer, text: str) -> Verdict | None:
        state.postpone_refusal(self._later(state, answer, text))
        return None

    # Words for the log.

    async def _warn(self, state: Evaluation, answer: Answer, text: str) -> Verdict | None:
        state.note("warn", text)
        return None

    async def _info(self, state: Evaluation, answer: Answer, text: str) -> Verdict | None:
        state.note("info", text)
        return None

    # What becomes of the message.

    def _applies(self, state: Evaluation, answer: Answer, action: str) -> bool:
        """Whether there is a message that an action can be noted for."""
        if self._filtered and action != "PREPEND":
            state.warn(
                f"access table {answer.table}: with smtpd_proxy_filter specified, action {action} is unavailable"
            )
            return False
        if state.session.protocol_state == "ETRN" and action != "PREPEND":
            state.warn(f"access table {answer.table}: action {action} is unavailable in smtpd_etrn_restrictions")
            return False
        if not state.in_transaction:
            state.warn(
                f"access table {answer.table}: with smtpd_delay_reject=no, action {action} is always skipped in"
                " Client host or Helo command restrictions"
            )
            return False
        return True

    def _complain(self, state: Evaluation, answer: Answer, text: str) -> None:
        state.warn(f'access table {answer.table} entry "{answer.key}" {text}')

    async def _hold(self, state: Evaluation, answer: Answer, text: str) -> Verdict | None:
        if self._applies(state, answer, "HOLD"):
            envelope = state.session.envelope
            assert envelope is not None
            if not envelope.hold:
                state.note("hold", target_of(answer.subject, f"{answer.stage} {text or 'triggers HOLD action'}"))
                envelope.hold = text or "hold"
        return None

    async def _discard(self, state: Evaluation, answer: Answer, text: str) -> Verdict | None:
        if not self._applies(state, answer, "DISCARD"):
            return None
        assert state.session.envelope is not None
        state.note("discard", target_of(answer.subject, f"{answer.stage} {text or 'triggers DISCARD action'}"))
        state.session.envelope.discard = text or "discard"
        return await self._ok(state, answer, text)

    async def _filter(self, state: Evaluation, answer: Answer, text: str) -> Verdict | None:
        if not self._applies(state, answer, "FILTER"):
            return None
        if not text:
            self._complain(state, answer, "has FILTER entry without value")
        elif ":" not in text:
            self._complain(state, answer, "requires transport:destination")
        else:
            assert state.session.envelope is not None
            self._triggered(state, answer, "filter", text)
            state.session.envelope.filter = text
        return None

    async def _redirect(self, state: Evaluation, answer: Answer, text: str) -> Verdict | None:
        if self._applies(state, answer, "REDIRECT") and self._is_address(state, answer, text):
            assert state.session.envelope is not None
            self._triggered(state, answer, "redirect", text)
            state.session.envelope.redirect = text
        return None

    async def _bcc(self, state: Evaluation, answer: Answer, text: str) -> Verdict | None:
        if self._applies(state, answer, "BCC") and self._is_address(state, answer, text):
            assert state.session.envelope is not None
            self._triggered(state, answer, "bcc", text)
            if text not in state.session.envelope.bcc:
                state.session.envelope.bcc.append(text)
        return None

    async def _prepend(self, state: Evaluation, answer: Answer, text: str) -> Verdict | None:
        if state.session.protocol_state == "END-OF-MESSAGE":
            state.warn(
                f"access table {answer.table}: action PREPEND must be used before smtpd_end_of_data_restrictions"
            )
        elif self._applies(state, answer, "PREPEND"):
            assert state.session.envelope is not None
            if _HEADER(text):
                state.session.envelope.prepend.append(encode(text))
            else:
                self._complain(state, answer, "requires header: text")
        return None

    def _is_address(self, state: Evaluation, answer: Answer, text: str) -> bool:
        if "@" in text:
            return True
        self._complain(state, answer, "requires user@domain target")
        return False

    @staticmethod
    def _triggered(state: Evaluation, answer: Answer, word: str, text: str) -> None:
        state.note(word, target_of(answer.subject, f"{answer.stage} triggers {word.upper()} {text}"))

    # Lists.

    async def _restrictions(self, state: Evaluation, answer: Answer) -> Verdict | None:
        if ":" in answer.value:
            state.warn(f"access table {answer.table} has entry with lookup table: {answer.value}")
            state.warn("do not specify lookup tables inside SMTPD access maps")
            state.warn("define a restriction class and specify its name instead.")
            raise misconfigured()
        if state.depth >= _DEEPEST:
            state.warn(f"access table {answer.table} entry {answer.value} causes unreasonable recursion")
            raise misconfigured()
        members = self._members(answer.value, state.bare_table)
        before = state.stage, state.subject, state.key, state.table
        state.stage, state.subject = answer.stage, answer.subject
        try:
            return await evaluate(members, state)
        finally:
            state.stage, state.subject, state.key, state.table = before

    def _members(self, value: str, bare_table: str) -> tuple[Any, ...]:
        members = self._lists.get((value, bare_table))
        if members is None:
            assert self.read is not None
            if len(self._lists) >= _MOST_LISTS:
                self._lists.clear()
            members = self._lists[value, bare_table] = self.read("", split_list(value), bare_table)
        return members
