"""Which names in main.cf and master.cf mean something: the built-in ones, the per-transport ones that the services of
master.cf bring along, and those that a user made up and refers to.

Follows postconf(1), "-C class" and its warnings about unused and undefined parameters. A made-up name is in use when a
parameter in use says ``$name``, when it is a restriction class, or when it is an old-style attribute (``NAME_suffix``)
of a table ``ldap:NAME`` and the like that a parameter in use names. Values of RAW parameters refer to other things.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from mailer.config.declaration import Kind
from mailer.config.expand import references
from mailer.config.maincf import Entry
from mailer.config.settings import Settings, class_suffixes, is_class
from mailer.config.values import split_list

__all__ = ["OBSOLETE", "READ_ONLY", "NamedService", "UsedNames", "is_builtin", "service_parameters", "used_names"]

#: Names that describe the running process; main.cf cannot set them.
READ_ONLY = frozenset({"process_id", "process_name", "service_name"})

#: Names of earlier days that the reference documents and no longer lists: known where a default still refers to them.
OBSOLETE = frozenset(
    """authorized_verp_clients domain_to_ascii enable_errors_to extract_recipient_limit fallback_relay
    lmtp_cache_connection lmtp_per_record_deadline postscreen_blacklist_action postscreen_dnsbl_ttl
    postscreen_dnsbl_whitelist_threshold postscreen_whitelist_interfaces sender_based_routing smtp_per_record_deadline
    smtp_skip_4xx_greeting smtp_tls_cipherlist smtpd_client_connection_limit_exceptions smtpd_per_record_deadline
    smtpd_sasl_application_name smtpd_tls_cipherlist tls_dane_digest_agility tls_dane_trust_anchor_digest_enable
    tlsproxy_client_level tlsproxy_client_policy virtual_maps""".split()  # noqa: SIM905
)

_DELIVERY_AGENTS = {"error", "lmtp", "local", "pipe", "smtp", "virtual"}
_COMMAND_RUNNERS = {"pipe", "spawn"}
_TABLE = re.compile(r"\b(ldap|mysql|pgsql|sqlite|memcache):([A-Za-z0-9_-]+)")

_COMMON_SQL = "domain result_format expansion_limit query select_function table select_field where_field"
_SQL = _COMMON_SQL + " additional_conditions hosts user password dbname idle_interval retry_interval"
_TLS = " tls_key_file tls_cert_file tls_CAfile tls_CApath tls_ciphers tls_verify_cert"
#: The attributes that ldap_table(5) and its siblings let main.cf set as NAME_attribute.
_ATTRIBUTES = {
    "ldap": (
        "bind bind_dn bind_pw cache cache_expiry cache_size chase_referrals debuglevel dereference domain"
        " expansion_limit leaf_result_attribute query_filter recursion_limit result_attribute result_format"
        " scope search_base server_host server_port size_limit special_result_attribute terminal_result_attribute"
        " timeout version sasl_mechs sasl_realm sasl_authz_id sasl_minssf start_tls tls_ca_cert_dir tls_ca_cert_file"
        " tls_cert tls_cipher_suite tls_key tls_random_file tls_require_cert result_filter"
        " lookup_time_limit connect_time_limit stall_time_limit pool_size page_size answer_ttl absence_ttl"
        " stale_answer_limit stale_absence_limit answer_cache_size"
    ),
    "mysql": _SQL + " option_file option_group charset require_result_set" + _TLS,
    "pgsql": _SQL + " encoding",
    "sqlite": _COMMON_SQL + " additional_conditions dbpath",
    "memcache": (
        "backup data_size_limit domain flags key_format line_size_limit max_try memcache retry_pause timeout ttl"
    ),
}
_SUFFIXES = {kind: frozenset(names.split()) for kind, names in _ATTRIBUTES.items()}


class NamedService(Protocol):
    """What is asked of a service here."""

    @property
    def name(self) -> str: ...
    @property
    def command(self) -> str: ...
    @property
    def overrides(self) -> Mapping[str, Entry]: ...


@dataclass(frozen=True)
class UsedNames:
    """The findings. ``user`` are the made-up names of main.cf in use, ``service`` the per-transport ones that exist.

    ``unused`` are the entries (of main.cf, then of master.cf) that nothing reads; ``undefined`` are names that a value
    in main.cf or, with the service, in master.cf refers to in vain; ``read_only`` are entries that have no effect.
    """

    service: frozenset[str]
    user: frozenset[str]
    unused: tuple[Entry, ...]
    undefined_in_main: frozenset[str]
    undefined_in_master: frozenset[str]
    read_only: tuple[Entry, ...]


def is_builtin(settings: Settings, name: str) -> bool:
    """Whether ``name`` is a parameter that exists by itself: no per-transport class or name, nothing obsolete."""
    parameter = settings.declared.get(name)
    if parameter is None or is_class(parameter) or name in OBSOLETE:
        return False
    # smtp_destination_concurrency_limit and its like are declared for their defaults, and exist with their service.
    suffix = settings.class_suffix(name)
    return suffix is None or not suffix.startswith("destination_") or name == f"default_{suffix}"


def service_parameters(services: Iterable[NamedService], suffixes: Iterable[str]) -> frozenset[str]:
    """The per-transport names that exist because of these services."""
    suffixes = set(suffixes)
    names: set[str] = set()
    for service in services:
        if service.command in _DELIVERY_AGENTS:
            names |= {f"{service.name}_{suffix}" for suffix in suffixes if suffix != "time_limit"}
        if service.command in _COMMAND_RUNNERS and "time_limit" in suffixes:
            names.add(f"{service.name}_time_limit")
    return frozenset(names)


def used_names(settings: Settings, services: Iterable[NamedService]) -> UsedNames:
    """Work out which names of main.cf (the explicit entries of ``settings``) and of the services are in use."""
    return _Usage(settings, tuple(services)).findings()


class _Usage:
    """The computation behind `used_names`."""

    def __init__(self, settings: Settings, services: tuple[NamedService, ...]) -> None:
        self._settings = settings
        self._services = services
        self._main: Mapping[str, Entry] = {entry.name: entry for entry in settings.explicit()}
        self._service_names = service_parameters(services, class_suffixes(settings.declared))
        self._used: set[str] = set()  # made-up names of main.cf
        self._undefined_in_main: set[str] = set()
        self._undefined_in_master: set[str] = set()
        self._unused: list[Entry] = []
        self._main_references: set[str] = set()

    def findings(self) -> UsedNames:
        self._follow_main()
        in_master: list[Entry] = []
        for service in self._services:
            in_master += self._unused_overrides(service)
        read_only = tuple(entry for name, entry in self._main.items() if name in READ_ONLY)
        unused = [entry for name, entry in self._main.items() if not self._is_known(name) and name not in self._used]
        return UsedNames(
            self._service_names,
            frozenset(self._used),
            tuple(unused + in_master),
            frozenset(self._undefined_in_main),
            frozenset(self._undefined_in_master),
            read_only,
        )

    def _is_known(self, name: str) -> bool:
        return name in self._service_names or is_builtin(self._settings, name)

    def _follow_main(self) -> None:
        for name, parameter in self._settings.declared.items():
            # A default may refer to obsolete names, which are then legal and need no definition.
            if name not in self._main and "$" in parameter.default and parameter.kind is not Kind.RAW:
                self._use_in_main(references(parameter.default))
        for name, entry in self._main.items():
            if self._is_known(name):
                referenced = self._needs(name, entry.value)
                self._use_in_main(referenced)
                self._undefined_in_main |= self._undefined(referenced, ())

    def _use_in_main(self, names: Iterable[str]) -> None:
        pending = list(names)
        while pending:
            name = pending.pop()
            if name in self._main_references:
                continue
            self._main_references.add(name)
            entry = self._main.get(name)
            if entry is None or self._is_known(name):
                continue
            self._used.add(name)
            referenced = self._needs(name, entry.value)
            self._undefined_in_main |= self._undefined(referenced, ())
            pending += referenced

    def _needs(self, name: str, value: str) -> set[str]:
        """The names that the value of a parameter in use brings into use."""
        parameter = self._settings.declared.get(name)
        if parameter is not None and parameter.kind is Kind.RAW:
            return set()
        referenced = set(references(value)) if "$" in value else set()
        if name == "smtpd_restriction_classes":
            referenced |= set(split_list(value))
        for kind, table in _TABLE.findall(value):
            referenced |= {f"{table}_{suffix}" for suffix in _SUFFIXES[kind]} & self._main.keys()
        return referenced

    def _undefined(self, names: Iterable[str], own: Iterable[str]) -> set[str]:
        """Those of ``names`` that have no value anywhere."""
        known = {*self._main, *own}
        return {name for name in names if name not in known and self._settings.default(name) is None}

    def _unused_overrides(self, service: NamedService) -> list[Entry]:
        own = service.overrides
        referenced: set[str] = set()
        pending = [entry.name for entry in own.values() if self._is_known(entry.name)]
        seen: set[str] = set()
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            needed = self._needs(name, own[name].value)
            referenced |= needed
            pending += [other for other in needed if other in own]
        self._use_in_main(referenced - own.keys())
        self._undefined_in_master |= self._undefined(referenced, own)
        legal = referenced | self._main_references
        return [entry for name, entry in own.items() if not self._is_known(name) and name not in legal]
