"""Restrictions on the client's TLS certificate (TLS_README, "Server access control").

A certificate that is known by its fingerprint need not be signed by an authority that we trust.
"""

from __future__ import annotations

from typing import Any

from mailer.access.evaluation import Evaluation
from mailer.access.restriction import Environment, Restriction
from mailer.access.restrictions.tables import TableRestriction
from mailer.access.subjects import CLIENT
from mailer.access.verdict import Verdict
from mailer.config.values import split_list

__all__ = ["RESTRICTIONS"]

_DEFAULT_SEARCH = ("cert_fingerprint", "pubkey_fingerprint")


def _fingerprints(tls: Any) -> list[str]:
    """The keys under which the certificate of a mailer.message.tls.TlsSession may be known."""
    return [key for key in (tls.fingerprint, tls.pubkey_fingerprint) if key] if tls is not None else []


class PermitTlsAllClientcerts(Restriction):
    """Any certificate that a trusted authority has signed."""

    name = "permit_tls_all_clientcerts"

    async def check(self, state: Evaluation) -> Verdict | None:
        tls = state.session.tls
        if tls is None or not tls.trusted or not _fingerprints(tls):
            return None
        return await state.permit(self.name, "Client certificate", tls.fingerprint)


class PermitTlsClientcerts(Restriction):
    """A certificate that relay_clientcerts knows by its fingerprint or its key's."""

    name = "permit_tls_clientcerts"

    def __init__(self, environment: Environment, argument: str = "") -> None:
        super().__init__(environment, argument)
        settings = environment.settings
        self._known = environment.context.tables.maps(settings.relay_clientcerts, "relay_clientcerts")

    async def check(self, state: Evaluation) -> Verdict | None:
        for key in _fingerprints(state.session.tls) if self._known else ():
            if await self._known.lookup(key) is not None:
                return await state.permit(self.name, "Client certificate", key)
        return None


class CheckCcertAccess(TableRestriction):
    """A table of fingerprints, or of what ``{ type:table { search_order = ... } }`` names."""

    name = "check_ccert_access"

    def __init__(self, environment: Environment, argument: str = "") -> None:
        words = split_list(argument[1:-1]) if argument.startswith("{") else (argument,)
        super().__init__(environment, words[0])
        self._order: tuple[str, ...] = _DEFAULT_SEARCH
        for option in words[1:]:
            name, _, value = option.strip("{} ").partition("=")
            if name.strip() == "search_order":
                self._order = split_list(value)

    async def check(self, state: Evaluation) -> Verdict | None:
        if not self.environment.settings.smtpd_tls_ask_ccert:
            state.warn('check_ccert_access is requested, but "smtpd_tls_ask_ccert = no"')
        tls = state.session.tls
        if not _fingerprints(tls):
            return None
        keys = {
            "cert_fingerprint": tls.fingerprint,
            "pubkey_fingerprint": tls.pubkey_fingerprint,
            "subject_name": tls.subject,
            "issuer_name": tls.issuer,
        }
        for word in self._order:
            key = keys.get(word, "")
            found = await self.table.key(key) if key else None
            if found is not None:
                return await self.act(state, found, CLIENT.shown(state), "Client certificate")
        return None


RESTRICTIONS = (PermitTlsAllClientcerts, PermitTlsClientcerts, CheckCcertAccess)
