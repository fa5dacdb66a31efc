"""Access tables for the servers behind a name: its addresses, its mail exchangers, its name servers.

postconf(5): check_{client,reverse_client_hostname,helo,sender,recipient}_{a,mx,ns}_access. The servers' names are looked up
first, then their addresses. What anybody can publish in the DNS must not permit, so OK is a mistake here.
"""

from __future__ import annotations

from typing import Any

from mailer.access.evaluation import Evaluation
from mailer.access.names import is_address, literal_address
from mailer.access.restriction import Environment, Factory
from mailer.access.restrictions.tables import TableRestriction, forbid_permission
from mailer.access.subjects import CLIENT, HELO, RECIPIENT, REVERSE_CLIENT, SENDER, Subject
from mailer.access.verdict import Verdict
from mailer.message.status import TemporaryError
from mailer.wire.smtp.path import valid_hostname

__all__ = ["RESTRICTIONS"]

_MOST_SERVERS = 100
_NO_NAME = "Name or service not known"
_NO_NAME_NOW = "Temporary failure in name resolution"


class ServerAccess(TableRestriction):
    """One of them. ``kind`` is ``a``, ``mx`` or ``ns``."""

    subject: Subject
    kind = ""

    def __init__(self, environment: Environment, argument: str = "") -> None:
        super().__init__(environment, argument)
        protocols = environment.settings.inet_protocols
        self._families = ("ipv4", "ipv6") if "all" in protocols else tuple(protocols)

    async def check(self, state: Evaluation) -> Verdict | None:
        value = self.subject.value(state.session)
        if not value or (self.subject in (CLIENT, REVERSE_CLIENT) and value == "unknown"):
            return None
        domain = value.rpartition("@")[2]
        if not domain:
            return None
        shown = self.subject.shown(state)
        if domain.startswith("["):
            found = await self._literal(domain)
        else:
            found = await self._servers(state, domain, value, shown)
        if found is None:
            return None
        verdict = await self.act(state, found, shown, self.subject.stage)
        return forbid_permission(state, self.name, verdict, value)

    async def _literal(self, domain: str) -> Any:
        address = literal_address(domain)
        return await self.table.address(address) if address and self.kind != "ns" else None

    async def _servers(self, state: Evaluation, domain: str, value: str, shown: str) -> Any:
        if self.kind == "a":
            return await self._addresses(state, domain, shown, quiet=True)
        try:
            names = await (self._exchangers(domain) if self.kind == "mx" else self._name_servers(state, domain, value))
        except TemporaryError as error:
            kind = self.kind.upper()
            state.warn(f"Unable to look up {kind} host for {domain}: {error.cause}")
            return None
        for name in names[:_MOST_SERVERS]:
            found = await self.table.domain(name) or await self._addresses(state, name, shown)
            if found is not None:
                return found
        return None

    async def _exchangers(self, domain: str) -> tuple[str, ...]:
        """Mail goes to the domain itself when it has no exchangers."""
        dns = self.environment.context.dns
        answer = await dns.mx(domain) if valid_hostname(domain) else None
        if answer is None or not answer.records:
            return (domain,)
        return tuple(name for _, name in answer.records if name)

    async def _name_servers(self, state: Evaluation, domain: str, value: str) -> tuple[str, ...]:
        """Of the domain, or of the closest parent that has some."""
        dns = self.environment.context.dns
        name = domain
        while True:
            answer = await dns.ns(name) if valid_hostname(name) else None
            if answer is not None and answer.records:
                return tuple(answer.records)
            name = name.partition(".")[2]
            if not name:
                break
        exists = answer is not None and answer.exists
        reason = "Host found but no data record of requested type" if exists else "Host not found"
        state.warn(f"Unable to look up NS host for {value}: {reason}")
        return ()

    async def _addresses(self, state: Evaluation, name: str, shown: str, quiet: bool = False) -> Any:
        reason = _NO_NAME
        addresses: tuple[str, ...] = ()
        if is_address(name):
            addresses = (name,)
        elif valid_hostname(name):
            try:
                addresses = (await self.environment.context.dns.addresses(name, self._families)).records
            except TemporaryError:
                reason = _NO_NAME_NOW
        if not addresses and not quiet:
            where = f"{self.subject.stage} {shown}"
            state.warn(f"Unable to look up {self.kind.upper()} host {name} for {where}: {reason}")
        for address in addresses[:_MOST_SERVERS]:
            found = await self.table.address(address)
            if found is not None:
                return found
        return None


def _restriction(subject: Subject, kind: str) -> Factory:
    name = f"check_{subject.word}_{kind}_access"
    title = "".join(part.capitalize() for part in name.split("_"))
    return type(title, (ServerAccess,), {"name": name, "subject": subject, "kind": kind, "__doc__": None})


RESTRICTIONS = tuple(
    _restriction(subject, kind)
    for subject in (CLIENT, REVERSE_CLIENT, HELO, SENDER, RECIPIENT)
    for kind in ("a", "mx", "ns")
)
