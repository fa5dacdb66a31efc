"""Cyrus SASL's configuration file of an application (``smtpd.conf``): ``name: value`` lines (SASL_README; sasl's options(5)).

What the words mean is for ``mailer.sasl.cyrus`` to know.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from mailer.config.errors import ConfigError

__all__ = ["find", "places", "read"]

_USUAL = ("/usr/lib/sasl2", "/usr/lib/sasl", "/etc/sasl2")


def places(given: str, config_directory: str) -> tuple[str, ...]:
    """The directories that are searched. :param given: cyrus_sasl_config_path; if it is empty, the places where Debian and
    Cyrus look."""
    directories = [directory for directory in given.split(":") if directory]
    return tuple(directories or (os.path.join(config_directory, "sasl"), *_USUAL))


def find(name: str, directories: Iterable[str]) -> str:
    """:param name: smtpd_sasl_path. :return: the file's path, "" if there is none (Cyrus SASL's defaults are then in force)."""
    for directory in directories:
        path = os.path.join(directory, f"{name}.conf")
        if os.path.exists(path):
            return path
    return ""


def read(path: str) -> dict[str, str]:
    """:raise ConfigError: it cannot be read, or a line makes no sense."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    except OSError as error:
        raise ConfigError(f"open {path}: {error.strerror}") from error
    options: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if not colon or not name.replace("_", "").replace("-", "").isalnum():
            raise ConfigError(f"{path}, line {number}: `name: value' expected")
        options[name] = value.strip()
    return options
