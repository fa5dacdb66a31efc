"""Which instance a tool works on: the one of -c, of $MAIL_CONFIG, of /etc/postfix, or the embedded default's."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mailer.config.embedded import default_directory
from mailer.config.errors import ConfigError
from mailer.config.load import Configuration, load
from mailer.receive.maildrop import maildrop_directory

__all__ = ["Instance", "default_config_directory"]

_SYSTEM = "/etc/postfix"


def default_config_directory() -> str:
    """Where main.cf is when nobody says."""
    chosen = os.environ.get("MAIL_CONFIG")
    if chosen:
        return chosen
    embedded = default_directory() / "etc"
    if not os.path.exists(os.path.join(_SYSTEM, "main.cf")) and (embedded / "main.cf").exists():
        return str(embedded)
    return _SYSTEM


@dataclass(frozen=True)
class Instance:
    """An instance's configuration and the places that tools and server meet at."""

    configuration: Configuration

    @classmethod
    def open(cls, directory: str | None, fatal: Callable[[str], Exception]) -> Instance:
        """:raise fatal: the configuration cannot be read."""
        try:
            return cls(load(directory or default_config_directory()))
        except (ConfigError, OSError) as error:
            raise fatal(str(error)) from error

    @property
    def settings(self) -> Any:
        return self.configuration.settings

    @property
    def maildrop(self) -> str:
        return maildrop_directory(self.settings.queue_directory)

    @property
    def pickup_socket(self) -> str:
        return os.path.join(self.settings.queue_directory, "public", "pickup")
