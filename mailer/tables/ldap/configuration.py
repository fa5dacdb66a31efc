"""The parameters of one ``ldap:`` table (ldap_table(5)), and those that Postfix does not have (docs/ldap.rst).

Complaints are in Postfix's words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mailer.config.errors import ConfigError
from mailer.tables.answercache import Lifetimes
from mailer.tables.expansion import Template
from mailer.tables.ldap.access import Access, Sasl, Tls
from mailer.tables.ldap.results import AttributeRoles
from mailer.tables.ldap.urls import BadUrl, Location, parse_location
from mailer.tables.parameters import Parameters

__all__ = ["Configuration", "read_configuration"]

_SCOPES = {"sub": 2, "base": 0, "one": 1}
_BINDS = {"no": "none", "none": "none", "yes": "simple", "simple": "simple", "sasl": "sasl"}
_IGNORED = ("cache", "cache_expiry", "cache_size")


@dataclass(frozen=True)
class Configuration:
    """What a lookup does. ``limit`` is the time for all of it, in seconds; ``page`` the entries of a page, 0 for no pages;
    ``answers`` how many are kept."""

    access: Access
    base: Template
    filter: Template
    result: Template
    roles: AttributeRoles
    domains: tuple[str, ...]
    scope: int
    dereference: int
    chase: bool
    size_limit: int
    expansion_limit: int
    recursion_limit: int
    time_limit: int
    limit: float
    page: int
    lifetimes: Lifetimes
    answers: int


def read_configuration(source: Parameters, log: Any) -> Configuration:
    """:raise ConfigError: what no table can be opened with; lesser mistakes are logged."""
    name = source.name
    timeout = source.integer("timeout", 10)
    # The order of the complaints is Postfix's.
    access = _access(source, timeout, log)
    scope = _scope(source, log)
    query = source.text("query_filter", "mailacceptinggeneralid=%s")
    query_template = Template(query, name)
    if query_template.fixed:
        log.warning(f"dict_ldap_open: {name}: Fixed query_filter {query} is probably useless")
    for ignored in _IGNORED:
        if source.is_set(ignored):
            log.warning(f"dict_ldap_open: {name} ignoring {ignored}")
    expansion_limit = source.integer("expansion_limit", 0)
    result = source.text("result_format", source.text("result_filter", "%s")) or "%s"
    return Configuration(
        access=access,
        base=Template(source.text("search_base"), name),
        filter=query_template,
        result=Template(result, name, "result"),
        roles=AttributeRoles(
            terminal=source.words("terminal_result_attribute"),
            leaf=source.words("leaf_result_attribute"),
            ordinary=source.words("result_attribute", "maildrop"),
            special=source.words("special_result_attribute"),
        ),
        domains=source.words("domain"),
        scope=scope,
        dereference=_dereference(source, log),
        chase=source.boolean("chase_referrals", False),
        size_limit=source.integer("size_limit", expansion_limit),
        expansion_limit=expansion_limit,
        recursion_limit=source.integer("recursion_limit", 1000, 1),
        time_limit=timeout,
        limit=source.seconds("lookup_time_limit", 15),
        page=source.integer("page_size", 500, 0),
        lifetimes=Lifetimes(
            value=source.seconds("answer_ttl", 30),
            absence=source.seconds("absence_ttl", 5),
            stale_value=source.seconds("stale_answer_limit", 3600),
            stale_absence=source.seconds("stale_absence_limit", 0),
        ),
        answers=source.integer("answer_cache_size", 10_000, 0),
    )


def _access(source: Parameters, timeout: int, log: Any) -> Access:
    bind = _BINDS.get(source.text("bind", "yes").lower())
    if bind is None:
        raise ConfigError(f"{source.name}: unsupported parameter value: bind = {source.text('bind')}")
    source.integer("debuglevel", 0)  # checked as Postfix checks it; there is no such library here to tell
    return Access(
        servers=_servers(source),
        version=_version(source, bind, log),
        bind=bind,
        dn=source.text("bind_dn"),
        password=source.text("bind_pw"),
        sasl=Sasl(
            source.words("sasl_mechs"),
            source.text("sasl_realm"),
            source.text("sasl_authz_id"),
            source.integer("sasl_minssf", 0, 0),
        ),
        tls=Tls(
            start=source.boolean("start_tls", False),
            verify=source.boolean("tls_require_cert", False),
            ca_file=source.text("tls_ca_cert_file"),
            ca_directory=source.text("tls_ca_cert_dir"),
            certificate=source.text("tls_cert"),
            key=source.text("tls_key"),
            ciphers=source.text("tls_cipher_suite"),
        ),
        timeout=timeout,
        connect=min(source.seconds("connect_time_limit", 5), timeout),
        stall=source.seconds("stall_time_limit", 3),
        connections=source.integer("pool_size", 2, 1),
    )


def _servers(source: Parameters) -> tuple[Location, ...]:
    port = source.integer("server_port", 389)
    try:
        found = tuple(parse_location(word, port) for word in source.words("server_host", "localhost"))
    except BadUrl as error:
        raise ConfigError(f"{source.name}: server_host: not a host or an LDAP URL: {error}") from None
    if not found:
        raise ConfigError(f"{source.name}: server_host names no server")
    return found


def _version(source: Parameters, bind: str, log: Any) -> int:
    version = source.integer("version", 3)
    if version not in (2, 3):
        log.warning(f"dict_ldap_open: {source.name} Unknown version {version}, using 3.")
        version = 3
    if version == 2 and (bind == "sasl" or source.boolean("start_tls", False)):
        log.warning(f"dict_ldap_open: {source.name} SASL and STARTTLS require version 3, using 3.")
        version = 3
    return version


def _scope(source: Parameters, log: Any) -> int:
    text = source.text("scope", "sub")
    scope = _SCOPES.get(text.lower())
    if scope is None:
        log.warning(f"dict_ldap_open: {source.name}: Unrecognized value {text} specified for scope; using sub")
        return 2
    return scope


def _dereference(source: Parameters, log: Any) -> int:
    value = source.integer("dereference", 0)
    if value not in (0, 1, 2, 3):
        text = f"dict_ldap_open: {source.name} Unrecognized value {value} specified for dereference; using 0"
        log.warning(text)
        return 0
    return value
