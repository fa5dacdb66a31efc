"""DANE: from the levels dane and dane-only to a policy with TLSA records, or to what applies without them.

RFC 7672; postconf(5), smtp_tls_security_level; TLS_README. What cannot be known (a TLSA lookup that fails) keeps the mail in
the queue; what is known not to be there makes ``dane`` optional TLS, and ``dane-only`` a server that is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mailer.deliver.smtp.destination import Destination
from mailer.deliver.smtp.policy import NoPolicy
from mailer.deliver.smtp.route import Address
from mailer.message.status import TemporaryError
from mailer.tls.dane import ANCHOR, END_ENTITY, Digests, parse_digests, usable_associations
from mailer.tls.policy import TlsPolicy

__all__ = ["Dane", "DaneParameters", "lmtp_dane_parameters", "smtp_dane_parameters"]


@dataclass(frozen=True)
class DaneParameters:
    """``insecure_mx``: smtp_tls_dane_insecure_mx_policy; ``force``: smtp_tls_force_insecure_host_tlsa_lookup;
    ``from_dns``: whether smtp_host_lookup asks DNS; ``dnssec``: whether smtp_dns_support_level asks for validation;
    ``completes``: whether the resolver may complete names."""

    insecure_mx: str = "dane"
    force: bool = False
    dnssec: bool = True
    from_dns: bool = True
    ignores_mx_errors: bool = False
    completes: bool = False
    digests: tuple[str, ...] = ("sha512", "sha256")
    agility: str = "on"
    anchor_digests: bool = True


class Dane:
    """:param defaults: main.cf's policy at each level. :param dns: IResolver."""

    def __init__(self, parameters: DaneParameters, defaults: Mapping[str, TlsPolicy], dns: Any, log: Any) -> None:
        self._parameters = parameters
        self._defaults = defaults
        self._dns = dns
        self._log = log
        self.digests: Digests = parse_digests(
            parameters.digests, parameters.agility, parameters.anchor_digests, log.warning
        )

    async def find(self, policy: TlsPolicy, destination: Destination, address: Address) -> TlsPolicy:
        """:param policy: at one of the levels dane. :raise NoPolicy:"""
        obstacle = self._obstacle(policy.level, destination)
        if obstacle:
            self._log.warning(obstacle)
            if policy.level == "dane-only":
                raise NoPolicy
            return self._instead(policy, "may")
        only = policy.level == "dane-only"
        if address.insecure_mx and (only or self._parameters.insecure_mx == "may"):
            return self._without(policy, "may", "non DNSSEC destination")
        base, records = await self._records(destination, address)
        if not records:
            return self._without(policy, "may", "no TLSA records found")
        name = _query(destination, base)
        relay = f"{address.host}[{address.address}]:{destination.port}"
        usable = usable_associations(records, self.digests, self._log.warning, name, relay)
        if not usable:
            if policy.level == "dane" and any(record[0] in (ANCHOR, END_ENTITY) for record in records):
                self._log.warning(f"{relay}: all TLSA records unusable, fallback to unauthenticated TLS")
            return self._without(policy, "encrypt", "TLSA records unusable")
        if address.insecure_mx and self._parameters.insecure_mx == "encrypt":
            return self._instead(policy, "encrypt")
        return replace(policy, associations=usable, server_name=base, insecure_mx=address.insecure_mx)

    def _obstacle(self, level: str, destination: Destination) -> str:
        """What in the configuration stands in the way of any verdict."""
        parameters, site = self._parameters, destination.site
        if destination.path:
            return f'{site}: the "dane" security level is invalid for delivery via unix-domain sockets'
        if not (parameters.dnssec and parameters.from_dns):
            return f"{site}: {level} configured with dnssec lookups disabled"
        if parameters.ignores_mx_errors:
            return f"{site}: {level} configured with MX lookup errors ignored"
        if parameters.completes:
            return f"{site}: dns resolver options incompatible with {level} TLS"
        return ""

    def _without(self, policy: TlsPolicy, level: str, why: str) -> TlsPolicy:
        """No verdict is possible on the server's certificate."""
        if policy.level == "dane-only":
            raise NoPolicy(why)
        return self._instead(policy, level)

    def _instead(self, policy: TlsPolicy, level: str) -> TlsPolicy:
        """main.cf's demands at another level; what smtp_tls_policy_maps said stands."""
        own, new = self._defaults[policy.level], self._defaults[level]
        said = {
            name: getattr(policy, name)
            for name in ("protocols", "grade", "excluded", "server_name", "reuse")
            if getattr(policy, name) != getattr(own, name)
        }
        return replace(new, **said)

    async def _records(self, destination: Destination, address: Address) -> tuple[str, tuple[Any, ...]]:
        """The TLSA base domain, and its validated records.

        Servers of names that are not signed are not asked: some of them answer questions for TLSA by not answering.
        """
        if not address.secure and not self._parameters.force:
            return address.host, ()
        for base in dict.fromkeys(name for name in (address.alias, address.host) if name):
            try:
                answer = await self._dns.tlsa(_query(destination, base))
            except TemporaryError as error:
                self._log.warning(
                    "DANE TLSA lookup problem: Host or domain name not found. Name service error for"
                    f" name={_query(destination, base)} type=TLSA: {error.cause}"
                )
                raise NoPolicy(f"TLSA lookup error for {address.host}:{destination.port}") from None
            if answer.records and answer.secure:
                return base, answer.records
        return address.host, ()


def _query(destination: Destination, base: str) -> str:
    return f"_{destination.port}._tcp.{base}"


def smtp_dane_parameters(settings: Any) -> DaneParameters:
    return DaneParameters(
        insecure_mx=settings.smtp_tls_dane_insecure_mx_policy,
        force=settings.smtp_tls_force_insecure_host_tlsa_lookup,
        dnssec=settings.smtp_dns_support_level.lower() == "dnssec",
        from_dns="dns" in settings.smtp_host_lookup,
        completes=bool(settings.smtp_dns_resolver_options),
        **_shared(settings),
    )


def lmtp_dane_parameters(settings: Any) -> DaneParameters:
    return DaneParameters(
        force=settings.lmtp_tls_force_insecure_host_tlsa_lookup,
        dnssec=settings.lmtp_dns_support_level.lower() == "dnssec",
        from_dns="dns" in settings.lmtp_host_lookup,
        completes=bool(settings.lmtp_dns_resolver_options),
        **_shared(settings),
    )


def _shared(settings: Any) -> dict[str, Any]:
    return {
        "ignores_mx_errors": settings.ignore_mx_lookup_error,
        "digests": settings.tls_dane_digests,
        "agility": settings.tls_dane_digest_agility,
        "anchor_digests": settings.tls_dane_trust_anchor_digest_enable,
    }
