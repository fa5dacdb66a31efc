"""Restrictions on the form and the domain of sender and recipient (postconf(5): reject_non_fqdn_*, reject_unknown_*_domain)."""

from __future__ import annotations

from abc import abstractmethod

from mailer.access.addresses import OURS, resolved
from mailer.access.enhanced import fit
from mailer.access.evaluation import Evaluation, target_of
from mailer.access.names import NullMx, resolvable, without_dot
from mailer.access.restriction import Restriction
from mailer.access.subjects import RECIPIENT, SENDER, SENDER_STAGE, Subject
from mailer.access.verdict import Verdict, refuse, reply_with
from mailer.message.address import split
from mailer.message.status import TemporaryError
from mailer.wire.smtp.path import valid_hostname

__all__ = ["RESTRICTIONS"]


class _AddressRestriction(Restriction):
    subject: Subject

    async def check(self, state: Evaluation) -> Verdict | None:
        address = self.subject.value(state.session)
        return await self.check_address(state, address) if address else None

    @abstractmethod
    async def check_address(self, state: Evaluation, address: str) -> Verdict | None: ...

    def rejected(self, address: str, text: str) -> str:
        return target_of(address, f"{self.subject.stage} rejected: {text}")


class _NonFqdn(_AddressRestriction):
    async def check_address(self, state: Evaluation, address: str) -> Verdict | None:
        domain = split(address)[1]
        if domain.startswith("["):
            return None
        bare = without_dot(domain)
        if "." in bare and valid_hostname(bare, utf8=True):
            return None
        code = self.environment.settings.non_fqdn_reject_code
        return refuse(code, "5.5.2", self.rejected(address, "need fully-qualified address"))


class RejectNonFqdnSender(_NonFqdn):
    name = "reject_non_fqdn_sender"
    subject = SENDER


class RejectNonFqdnRecipient(_NonFqdn):
    name = "reject_non_fqdn_recipient"
    subject = RECIPIENT


class _UnknownDomain(_AddressRestriction):
    """We are not where mail for the domain ends, and the DNS does not say where it could go."""

    async def check_address(self, state: Evaluation, address: str) -> Verdict | None:
        destination = await resolved(self.environment, state, address)
        domain = split(destination.recipient)[1]
        if not domain or domain.startswith("[") or destination.address_class in OURS:
            return None
        settings, stage = self.environment.settings, self.subject.stage
        reply = reply_with(450, fit("4.1.8", stage), self.rejected(address, "Domain not found"))
        try:
            if await resolvable(self.environment.context.dns, domain, exchangers_first=True):
                return None
        except NullMx:
            text = self.rejected(address, f"Domain {domain} does not accept mail (nullMX)")
            return refuse(550, "5.7.27", text) if stage == SENDER_STAGE else refuse(556, "5.1.10", text)
        except TemporaryError:
            return state.postpone(reply, settings.unknown_address_tempfail_action)
        return refuse(settings.unknown_address_reject_code, reply.enhanced, reply.text)


class RejectUnknownSenderDomain(_UnknownDomain):
    name = "reject_unknown_sender_domain"
    subject = SENDER


class RejectUnknownRecipientDomain(_UnknownDomain):
    name = "reject_unknown_recipient_domain"
    subject = RECIPIENT


class RejectUnknownAddress(_UnknownDomain):
    name = "reject_unknown_address"
    subject = SENDER


RESTRICTIONS = (
    RejectNonFqdnSender,
    RejectNonFqdnRecipient,
    RejectUnknownSenderDomain,
    RejectUnknownRecipientDomain,
    RejectUnknownAddress,
)
