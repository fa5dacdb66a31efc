"""Restrictions that look at nothing, or at the session as such (postconf(5), smtpd_recipient_restrictions, "Generic")."""

from __future__ import annotations

from twisted.internet.task import deferLater

from mailer.access.evaluation import Evaluation, target_of
from mailer.access.restriction import Restriction
from mailer.access.verdict import Verdict, refuse, reply_with

__all__ = ["RESTRICTIONS"]


class Permit(Restriction):
    name = "permit"

    async def check(self, state: Evaluation) -> Verdict | None:
        verdict = await state.permit(self.name, state.stage, state.subject)
        self.ends_list(state)
        return verdict


class Reject(Restriction):
    name = "reject"

    async def check(self, state: Evaluation) -> Verdict | None:
        if not state.warning:
            self.ends_list(state)
        code = self.environment.settings.reject_code
        return refuse(code, "5.7.1", target_of(state.subject, f"{state.stage} rejected: Access denied"))


class Defer(Restriction):
    name = "defer"

    async def check(self, state: Evaluation) -> Verdict | None:
        if not state.warning:
            self.ends_list(state)
        code = self.environment.settings.defer_code
        return refuse(code, "4.3.2", target_of(state.subject, f"{state.stage} rejected: Try again later"))


class DeferIfPermit(Restriction):
    name = "defer_if_permit"

    async def check(self, state: Evaluation) -> Verdict | None:
        text = f"{state.stage} rejected: defer_if_permit requested"
        return state.postpone(reply_with(450, "4.7.0", target_of(state.subject, text)))


class DeferIfReject(Restriction):
    name = "defer_if_reject"

    async def check(self, state: Evaluation) -> Verdict | None:
        text = f"{state.stage} rejected: defer_if_reject requested"
        state.postpone_refusal(reply_with(450, "4.7.0", target_of(state.subject, text)))
        return None


class Sleep(Restriction):
    """Waits so many seconds; the session of nobody else does."""

    name = "sleep"
    takes = "number"

    async def check(self, state: Evaluation) -> Verdict | None:
        await deferLater(self.environment.context.reactor, int(self.argument))
        return None


class RejectPlaintextSession(Restriction):
    name = "reject_plaintext_session"

    async def check(self, state: Evaluation) -> Verdict | None:
        if state.session.tls is not None:
            return None
        return refuse(self.environment.settings.plaintext_reject_code, "5.7.1", "Session encryption is required")


class RejectUnauthPipelining(Restriction):
    name = "reject_unauth_pipelining"

    async def check(self, state: Evaluation) -> Verdict | None:
        if not state.session.pipelined:
            return None
        text = f"{state.stage} rejected: Improper use of SMTP command pipelining"
        return refuse(503, "5.5.0", target_of(state.subject, text))


class RejectMultiRecipientBounce(Restriction):
    """Counts the recipient that is being examined, too."""

    name = "reject_multi_recipient_bounce"

    async def check(self, state: Evaluation) -> Verdict | None:
        session = state.session
        count = session.recipient_count + (session.protocol_state == "RCPT")
        if session.envelope is None or session.envelope.sender or count <= 1:
            return None
        code = self.environment.settings.multi_recipient_bounce_reject_code
        return refuse(code, "5.5.3", target_of(state.subject, f"{state.stage} rejected: Multi-recipient bounce"))


RESTRICTIONS = (
    Permit,
    Reject,
    Defer,
    DeferIfPermit,
    DeferIfReject,
    Sleep,
    RejectPlaintextSession,
    RejectUnauthPipelining,
    RejectMultiRecipientBounce,
)
