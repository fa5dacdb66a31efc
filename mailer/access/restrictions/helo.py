"""Restrictions on the name in HELO or EHLO (postconf(5), smtpd_helo_restrictions)."""

from __future__ import annotations

from abc import abstractmethod

from mailer.access.evaluation import Evaluation, target_of
from mailer.access.names import is_address, is_literal, resolvable, without_dot
from mailer.access.restriction import Restriction
from mailer.access.subjects import HELO_STAGE
from mailer.access.verdict import Verdict, refuse, reply_with
from mailer.message.status import TemporaryError
from mailer.wire.smtp.path import valid_hostname

__all__ = ["RESTRICTIONS"]


def _rejected(name: str, text: str) -> str:
    return target_of(name, f"{HELO_STAGE} rejected: {text}")


class _HeloRestriction(Restriction):
    """Address literals are only checked for their form; without HELO there is nothing to check."""

    async def check(self, state: Evaluation) -> Verdict | None:
        name = state.session.client.helo
        if not name:
            return None
        if name.startswith("["):
            if is_literal(name):
                return None
            code = self.environment.settings.invalid_hostname_reject_code
            return refuse(code, "5.5.2", _rejected(name, "invalid ip address"))
        return await self.check_name(state, name)

    @abstractmethod
    async def check_name(self, state: Evaluation, name: str) -> Verdict | None: ...


class RejectInvalidHeloHostname(_HeloRestriction):
    name = "reject_invalid_helo_hostname"

    async def check_name(self, state: Evaluation, name: str) -> Verdict | None:
        bare = without_dot(name)
        if valid_hostname(bare) or is_address(bare):
            return None
        code = self.environment.settings.invalid_hostname_reject_code
        return refuse(code, "5.5.2", _rejected(name, "Invalid name"))


class RejectNonFqdnHeloHostname(_HeloRestriction):
    name = "reject_non_fqdn_helo_hostname"

    async def check_name(self, state: Evaluation, name: str) -> Verdict | None:
        bare = without_dot(name)
        if "." in bare and valid_hostname(bare):
            return None
        code = self.environment.settings.non_fqdn_reject_code
        return refuse(code, "5.5.2", _rejected(name, "need fully-qualified hostname"))


class RejectUnknownHeloHostname(_HeloRestriction):
    """The name has neither addresses nor mail exchangers."""

    name = "reject_unknown_helo_hostname"

    async def check_name(self, state: Evaluation, name: str) -> Verdict | None:
        settings = self.environment.settings
        reply = reply_with(450, "4.7.1", _rejected(name, "Host not found"))
        try:
            if await resolvable(self.environment.context.dns, name, exchangers_first=False):
                return None
        except TemporaryError:
            return state.postpone(reply, settings.unknown_helo_hostname_tempfail_action)
        return refuse(settings.unknown_hostname_reject_code, "5.7.1", reply.text)


class RejectInvalidHostname(RejectInvalidHeloHostname):
    name = "reject_invalid_hostname"


class RejectNonFqdnHostname(RejectNonFqdnHeloHostname):
    name = "reject_non_fqdn_hostname"


class RejectUnknownHostname(RejectUnknownHeloHostname):
    name = "reject_unknown_hostname"


class PermitNakedIpAddress(Restriction):
    """Said HELO with an address where a name should be. Obsolete, and no more than that is known of such a client."""

    name = "permit_naked_ip_address"

    async def check(self, state: Evaluation) -> Verdict | None:
        state.warn(f"restriction {self.name} is deprecated. Use permit_mynetworks or permit_sasl_authenticated instead")
        name = state.session.client.helo
        if not is_address(name):
            return None
        return await state.permit(self.name, HELO_STAGE, name)


RESTRICTIONS = (
    RejectInvalidHeloHostname,
    RejectNonFqdnHeloHostname,
    RejectUnknownHeloHostname,
    RejectInvalidHostname,
    RejectNonFqdnHostname,
    RejectUnknownHostname,
    PermitNakedIpAddress,
)
