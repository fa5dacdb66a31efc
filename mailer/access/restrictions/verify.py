"""reject_unverified_sender, reject_unverified_recipient (ADDRESS_VERIFICATION_README).

Asks the address verification service and waits for a first result as long as Postfix would: address_verify_poll_delay
between address_verify_poll_count questions. What is known to fail for good is refused with the reject code; whatever may
change, and what is not known yet, defers.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from mailer.access.enhanced import fit
from mailer.access.evaluation import Evaluation, target_of
from mailer.access.restriction import Environment, Restriction
from mailer.access.subjects import RECIPIENT, SENDER, Subject
from mailer.access.verdict import Verdict, reply_with
from mailer.message.status import Reply, TemporaryError
from mailer.message.verification import Known

__all__ = ["RESTRICTIONS"]


class _RejectUnverified(Restriction):
    subject: Subject

    def __init__(self, environment: Environment, argument: str = "") -> None:
        super().__init__(environment, argument)
        settings = environment.settings
        #: Seconds to wait for a probe's result, by the session's ``stress``.
        self._patience = {"": _patience(settings), "yes": _patience(settings.with_overrides({"stress": "yes"}))}

    @abstractmethod
    def action(self) -> str:
        """What an answer that cannot be had now leads to."""

    @abstractmethod
    def codes(self) -> tuple[int, int]:
        """The codes for what fails for good and for what fails for now."""

    @abstractmethod
    def reason(self) -> str:
        """What clients are told instead of what the probe was told."""

    async def check(self, state: Evaluation) -> Verdict | None:
        address = self.subject.value(state.session)
        if not address:
            return None
        environment = self.environment
        settings = environment.settings
        patience = self._patience[state.session.stress]
        try:
            if environment.verifier is None:
                raise TemporaryError("there is no address verification service")
            found = await environment.verifier.verify(address, patience)
        except TemporaryError:
            state.warn(f"{settings.address_verify_service_name} service failure")
            return state.postpone(self._reply(450, address, "address verification problem"), self.action())
        if found.known is Known.DELIVERABLE:
            return None
        return self._refused(state, address, found.known, found.text)

    def _refused(self, state: Evaluation, address: str, known: Known, text: str) -> Verdict | None:
        for_good, for_now = self.codes()
        code = for_good if known is Known.UNDELIVERABLE else for_now
        if code < 400:
            return None
        what = "undeliverable" if code >= 500 else "unverified"
        reply = self._reply(code, address, f"{what} address: {self.reason() or text}")
        return Verdict(reply) if code >= 500 else state.postpone(reply, self.action())

    def _reply(self, code: int, address: str, text: str) -> Reply:
        stage = self.subject.stage
        return reply_with(code, fit(f"{code // 100}.1.1", stage), target_of(address, f"{stage} rejected: {text}"))


def _patience(settings: Any) -> float:
    """As long as Postfix would poll for it."""
    return float((settings.address_verify_poll_count - 1) * settings.address_verify_poll_delay)


class RejectUnverifiedSender(_RejectUnverified):
    name = "reject_unverified_sender"
    subject = SENDER

    def action(self) -> str:
        return str(self.environment.settings.unverified_sender_tempfail_action)

    def codes(self) -> tuple[int, int]:
        settings = self.environment.settings
        return settings.unverified_sender_reject_code, settings.unverified_sender_defer_code

    def reason(self) -> str:
        return str(self.environment.settings.unverified_sender_reject_reason)


class RejectUnverifiedRecipient(_RejectUnverified):
    name = "reject_unverified_recipient"
    subject = RECIPIENT

    def action(self) -> str:
        return str(self.environment.settings.unverified_recipient_tempfail_action)

    def codes(self) -> tuple[int, int]:
        settings = self.environment.settings
        return settings.unverified_recipient_reject_code, settings.unverified_recipient_defer_code

    def reason(self) -> str:
        return str(self.environment.settings.unverified_recipient_reject_reason)


RESTRICTIONS = (RejectUnverifiedSender, RejectUnverifiedRecipient)
