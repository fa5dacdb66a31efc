"""From a configuration directory, or from text, to a `Configuration`: settings, services and what was odd about them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mailer.config.errors import ConfigError, Problem
from mailer.config.machine import Machine
from mailer.config.maincf import Entry, MainFile, parse_main
from mailer.config.mastercf import MasterFile, Service, parse_master
from mailer.config.settings import Settings

__all__ = ["Configuration", "from_text", "load"]


@dataclass(frozen=True)
class Configuration:
    """All that main.cf and master.cf say. ``problems`` are the findings of parsing, not of `check`."""

    settings: Settings
    services: tuple[Service, ...]
    problems: tuple[Problem, ...]
    directory: Path | None = None

    def for_service(self, service: Service) -> Settings:
        """The settings of one service: main.cf with the service's ``-o`` settings on top."""
        identity = {"process_name": os.path.basename(service.command), "service_name": service.name}
        return self.settings.with_overrides(service.overrides.values(), forced=identity)

    def service(self, name: str, kind: str) -> Service:
        """The service of that name and type. KeyError when there is none."""
        for service in self.services:
            if (service.name, service.type) == (name, kind):
                return service
        raise KeyError(f"{name}/{kind}")


def load(
    directory: str | os.PathLike[str],
    *,
    overrides: Mapping[str, str] | None = None,
    machine: Machine | None = None,
    need_master: bool = True,
) -> Configuration:
    """Read ``main.cf`` and ``master.cf`` of a directory. Raises ConfigError for what cannot be read or parsed.

    ``overrides`` stand above main.cf; with ``need_master=False`` (commands) master.cf is left alone.
    """
    place = Path(directory)
    main = parse_main(_read(place / "main.cf"), str(place / "main.cf"))
    master = MasterFile()
    if need_master:
        master = parse_master(_read(place / "master.cf"), str(place / "master.cf"))
    return _configuration(main, master, place, overrides, machine)


def from_text(
    main: str,
    master: str = "",
    *,
    overrides: Mapping[str, str] | None = None,
    machine: Machine | None = None,
    names: tuple[str, str] = ("main.cf", "master.cf"),
) -> Configuration:
    """The same from text; ``names`` stand in messages in place of the files."""
    return _configuration(parse_main(main, names[0]), parse_master(master, names[1]), None, overrides, machine)


def _configuration(
    main: MainFile,
    master: MasterFile,
    directory: Path | None,
    overrides: Mapping[str, str] | None,
    machine: Machine | None,
) -> Configuration:
    entries = dict(main.entries)
    if directory is not None:
        entries.setdefault("config_directory", Entry("config_directory", str(directory)))
    entries.update((name, Entry(name, value)) for name, value in (overrides or {}).items())
    origin = entries.get("myorigin")
    if origin is not None and origin.value.startswith("/"):
        entries["myorigin"] = replace(origin, value=_first_line(origin))
    settings = Settings(entries, machine=machine, forced={"process_id": str(os.getpid())})
    return Configuration(settings, master.services, main.problems + master.problems, directory)


def _first_line(origin: Entry) -> str:
    """``myorigin = /etc/mailname``: the first line of that file stands for its name, as Debian has it."""
    path = Path(origin.value)
    try:
        with path.open(encoding="utf-8", errors="surrogateescape") as lines:
            return lines.readline().strip()
    except OSError as error:
        problem = f"parameter myorigin: open {path}: {error.strerror}"
        raise ConfigError(
            problem, "a domain name, or a file that has one", file=origin.file, line=origin.line
        ) from None


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "surrogateescape")
    except OSError as error:
        remedy = f"no {path.name} in {path.parent}" if isinstance(error, FileNotFoundError) else ""
        raise ConfigError(f"open {path}: {error.strerror}", remedy) from None
