"""The environment of external commands: what export_environment lets through, and a search path that nobody chose."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

__all__ = ["PATH", "exported"]

PATH = "/usr/bin:/bin"


def exported(settings: Any, own: Mapping[str, str] = os.environ) -> dict[str, str]:
    """:param own: this process's environment."""
    environment: dict[str, str] = {"PATH": PATH}
    for member in settings.export_environment:
        name, given, value = member.strip("{}").partition("=")
        name = name.strip()
        if given:
            environment[name] = value.strip()
        elif name in own:
            environment[name] = own[name]
        elif name == "MAIL_CONFIG":
            environment[name] = settings.config_directory
    return environment
