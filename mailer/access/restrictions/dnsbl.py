"""Restrictions by lists in the DNS: blocklists and allowlists of addresses and of domains (postconf(5), RFC 5782).

A blocklist that cannot be asked refuses nobody. An allowlist that cannot be asked turns later refusals into temporary ones,
and lets nobody relay.
"""

from __future__ import annotations

from abc import abstractmethod

from mailer.access.addresses import authorized
from mailer.access.dnsxl import DnsList, reverse
from mailer.access.evaluation import Evaluation, target_of
from mailer.access.rblreply import RblReply
from mailer.access.restriction import Environment, Restriction
from mailer.access.subjects import CLIENT, HELO, RECIPIENT, REVERSE_CLIENT, SENDER, Subject
from mailer.access.verdict import Verdict, reply_with
from mailer.message.status import TemporaryError
from mailer.wire.smtp.path import valid_hostname

__all__ = ["RESTRICTIONS"]


class _DnsListRestriction(Restriction):
    takes = "domain"

    def __init__(self, environment: Environment, argument: str = "") -> None:
        super().__init__(environment, argument)
        context = environment.context
        self.list = DnsList(argument, context.dns)


class RejectRblClient(_DnsListRestriction):
    """The client's address is listed."""

    name = "reject_rbl_client"

    def __init__(self, environment: Environment, argument: str = "") -> None:
        super().__init__(environment, argument)
        self._reply = RblReply(environment.context)

    async def check(self, state: Evaluation) -> Verdict | None:
        address = state.session.client.address
        try:
            if not await self.list.lists(state, reverse(address)):
                return None
        except TemporaryError:
            return None
        reason = await self.list.reason(reverse(address))
        state.key, state.table = address, self.list.domain
        return await self._reply.refusal(state, self.argument, CLIENT.stage, address, reason)


class _RejectRhsbl(_DnsListRestriction):
    """A domain is listed."""

    subject: Subject

    def __init__(self, environment: Environment, argument: str = "") -> None:
        super().__init__(environment, argument)
        self._reply = RblReply(environment.context)

    async def check(self, state: Evaluation) -> Verdict | None:
        what = self.subject.value(state.session)
        domain = _domain(what, self.subject)
        try:
            if not domain or not await self.list.lists(state, domain):
                return None
        except TemporaryError:
            return None
        reason = await self.list.reason(domain)
        state.key, state.table = domain, self.list.domain
        return await self._reply.refusal(state, self.argument, self.subject.stage, what, reason)


def _domain(what: str, subject: Subject) -> str:
    """The domain to look up, "" if there is none."""
    domain = what.rpartition("@")[2]
    if subject in (CLIENT, REVERSE_CLIENT) and domain == "unknown":
        return ""
    return domain if valid_hostname(domain) else ""


class RejectRhsblClient(_RejectRhsbl):
    name = "reject_rhsbl_client"
    subject = CLIENT


class RejectRhsblReverseClient(_RejectRhsbl):
    name = "reject_rhsbl_reverse_client"
    subject = REVERSE_CLIENT


class RejectRhsblHelo(_RejectRhsbl):
    name = "reject_rhsbl_helo"
    subject = HELO


class RejectRhsblSender(_RejectRhsbl):
    name = "reject_rhsbl_sender"
    subject = SENDER


class RejectRhsblRecipient(_RejectRhsbl):
    name = "reject_rhsbl_recipient"
    subject = RECIPIENT


class _Permit(_DnsListRestriction):
    """A list that can be asked by anybody must not make us an open relay: it speaks only for mail that is ours to take."""

    @abstractmethod
    async def listed(self, state: Evaluation) -> bool: ...

    @abstractmethod
    def listing(self, state: Evaluation) -> str:
        """What is listed."""

    async def check(self, state: Evaluation) -> Verdict | None:
        recipient = state.session.recipient
        if recipient and not await authorized(self.environment, state, recipient):
            return None
        try:
            if not await self.listed(state):
                return None
        except TemporaryError:
            text = target_of(self.listing(state), f"{CLIENT.stage} rejected: Service unavailable")
            state.postpone_refusal(reply_with(450, "4.7.1", text))
            return None
        state.key, state.table = self.listing(state), self.list.domain
        return await state.permit(self.name, CLIENT.stage, CLIENT.shown(state))


class PermitDnswlClient(_Permit):
    name = "permit_dnswl_client"

    def listing(self, state: Evaluation) -> str:
        return state.session.client.address

    async def listed(self, state: Evaluation) -> bool:
        return await self.list.lists(state, reverse(state.session.client.address))


class PermitRhswlClient(_Permit):
    name = "permit_rhswl_client"

    def listing(self, state: Evaluation) -> str:
        return state.session.client.name

    async def listed(self, state: Evaluation) -> bool:
        domain = _domain(state.session.client.name, CLIENT)
        return bool(domain) and await self.list.lists(state, domain)


class RejectMapsRbl(Restriction):
    """All lists of maps_rbl_domains: the old way to name them."""

    name = "reject_maps_rbl"
    _warned = False

    def __init__(self, environment: Environment, argument: str = "") -> None:
        super().__init__(environment, argument)
        self._lists = [RejectRblClient(environment, domain) for domain in environment.settings.maps_rbl_domains]

    async def check(self, state: Evaluation) -> Verdict | None:
        if not self._warned:
            self._warned = True
            state.warn(
                'support for restriction "reject_maps_rbl" will be removed from Postfix;'
                ' use "reject_rbl_client domain-name" instead'
            )
        for each in self._lists:
            verdict = await each.check(state)
            if verdict is not None:
                return verdict
        return None


RESTRICTIONS = (
    RejectRblClient,
    RejectRhsblClient,
    RejectRhsblReverseClient,
    RejectRhsblHelo,
    RejectRhsblSender,
    RejectRhsblRecipient,
    PermitDnswlClient,
    PermitRhswlClient,
    RejectMapsRbl,
)
