"""From a configuration directory, or from text, to a `Configuration`: settings, services and what was odd about them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mailer.config.errors import ConfigError, Problem
from mailer.config.machine import Machine
from mailer.config.maincf import Entry, parse_main
from mailer.config.mastercf import Service, parse_master
from mailer.config.settings import Settings

__all__ = ["Configuration", "from_text", "load"]


@dataclass(frozen=True)
class Configuration:
    """All that main.cf and master.cf say. ``problems`` are the findings of parsing, not of `check`. ``texts`` are those of
    main.cf and master.cf, ``overrides`` what stood above them: the same configuration is made of them again."""

    settings: Settings
    services: tuple[Service, ...]
    problems: tuple[Problem, ...]
    directory: Path | None = None
    texts: tuple[str, str] = ("", "")
    overrides: Mapping[str, str] = field(default_factory=dict)

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
    texts = _read(place / "main.cf"), _read(place / "master.cf") if need_master else ""
    return _made(texts, (str(place / "main.cf"), str(place / "master.cf")), place, overrides, machine)


def from_text(
    main: str,
    master: str = "",
    *,
    overrides: Mapping[str, str] | None = None,
    machine: Machine | None = None,
    names: tuple[str, str] = ("main.cf", "master.cf"),
    directory: Path | None = None,
) -> Configuration:
    """The same from text; ``names`` stand in messages in place of the files, of which those in ``directory`` are read no
    more."""
    if directory is not None:
        names = str(directory / "main.cf"), str(directory / "master.cf")
    return _made((main, master), names, directory, overrides, machine)


def _made(
    texts: tuple[str, str],
    names: tuple[str, str],
    directory: Path | None,
    overrides: Mapping[str, str] | None,
    machine: Machine | None,
) -> Configuration:
    main, master = parse_main(texts[0], names[0]), parse_master(texts[1], names[1])
    entries = dict(main.entries)
    if directory is not None:
        entries.setdefault("config_directory", Entry("config_directory", str(directory)))
    entries.update((name, Entry(name, value)) for name, value in (overrides or {}).items())
    origin = entries.get("myorigin")
    if origin is not None and origin.value.startswith("/"):
        entries["myorigin"] = replace(origin, value=_first_line(origin))
    settings = Settings(entries, machine=machine, forced={"process_id": str(os.getpid())})
    problems = main.problems + master.problems
    return Configuration(settings, master.services, problems, directory, texts, dict(overrides or {}))


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
