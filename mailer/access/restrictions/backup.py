"""permit_mx_backup: we are a mail exchanger of the recipient's domain, but no primary one (postconf(5)).

permit_mx_backup_networks, if set, says where the primary ones have to be.
"""

from __future__ import annotations

from typing import Any

from mailer.access.addresses import authorized, resolved
from mailer.access.evaluation import Evaluation, target_of
from mailer.access.names import literal_address
from mailer.access.restriction import Environment, Restriction
from mailer.access.subjects import RECIPIENT_STAGE
from mailer.access.verdict import Verdict, reply_with
from mailer.message.address import split
from mailer.message.status import TemporaryError
from mailer.net.own_addresses import own_addresses
from mailer.tables.match import AddressList, DomainList, matches_subdomains

__all__ = ["RESTRICTIONS"]


class PermitMxBackup(Restriction):
    name = "permit_mx_backup"

    def __init__(self, environment: Environment, argument: str = "") -> None:
        super().__init__(environment, argument)
        settings, context = environment.settings, environment.context
        name = "permit_mx_backup_networks"
        parents = matches_subdomains(settings, name)
        self._networks = AddressList(settings.permit_mx_backup_networks, context, name, parents)
        names = (*settings.inet_interfaces, *settings.proxy_interfaces)
        protocols = settings.inet_protocols
        self._families = ("ipv4", "ipv6") if "all" in protocols else tuple(protocols)
        self._own = own_addresses(names, self._families)
        self._myself = DomainList(settings.mydestination, context, "mydestination")
        self._dns = context.dns

    async def check(self, state: Evaluation) -> Verdict | None:
        recipient = state.session.recipient
        if not recipient:
            return None
        if await authorized(self.environment, state, recipient) or await self._backed_up(state, recipient):
            return await state.permit(self.name, RECIPIENT_STAGE, recipient)
        return None

    async def _backed_up(self, state: Evaluation, recipient: str) -> bool:
        destination = await resolved(self.environment, state, recipient)
        domain = split(destination.recipient)[1]
        untrusted = destination.routed and not self.environment.settings.allow_untrusted_routing
        if untrusted or not domain or domain.startswith("[") or literal_address(domain):
            return False
        try:
            exchangers = (await self._dns.mx(domain)).records
        except TemporaryError as error:
            text = f"Unable to look up mail exchanger information: {error.cause}"
            self._postpone(state, recipient, text)
            return False
        if not exchangers or not exchangers[0][1]:
            return False
        best = exchangers[0][0]
        ours = await self._our_preference(state, exchangers, recipient)
        if ours is None or ours == best:
            return False
        primaries = [host for preference, host in exchangers if preference == best]
        return not self._networks or await self._in_networks(state, primaries, recipient)

    async def _our_preference(self, state: Evaluation, exchangers: Any, recipient: str) -> int | None:
        """The preference of the exchanger that is this machine, by name, else by address; None if none is."""
        for preference, host in exchangers:
            if await self._myself.match(host):
                return int(preference)
        for preference, host in exchangers:
            if any(address in self._own for address in await self._addresses(state, host, recipient)):
                return int(preference)
        return None

    async def _in_networks(self, state: Evaluation, hosts: list[str], recipient: str) -> bool:
        for host in hosts:
            addresses = await self._addresses(state, host, recipient)
            if not addresses:
                return False
            for address in addresses:
                if not await self._networks.match("", address):
                    return False
        return True

    async def _addresses(self, state: Evaluation, host: str, recipient: str) -> tuple[str, ...]:
        try:
            records: tuple[str, ...] = (await self._dns.addresses(host, self._families)).records
            reason = "" if records else "Name or service not known"
        except TemporaryError:
            records, reason = (), "Temporary failure in name resolution"
        if reason:
            self._postpone(state, recipient, f"Unable to look up mail exchanger host {host}: {reason}")
        return records

    @staticmethod
    def _postpone(state: Evaluation, recipient: str, text: str) -> None:
        reply = reply_with(450, "4.4.4", target_of(recipient, f"{RECIPIENT_STAGE} rejected: {text}"))
        state.postpone_refusal(reply)


RESTRICTIONS = (PermitMxBackup,)
