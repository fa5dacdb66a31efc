"""Every restriction that is known, by name."""

from __future__ import annotations

from collections.abc import Mapping

from mailer.access.restriction import Factory
from mailer.access.restrictions import destination, generic

__all__ = ["KNOWN"]

KNOWN: Mapping[str, Factory] = {
    restriction.name: restriction for module in (generic, destination) for restriction in module.RESTRICTIONS
}
