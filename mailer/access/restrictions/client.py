"""Restrictions on the client: where it is, who it says it is (postconf(5), smtpd_client_restrictions)."""

from __future__ import annotations

from abc import abstractmethod

from mailer.access.evaluation import Evaluation
from mailer.access.restriction import Environment, Restriction
from mailer.access.subjects import CLIENT
from mailer.access.verdict import Verdict, refuse
from mailer.net.own_addresses import own_addresses

__all__ = ["RESTRICTIONS"]


class _PermitClient(Restriction):
    @abstractmethod
    async def permitted(self, state: Evaluation) -> bool: ...

    async def check(self, state: Evaluation) -> Verdict | None:
        if not await self.permitted(state):
            return None
        return await state.permit(self.name, CLIENT.stage, CLIENT.shown(state))


class PermitMynetworks(_PermitClient):
    name = "permit_mynetworks"

    async def permitted(self, state: Evaluation) -> bool:
        client = state.session.client
        matched: bool = await self.environment.networks.match(client.name, client.address)
        return matched


class PermitInetInterfaces(_PermitClient):
    """The client is this machine: its address is one of inet_interfaces or proxy_interfaces."""

    name = "permit_inet_interfaces"

    def __init__(self, environment: Environment, argument: str = "") -> None:
        super().__init__(environment, argument)
        settings = environment.settings
        protocols = settings.inet_protocols
        names = (*settings.inet_interfaces, *settings.proxy_interfaces)
        self._own = own_addresses(names, ("ipv4", "ipv6") if "all" in protocols else protocols)

    async def permitted(self, state: Evaluation) -> bool:
        # Not the client that XCLIENT speaks of.
        return state.session.peer in self._own


class PermitSaslAuthenticated(_PermitClient):
    name = "permit_sasl_authenticated"

    async def permitted(self, state: Evaluation) -> bool:
        return bool(state.session.client.sasl_username) and self.environment.settings.smtpd_sasl_auth_enable


class RejectUnknownClientHostname(Restriction):
    """The client has no name that leads back to its address."""

    name = "reject_unknown_client_hostname"

    async def check(self, state: Evaluation) -> Verdict | None:
        status = state.session.client_status
        if status == "ok":
            return None
        code = 450 if status == "temporary" else self.environment.settings.unknown_client_reject_code
        address = state.session.client.address
        return refuse(code, "5.7.25", f"Client host rejected: cannot find your hostname, [{address}]")


class RejectUnknownReverseClientHostname(Restriction):
    """The client's address has no name."""

    name = "reject_unknown_reverse_client_hostname"

    async def check(self, state: Evaluation) -> Verdict | None:
        status = state.session.reverse_status
        if status == "ok":
            return None
        code = 450 if status == "temporary" else self.environment.settings.unknown_client_reject_code
        address = state.session.client.address
        return refuse(code, "5.7.1", f"Client host rejected: cannot find your reverse hostname, [{address}]")


class RejectUnknownClient(RejectUnknownClientHostname):
    name = "reject_unknown_client"


RESTRICTIONS = (
    PermitMynetworks,
    PermitInetInterfaces,
    PermitSaslAuthenticated,
    RejectUnknownClientHostname,
    RejectUnknownReverseClientHostname,
    RejectUnknownClient,
)
