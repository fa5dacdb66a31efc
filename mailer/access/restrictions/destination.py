"""Restrictions on where a recipient lies: what makes a server no open relay (postconf(5), reject_unauth_destination)."""

from __future__ import annotations

from mailer.access.evaluation import Evaluation, target_of
from mailer.access.restriction import Environment, Restriction
from mailer.access.verdict import PERMIT, Verdict, refuse

__all__ = ["RESTRICTIONS", "authorized"]


async def authorized(environment: Environment, recipient: str) -> bool:
    """Whether mail for the recipient is ours to take: a final destination, or a relay domain without sender routing."""
    destination = await environment.addressing.resolve("", recipient)
    if destination.address_class in ("local", "virtual_alias", "virtual_mailbox"):
        return True
    return destination.address_class == "relay" and not destination.routed


class PermitAuthDestination(Restriction):
    name = "permit_auth_destination"

    async def check(self, state: Evaluation) -> Verdict | None:
        return PERMIT if await authorized(self.environment, state.session.recipient) else None


class RejectUnauthDestination(Restriction):
    name = "reject_unauth_destination"

    async def check(self, state: Evaluation) -> Verdict | None:
        if await authorized(self.environment, state.session.recipient):
            return None
        code = self.environment.settings.relay_domains_reject_code
        return refuse(code, "5.7.1", target_of(state.session.recipient, "Relay access denied"))


class DeferUnauthDestination(Restriction):
    name = "defer_unauth_destination"

    async def check(self, state: Evaluation) -> Verdict | None:
        if await authorized(self.environment, state.session.recipient):
            return None
        code = self.environment.settings.relay_domains_reject_code - 100
        return refuse(code, "4.7.1", target_of(state.session.recipient, "Relay access denied"))


class RejectUnlistedRecipient(Restriction):
    name = "reject_unlisted_recipient"

    async def check(self, state: Evaluation) -> Verdict | None:
        reply = await self.environment.addressing.recipient_exists(state.session.recipient)
        return Verdict(reply) if reply is not None else None


RESTRICTIONS = (PermitAuthDestination, RejectUnauthDestination, DeferUnauthDestination, RejectUnlistedRecipient)
