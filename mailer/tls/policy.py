"""What TLS has to be like with one destination, and how an entry of smtp_tls_policy_maps says it (postconf(5)). Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from mailer.tls.dane import Association
from mailer.tls.levels import LEVELS, matches_names

__all__ = ["BadPolicy", "TlsPolicy", "parse_policy"]

_HOST = re.compile(
    r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*", re.I
).fullmatch


class BadPolicy(ValueError):
    """An entry cannot be understood: the destination must not be talked to on a guess."""


@dataclass(frozen=True, slots=True)
class TlsPolicy:
    """``level`` is one of LEVELS. ``match`` are names or fingerprints; ``trust_anchors`` files; ``server_name`` is what is
    sent as SNI: a name, ``hostname``, ``nexthop`` or "". ``reuse``: the connection may carry further messages.

    ``associations``, at the levels dane, are TLSA records, of which one has to match; ``insecure_mx`` says that the server was
    found by an MX record that nobody vouches for, so that a match makes the server trusted, but not verified.

    Equal policies make equal demands, so connections made under one serve the other.
    """

    level: str
    protocols: tuple[str, ...] = ()
    grade: str = ""
    excluded: tuple[str, ...] = ()
    match: tuple[str, ...] = ()
    trust_anchors: tuple[str, ...] = ()
    server_name: str = ""
    reuse: bool = False
    associations: tuple[Association, ...] = ()
    insecure_mx: bool = False


def parse_policy(text: str, defaults: Callable[[str], TlsPolicy], warn: Callable[[str], None]) -> TlsPolicy:
    """Read an entry: a level, then attributes.

    :param defaults: gives the policy of a level as main.cf has it.
    :param warn: takes what is wrong without being fatal.
    :raise BadPolicy:
    """
    words = re.split(r"[\s,]+", text.strip())
    level = words[0].lower()
    if level not in LEVELS:
        raise BadPolicy(f'invalid security level "{words[0]}"')
    if level == "none":
        for word in words[1:]:
            warn(f'ignoring attribute "{word}" with TLS disabled')
        return defaults(level)
    reader = _Attributes(defaults(level))
    for word in words[1:]:
        reader.read(word)
    return reader.policy


class _Attributes:
    """Takes attributes one by one; those given replace main.cf's."""

    def __init__(self, policy: TlsPolicy) -> None:
        self.policy = policy
        self._given: set[str] = set()

    def read(self, word: str) -> None:
        name, equals, value = word.partition("=")
        if not equals:
            raise BadPolicy(f"malformed attribute/value pair \"{word}\": missing '=' after attribute name")
        attribute = _ATTRIBUTES.get(name.lower())
        if not value:
            raise BadPolicy(f'attribute "{name}" has empty value')
        if attribute is None:
            raise BadPolicy(f'invalid attribute name: "{name}"')
        attribute(self, name.lower(), value)
        self._given.add(name.lower())

    def _once(self, name: str) -> None:
        if name in self._given:
            raise BadPolicy(f'attribute "{name}" is specified multiple times')

    def protocols(self, name: str, value: str) -> None:
        self._once(name)
        self.policy = replace(self.policy, protocols=tuple(value.split(":")))

    def ciphers(self, name: str, value: str) -> None:
        self._once(name)
        self.policy = replace(self.policy, grade=value)

    def exclude(self, name: str, value: str) -> None:
        self._once(name)
        self.policy = replace(self.policy, excluded=tuple(value.split(":")))

    def match(self, name: str, value: str) -> None:
        level = self.policy.level
        if level == "fingerprint":
            values = tuple(value.split("|"))
        elif matches_names(level):
            values = tuple(value.split(":"))
        else:
            raise BadPolicy(f'attribute "{name}" invalid at security level "{level}"')
        before = self.policy.match if name in self._given else ()
        self.policy = replace(self.policy, match=before + values)

    def trust_anchor(self, name: str, value: str) -> None:
        if not matches_names(self.policy.level):
            raise BadPolicy(f'attribute "{name}" invalid at security level "{self.policy.level}"')
        before = self.policy.trust_anchors if name in self._given else ()
        self.policy = replace(self.policy, trust_anchors=(*before, value))

    def server_name(self, name: str, value: str) -> None:
        self._once(name)
        if not _HOST(value):
            raise BadPolicy(f'"{name}={value}" specifies an invalid hostname')
        self.policy = replace(self.policy, server_name=value)

    def reuse(self, name: str, value: str) -> None:
        self._once(name)
        if value.lower() not in ("yes", "no"):
            raise BadPolicy(f'attribute "{name}" has bad value: "{value}"')
        self.policy = replace(self.policy, reuse=value.lower() == "yes")

    def raw_key(self, name: str, value: str) -> None:
        if value.lower() not in ("yes", "no"):
            raise BadPolicy(f'attribute "{name}" has bad value: "{value}"')


_ATTRIBUTES: dict[str, Callable[[_Attributes, str, str], None]] = {
    "protocols": _Attributes.protocols,
    "ciphers": _Attributes.ciphers,
    "exclude": _Attributes.exclude,
    "match": _Attributes.match,
    "tafile": _Attributes.trust_anchor,
    "servername": _Attributes.server_name,
    "connection_reuse": _Attributes.reuse,
    "enable_rpk": _Attributes.raw_key,
}
