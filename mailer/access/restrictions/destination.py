"""Restrictions on where a recipient lies: what makes a server no open relay (postconf(5), smtpd_relay_restrictions)."""

from __future__ import annotations

from mailer.access.addresses import authorized, unlisted_recipient, unlisted_sender
from mailer.access.evaluation import Evaluation, target_of
from mailer.access.restriction import Environment, Restriction
from mailer.access.subjects import RECIPIENT_STAGE, sender_of
from mailer.access.verdict import Verdict, refuse

__all__ = ["RESTRICTIONS"]


class PermitAuthDestination(Restriction):
    name = "permit_auth_destination"

    async def check(self, state: Evaluation) -> Verdict | None:
        recipient = state.session.recipient
        if not recipient or not await authorized(self.environment, state, recipient):
            return None
        return await state.permit(self.name, RECIPIENT_STAGE, recipient)


class RejectUnauthDestination(Restriction):
    name = "reject_unauth_destination"
    temporary = 0
    text = "Relay access denied"

    async def check(self, state: Evaluation) -> Verdict | None:
        recipient = state.session.recipient
        if not recipient or await authorized(self.environment, state, recipient):
            return None
        code = self.environment.settings.relay_domains_reject_code - self.temporary
        return refuse(code, "5.7.1", target_of(recipient, self.text))


class DeferUnauthDestination(RejectUnauthDestination):
    name = "defer_unauth_destination"
    temporary = 100


class CheckRelayDomains(RejectUnauthDestination):
    """As reject_unauth_destination, but what is not refused is permitted."""

    name = "check_relay_domains"
    text = f"{RECIPIENT_STAGE} rejected: Relay access denied"
    _warned = False

    async def check(self, state: Evaluation) -> Verdict | None:
        if not self._warned:
            self._warned = True
            state.warn(
                f'support for restriction "{self.name}" will be removed from Postfix;'
                ' use "reject_unauth_destination" instead'
            )
        if not state.session.recipient:
            return None
        verdict = await super().check(state)
        if verdict is not None:
            return verdict
        return await state.permit(self.name, RECIPIENT_STAGE, state.session.recipient)


class RejectUnlistedRecipient(Restriction):
    name = "reject_unlisted_recipient"

    def __init__(self, environment: Environment, argument: str = "") -> None:
        super().__init__(environment, argument)
        self._off = "no_unknown_recipient_checks" in environment.settings.receive_override_options

    async def check(self, state: Evaluation) -> Verdict | None:
        if self._off or not state.session.recipient:
            return None
        state.recipient_checked = state.recipient_checked or not state.warning
        reply = await unlisted_recipient(self.environment, state.session.recipient)
        return Verdict(reply) if reply is not None else None


class RejectUnlistedSender(Restriction):
    name = "reject_unlisted_sender"

    async def check(self, state: Evaluation) -> Verdict | None:
        sender = sender_of(state.session)
        if not sender:
            return None
        state.sender_checked = state.sender_checked or not state.warning
        reply = await unlisted_sender(self.environment, sender)
        return Verdict(reply) if reply is not None else None


class CheckRecipientMaps(RejectUnlistedRecipient):
    name = "check_recipient_maps"


RESTRICTIONS = (
    PermitAuthDestination,
    RejectUnauthDestination,
    DeferUnauthDestination,
    CheckRelayDomains,
    RejectUnlistedRecipient,
    RejectUnlistedSender,
    CheckRecipientMaps,
)
