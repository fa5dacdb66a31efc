"""The check that a server is no open relay by mistake (postconf(5), smtpd_relay_restrictions)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mailer.access.evaluation import WARN_IF_REJECT
from mailer.access.reader import RestrictionClass
from mailer.config.errors import ConfigError

__all__ = ["demand_safeguard"]

_SAFEGUARDS = (
    "reject_unauth_destination",
    "defer_unauth_destination",
    "reject",
    "defer",
    "defer_if_permit",
    "check_relay_domains",
)


def demand_safeguard(restrictions: Iterable[Any]) -> None:
    """:raise ConfigError: nothing among them can refuse to relay; what stands behind ``warn_if_reject`` does not count."""
    if not _safe(restrictions, set()):
        raise ConfigError(
            "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one working instance"
            f" of: {', '.join(_SAFEGUARDS[:-1])} or {_SAFEGUARDS[-1]}"
        )


def _safe(restrictions: Iterable[Any], seen: set[str]) -> bool:
    warned = False
    for restriction in restrictions:
        if restriction.name == WARN_IF_REJECT:
            warned = True
            continue
        if not warned and restriction.name in _SAFEGUARDS:
            return True
        if not warned and isinstance(restriction, RestrictionClass) and restriction.name not in seen:
            seen.add(restriction.name)
            if _safe(restriction.members, seen):
                return True
        warned = False
    return False
