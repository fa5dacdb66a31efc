"""Which TLS policy applies to a destination: smtp_tls_policy_maps, or the older smtp_tls_per_site, or main.cf's level.

postconf(5); TLS_README. A destination whose policy cannot be told is not talked to: a guess could be too weak.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from dataclasses import replace
from typing import Any

from mailer.deliver.smtp.dane import Dane, DaneParameters
from mailer.deliver.smtp.destination import Destination
from mailer.deliver.smtp.policy import NoPolicy
from mailer.deliver.smtp.route import Address
from mailer.deliver.smtp.tls_parameters import TlsParameters
from mailer.message.status import TemporaryError
from mailer.tls.client import read_anchors
from mailer.tls.contexts import CannotUseTls
from mailer.tls.fingerprints import usable_fingerprints
from mailer.tls.levels import LEVELS, at_least, must_match
from mailer.tls.policy import BadPolicy, TlsPolicy, parse_policy

__all__ = ["TlsPolicies"]

_HOST = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*").fullmatch
_SITE_LEVELS = {"NONE": "none", "MAY": "may", "MUST_NOPEERMATCH": "encrypt", "MUST": "verify"}


class TlsPolicies:
    """:param policy_maps, per_site: tables, or None. :param dns: IResolver, for TLSA records."""

    def __init__(
        self, parameters: TlsParameters, policy_maps: Any, per_site: Any, log: Any, dane: DaneParameters, dns: Any
    ) -> None:
        self._parameters = parameters
        self._maps = policy_maps
        self._per_site = per_site
        self._log = log
        self._anchors: set[str] = set()  # files known to be good
        self._global = self._global_level()
        self._defaults = {level: self._default(level) for level in LEVELS}
        self.dane = Dane(dane, self._defaults, dns, log)

    def _global_level(self) -> str:
        parameters = self._parameters
        if parameters.security_level:
            return parameters.security_level
        if parameters.enforce_tls:
            return "verify" if parameters.enforce_peername else "encrypt"
        return "may" if parameters.use_tls else "none"

    def _default(self, level: str) -> TlsPolicy:
        """main.cf's demands at a level."""
        parameters = self._parameters
        if level == "none":
            return TlsPolicy(level)
        excluded = parameters.exclude_ciphers
        mandatory = at_least(level, "encrypt")
        if mandatory:
            excluded += parameters.mandatory_exclude_ciphers
        if must_match(level):
            excluded += ("aNULL",)
        match = {
            "fingerprint": parameters.fingerprint_cert_match,
            "verify": parameters.verify_cert_match,
            "secure": parameters.secure_cert_match,
        }
        return TlsPolicy(
            level,
            parameters.mandatory_protocols if mandatory else parameters.protocols,
            parameters.mandatory_ciphers if mandatory else parameters.ciphers,
            excluded,
            match.get(level, ()),
            parameters.trust_anchor_file if level in ("verify", "secure") else (),
            parameters.server_name,
            parameters.reuse,
        )

    async def find(self, destination: Destination, address: Address) -> TlsPolicy:
        """:raise NoPolicy:"""
        host = address.host
        try:
            policy = await self._look_up(destination.site, host)
        except TemporaryError:
            raise self._refused(destination, host, NoPolicy("Temporary lookup error", "4.3.0")) from None
        except BadPolicy as error:
            self._log.warning(str(error))
            raise self._refused(destination, host) from None
        return await self._usable(policy, destination, address)

    async def key(self, destination: Destination) -> Hashable:
        """What a destination's policy depends on, the configuration aside."""
        if self._maps is None and self._per_site is None:
            return ""
        try:
            return await self._entry(destination.site) if self._maps is not None else destination.host
        except TemporaryError:
            return object()  # equal to nothing

    def _refused(self, destination: Destination, host: str, problem: NoPolicy | None = None) -> NoPolicy:
        problem = problem or NoPolicy()
        self._log.warning(f"TLS policy lookup for {destination.site}/{host}: {problem.text}")
        return problem

    async def _look_up(self, site: str, host: str) -> TlsPolicy:
        if self._maps is not None:
            found = await self._entry(site)
            if found is not None:
                return self._read(site, found)
        elif self._per_site is not None:
            return self._defaults[await self._site_level(site, host)]
        return self._defaults[self._global]

    async def _entry(self, site: str) -> str | None:
        for key in _keys(site):
            found: str | None = await self._maps.lookup(key)
            if found is not None:
                return found
        return None

    def _read(self, site: str, text: str) -> TlsPolicy:
        title = f'{self._parameters.prefix}_tls_policy_maps, next-hop destination "{site}"'
        try:
            return parse_policy(text, self._defaults.__getitem__, lambda what: self._log.warning(f"{title}: {what}"))
        except BadPolicy as error:
            raise BadPolicy(f"{title}: {error}") from None

    async def _site_level(self, site: str, host: str) -> str:
        """What the entries of nexthop and host make of each other."""
        level = ""
        names = [("next-hop destination", site)]
        if host.lower() != site.lower():
            names.append(("server hostname", host))
        for kind, name in names:
            found = await self._per_site.lookup(name)
            if found is None:
                continue
            word = found.upper()
            if word not in _SITE_LEVELS:
                title = f"{self._parameters.prefix}_tls_per_site"
                raise BadPolicy(f"{title}: unknown TLS policy '{found}' for {kind} {name}")
            level = _combined(level, word)
        if not level:
            return self._global
        # A wild-card entry must not weaken a specific demand of main.cf.
        return self._global if level == "may" and at_least(self._global, "may") else level

    async def _usable(self, policy: TlsPolicy, destination: Destination, address: Address) -> TlsPolicy:
        """The policy as far as it can be followed. :raise NoPolicy: it cannot."""
        site, host = destination.site, address.host
        if policy.level in ("dane", "dane-only"):
            try:
                policy = await self.dane.find(policy, destination, address)
            except NoPolicy as problem:
                raise self._refused(destination, host, problem) from None
        elif policy.level == "fingerprint":
            match = usable_fingerprints(policy.match, self._log.warning)
            if not match:
                self._log.warning(
                    f"nexthop domain {site}: configured at fingerprint security level, but with no fingerprints to match."
                )
                raise self._refused(destination, host)
            policy = replace(policy, match=match)
        for path in policy.trust_anchors:
            if path in self._anchors:
                continue
            try:
                read_anchors(path)
                self._anchors.add(path)
            except CannotUseTls as error:
                self._log.warning(error.lines[0][1])
                raise self._refused(destination, host) from None
        if self._parameters.wrapper and not at_least(policy.level, "encrypt"):
            prefix = self._parameters.prefix
            self._log.warning(
                f'{prefix}_tls_wrappermode requires "{prefix}_tls_security_level = encrypt" (or stronger)'
            )
            raise NoPolicy("")
        return policy


def _combined(level: str, word: str) -> str:
    """NONE prevails over MAY, MAY over nothing only, MUST over all."""
    new = _SITE_LEVELS[word]
    if word == "NONE":
        return new if level in ("", "none", "may") else level
    if word == "MAY":
        return level or new
    return new if not level or at_least(new, level) else level


def _keys(site: str) -> Iterator[str]:
    """The destination as it stands; for a bare domain also the domains above it."""
    yield site
    if _HOST(site):
        at = site.find(".")
        while at >= 0:
            yield site[at:]
            at = site.find(".", at + 1)
