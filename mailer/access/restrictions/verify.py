"""reject_unverified_sender, reject_unverified_recipient (ADDRESS_VERIFICATION_README).

There is no address verification service here, so that nothing is known of any address: as when Postfix cannot reach its
own, the request is deferred unless something else refuses it, and the log says why. What is reported at start names it, too.
"""

from __future__ import annotations

from mailer.access.enhanced import fit
from mailer.access.evaluation import Evaluation, target_of
from mailer.access.restriction import Restriction
from mailer.access.subjects import RECIPIENT, SENDER, Subject
from mailer.access.verdict import Verdict, reply_with

__all__ = ["RESTRICTIONS"]


class _RejectUnverified(Restriction):
    subject: Subject
    unsupported = "address verification is not supported; it defers all mail that it is asked about"

    def action(self) -> str:
        """What an answer that cannot be had now leads to."""
        raise NotImplementedError

    async def check(self, state: Evaluation) -> Verdict | None:
        address = self.subject.value(state.session)
        if not address:
            return None
        state.warn(f"{self.environment.settings.address_verify_service_name} service failure")
        stage = self.subject.stage
        text = target_of(address, f"{stage} rejected: address verification problem")
        return state.postpone(reply_with(450, fit("4.1.1", stage), text), self.action())


class RejectUnverifiedSender(_RejectUnverified):
    name = "reject_unverified_sender"
    subject = SENDER

    def action(self) -> str:
        return str(self.environment.settings.unverified_sender_tempfail_action)


class RejectUnverifiedRecipient(_RejectUnverified):
    name = "reject_unverified_recipient"
    subject = RECIPIENT

    def action(self) -> str:
        return str(self.environment.settings.unverified_recipient_tempfail_action)


RESTRICTIONS = (RejectUnverifiedSender, RejectUnverifiedRecipient)
