"""Access tables: check_client_access and its sisters (access(5))."""

from __future__ import annotations

from typing import Any

from mailer.access.actions import Answer
from mailer.access.evaluation import Evaluation, misconfigured
from mailer.access.lookups import AccessTable
from mailer.access.restriction import Environment, Restriction
from mailer.access.subjects import CLIENT, ETRN_STAGE, HELO, RECIPIENT_STAGE, REVERSE_CLIENT, SENDER, Subject
from mailer.access.verdict import Verdict

__all__ = ["RESTRICTIONS", "TableRestriction", "forbid_permission"]


class TableRestriction(Restriction):
    """A restriction that looks something up."""

    takes = "table"

    def __init__(self, environment: Environment, argument: str = "") -> None:
        super().__init__(environment, argument)
        self.table = AccessTable(environment, argument)

    async def act(self, state: Evaluation, found: Any, subject: str, stage: str) -> Verdict | None:
        """Carry out what was found."""
        self.table.record(state, found)
        answer = Answer(self.argument, found.key, found.value, subject, stage)
        verdict: Verdict | None = await self.environment.actions.carry_out(state, answer)
        return verdict


def forbid_permission(state: Evaluation, name: str, verdict: Verdict | None, shown: str) -> Verdict | None:
    """What anybody can make look right must not permit.

    :raise Broken: it did.
    """
    if verdict is None or verdict.reply is not None:
        return verdict
    log = state.rules.log
    log.warning(f"restriction {name} returns OK for {shown}")
    log.warning("this is not allowed for security reasons")
    log.warning("use DUNNO instead of OK if you want to make an exception")
    raise misconfigured()


class CheckClientAccess(TableRestriction):
    name = "check_client_access"

    async def check(self, state: Evaluation) -> Verdict | None:
        client = state.session.client
        found = await self.table.host(client.name, client.address)
        return None if found is None else await self.act(state, found, CLIENT.shown(state), CLIENT.stage)


class _NameAccess(TableRestriction):
    subject: Subject

    async def check(self, state: Evaluation) -> Verdict | None:
        name = self.subject.value(state.session)
        found = await self.table.domain(name)
        return None if found is None else await self.act(state, found, name, self.subject.stage)


class CheckReverseClientHostnameAccess(TableRestriction):
    name = "check_reverse_client_hostname_access"

    async def check(self, state: Evaluation) -> Verdict | None:
        client = state.session.client
        found = await self.table.host(client.reverse_name, client.address)
        if found is None:
            return None
        verdict = await self.act(state, found, client.reverse_name, REVERSE_CLIENT.stage)
        return forbid_permission(state, self.name, verdict, client.reverse_name)


class CheckHeloAccess(_NameAccess):
    name = "check_helo_access"
    subject = HELO


class CheckEtrnAccess(TableRestriction):
    name = "check_etrn_access"

    async def check(self, state: Evaluation) -> Verdict | None:
        domain = state.session.etrn_domain
        found = await self.table.domain(domain)
        return None if found is None else await self.act(state, found, domain, ETRN_STAGE)


class CheckSenderAccess(TableRestriction):
    name = "check_sender_access"

    async def check(self, state: Evaluation) -> Verdict | None:
        envelope = state.session.envelope
        if envelope is None:
            return None
        found, _ = await self.table.mail(state, envelope.sender)
        return None if found is None else await self.act(state, found, envelope.sender, SENDER.stage)


class CheckRecipientAccess(TableRestriction):
    """A table cannot vouch for a recipient that names a further host: its OK is then no permission."""

    name = "check_recipient_access"

    async def check(self, state: Evaluation) -> Verdict | None:
        recipient = state.session.recipient
        if not recipient:
            return None
        found, routed = await self.table.mail(state, recipient)
        if found is None:
            return None
        verdict = await self.act(state, found, recipient, RECIPIENT_STAGE)
        permits = verdict is not None and verdict.reply is None
        if permits and routed and not self.environment.settings.allow_untrusted_routing:
            return None
        return verdict


RESTRICTIONS = (
    CheckClientAccess,
    CheckReverseClientHostnameAccess,
    CheckHeloAccess,
    CheckEtrnAccess,
    CheckSenderAccess,
    CheckRecipientAccess,
)
