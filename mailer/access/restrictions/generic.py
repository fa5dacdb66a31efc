"""Restrictions that look at nothing, or only at the client: permit, reject, defer, permit_mynetworks ... (postconf(5))."""

from __future__ import annotations

from mailer.access.evaluation import Evaluation, target_of
from mailer.access.restriction import Restriction
from mailer.access.verdict import PERMIT, Verdict, refuse

__all__ = ["RESTRICTIONS"]


class Permit(Restriction):
    name = "permit"

    async def check(self, state: Evaluation) -> Verdict | None:
        return PERMIT


class Reject(Restriction):
    name = "reject"

    async def check(self, state: Evaluation) -> Verdict | None:
        return refuse(
            self.environment.settings.reject_code,
            "5.7.1",
            target_of(state.subject, f"{state.stage} rejected: Access denied"),
        )


class Defer(Restriction):
    name = "defer"

    async def check(self, state: Evaluation) -> Verdict | None:
        return refuse(
            self.environment.settings.defer_code,
            "4.3.2",
            target_of(state.subject, f"{state.stage} rejected: Try again later"),
        )


class PermitMynetworks(Restriction):
    name = "permit_mynetworks"

    async def check(self, state: Evaluation) -> Verdict | None:
        client = state.session.client
        return PERMIT if await self.environment.networks.match(client.name, client.address) else None


class PermitSaslAuthenticated(Restriction):
    name = "permit_sasl_authenticated"

    async def check(self, state: Evaluation) -> Verdict | None:
        return PERMIT if state.session.client.sasl_username else None


RESTRICTIONS = (Permit, Reject, Defer, PermitMynetworks, PermitSaslAuthenticated)
