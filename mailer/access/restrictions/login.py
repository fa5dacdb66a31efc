"""Restrictions that tie sender addresses to login names (postconf(5), smtpd_sender_login_maps; SASL_README).

Without smtpd_sasl_auth_enable they do nothing but say so.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from mailer.access.addresses import resolved
from mailer.access.evaluation import Evaluation, target_of
from mailer.access.restriction import Environment, Restriction
from mailer.access.restrictions.tables import TableRestriction
from mailer.access.subjects import SENDER_STAGE, sender_of
from mailer.access.verdict import Verdict, refuse
from mailer.tables.search import Find, find_address

__all__ = ["RESTRICTIONS"]

_OWNED = "reject_authenticated_sender_login_mismatch"
_STRANGER = "reject_unauthenticated_sender_login_mismatch"
_STRATEGY = Find.FULL | Find.NOEXT | Find.LOCALPART_IF_LOCAL | Find.AT_DOMAIN


class _Owners:
    """Which logins own a sender address."""

    def __init__(self, environment: Environment) -> None:
        settings = environment.settings
        self._environment = environment
        self._maps = environment.context.tables.maps(settings.smtpd_sender_login_maps, "smtpd_sender_login_maps")
        self._delimiters = settings.recipient_delimiter
        self._special = settings.owner_request_special
        self._is_local = _is_local(environment)

    async def of(self, state: Evaluation, sender: str) -> list[str] | None:
        """:return: logins, None if nobody is known to own the address. :raise TemporaryError: cannot tell now."""
        if not self._maps:
            return None
        destination = await resolved(self._environment, state, sender)
        found = await find_address(
            self._maps, destination.recipient, self._delimiters, _STRATEGY, self._is_local, self._special
        )
        if found is None:
            return None
        state.key, state.table = found.key, self._maps.name
        return found.value.replace(",", " ").split()


def _is_local(environment: Environment) -> Any:
    async def is_local(domain: str) -> bool:
        address_class = await environment.addressing.address_class(domain)
        return bool(address_class == "local")

    return is_local


class _SenderLogin(Restriction):
    """``parts`` are the names under which the log says that nothing is checked."""

    parts: tuple[str, ...] = ()

    def __init__(self, environment: Environment, argument: str = "") -> None:
        super().__init__(environment, argument)
        self._enabled = environment.settings.smtpd_sasl_auth_enable
        self._owners = _Owners(environment)

    async def check(self, state: Evaluation) -> Verdict | None:
        if not self._enabled:
            for name in self.parts:
                state.warn(f"restriction `{name}' ignored: no SASL support")
            return None
        sender = sender_of(state.session)
        return await self.check_sender(state, sender) if sender else None

    @abstractmethod
    async def check_sender(self, state: Evaluation, sender: str) -> Verdict | None: ...

    async def mismatched(self, state: Evaluation, sender: str, unowned_passes: bool = False) -> Verdict | None:
        """A client that has logged in must own the sender address."""
        login = state.session.client.sasl_username
        if not login:
            return None
        owners = await self._owners.of(state, sender)
        if owners is None and unowned_passes:
            return None
        if any(owner.casefold() == login.casefold() for owner in owners or ()):
            return None
        return refuse(553, "5.7.1", target_of(sender, f"{SENDER_STAGE} rejected: not owned by user {login}"))

    async def impersonated(self, state: Evaluation, sender: str) -> Verdict | None:
        """A client that has not logged in must not use an address that somebody owns."""
        if state.session.client.sasl_username or await self._owners.of(state, sender) is None:
            return None
        return refuse(553, "5.7.1", target_of(sender, f"{SENDER_STAGE} rejected: not logged in"))


class RejectAuthenticatedSenderLoginMismatch(_SenderLogin):
    name = _OWNED
    parts = (_OWNED,)

    async def check_sender(self, state: Evaluation, sender: str) -> Verdict | None:
        return await self.mismatched(state, sender)


class RejectKnownSenderLoginMismatch(_SenderLogin):
    name = "reject_known_sender_login_mismatch"
    parts = ("reject_known_sender_login_mismatch",)

    async def check_sender(self, state: Evaluation, sender: str) -> Verdict | None:
        return await self.mismatched(state, sender, unowned_passes=True)


class RejectUnauthenticatedSenderLoginMismatch(_SenderLogin):
    name = _STRANGER
    parts = (_STRANGER,)

    async def check_sender(self, state: Evaluation, sender: str) -> Verdict | None:
        return await self.impersonated(state, sender)


class RejectSenderLoginMismatch(_SenderLogin):
    name = "reject_sender_login_mismatch"
    parts = (_OWNED, _STRANGER)

    async def check_sender(self, state: Evaluation, sender: str) -> Verdict | None:
        return await self.mismatched(state, sender) or await self.impersonated(state, sender)


class CheckSaslAccess(TableRestriction):
    """A table of login names."""

    name = "check_sasl_access"

    async def check(self, state: Evaluation) -> Verdict | None:
        if not self.environment.settings.smtpd_sasl_auth_enable:
            state.warn(f"restriction `{self.name}' ignored: no SASL support")
            return None
        login = state.session.client.sasl_username
        found = await self.table.key(login) if login else None
        return None if found is None else await self.act(state, found, login, "SASL login name")


RESTRICTIONS = (
    RejectAuthenticatedSenderLoginMismatch,
    RejectKnownSenderLoginMismatch,
    RejectUnauthenticatedSenderLoginMismatch,
    RejectSenderLoginMismatch,
    CheckSaslAccess,
)
