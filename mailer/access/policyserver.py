"""Which policy server, and on what terms: ``check_policy_service`` and its argument (SMTPD_POLICY_README).

``inet:host:port``, ``unix:path``, or ``{ inet:host:port, timeout=10s, { default_action = 450 later } }`` with terms of its
own in place of smtpd_policy_service_*.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from mailer.config.errors import ConfigError
from mailer.config.values import parse_time, split_list

__all__ = ["PolicyServer", "parse"]

_TIMES = ("timeout", "max_idle", "max_ttl", "retry_delay")
_NUMBERS = ("try_limit", "request_limit")
_TEXTS = ("default_action", "policy_context")


@dataclass(frozen=True)
class PolicyServer:
    """``spec`` is what main.cf calls it, ``name`` what connection problems do. ``port`` is 0 for a socket in the file system.
    Times are seconds."""

    spec: str
    name: str
    host: str
    port: int
    timeout: float
    max_idle: float
    max_ttl: float
    retry_delay: float
    try_limit: int
    request_limit: int
    default_action: str
    policy_context: str


def parse(argument: str, settings: Any) -> PolicyServer:
    """:raise ConfigError: no server can be meant, or a term is wrong."""
    braced = argument.startswith("{")
    words = split_list(argument[1:-1]) if braced else (argument,)
    if not words:
        raise ConfigError(f"check_policy_service: empty server name in {argument}")
    name, host, port = _place(words[0])
    server = PolicyServer(
        words[0],
        name,
        host,
        port,
        settings.smtpd_policy_service_timeout,
        settings.smtpd_policy_service_max_idle,
        settings.smtpd_policy_service_max_ttl,
        settings.smtpd_policy_service_retry_delay,
        settings.smtpd_policy_service_try_limit,
        settings.smtpd_policy_service_request_limit,
        settings.smtpd_policy_service_default_action,
        settings.smtpd_policy_service_policy_context,
    )
    return replace(server, **dict(_term(word, words[0]) for word in words[1:]))


def _place(text: str) -> tuple[str, str, int]:
    kind, colon, rest = text.partition(":")
    if not colon:
        raise ConfigError(f'need service transport:endpoint instead of "{text}"', "write inet:host:port or unix:path")
    if kind in ("unix", "local") and rest:
        return rest, rest, 0
    host, _, port = rest.rpartition(":") if kind == "inet" else text.rpartition(":")
    host = host.strip("[]")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError(f"check_policy_service: bad server name {text}", "write inet:host:port or unix:path")
    return (rest if kind == "inet" else text), host or "localhost", int(port)


def _term(word: str, server: str) -> tuple[str, Any]:
    text = word[1:-1] if word.startswith("{") and word.endswith("}") else word
    name, equals, value = text.partition("=")
    name, value = name.strip(), value.strip()
    if not equals:
        raise ConfigError(f"malformed option: missing '=' after attribute name: \"...{name}...\"")
    try:
        if name in _TIMES:
            return name, parse_time(value, "s")
        if name in _NUMBERS:
            return name, int(value)
    except ValueError:
        raise ConfigError(f"bad {name} value in {server}: {value}") from None
    if name in _TEXTS:
        return name, value
    raise ConfigError(f'unknown option: "{name} = {value}"', f"in {server}")
