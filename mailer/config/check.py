"""Everything that is wrong or odd in a configuration, found before a socket is bound.

An error (a value that cannot be used) refuses the start; a warning (a name that nothing reads, a parameter that is not
supported yet) does not. Evaluates text only: opens no table, looks up no user, knows no service's needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailer.config.declaration import Parameter
from mailer.config.errors import ConfigError, Problem, closest_name
from mailer.config.expand import parse_level
from mailer.config.hostname import check_hostname
from mailer.config.load import Configuration
from mailer.config.maincf import Entry
from mailer.config.settings import CLASS_PREFIX, Settings
from mailer.config.supported import SUPPORTED
from mailer.config.usage import OBSOLETE, READ_ONLY, UsedNames, used_names

__all__ = ["INFORMATIVE", "check"]

#: Parameters that other programs read with postconf(1) and that no mail program acts on.
INFORMATIVE = frozenset(
    {
        "command_directory",
        "config_directory",
        "daemon_directory",
        "html_directory",
        "mailq_path",
        "manpage_directory",
        "meta_directory",
        "newaliases_path",
        "readme_directory",
        "sample_directory",
        "sendmail_path",
        "shlib_directory",
    }
)

_SEMANTIC = {
    "compatibility_level": parse_level,
    "mydomain": lambda text: check_hostname("mydomain", text),
    "myhostname": lambda text: check_hostname("myhostname", text),
}


def check(configuration: Configuration) -> tuple[Problem, ...]:
    """All findings: those of parsing, then of main.cf, then of each service's ``-o`` settings, each told once."""
    findings = list(configuration.problems)
    settings = configuration.settings
    used = used_names(settings, configuration.services)
    findings += _names(settings, used)
    findings += _values(settings, settings.explicit(), used)
    findings += _defaults(settings)
    for service in configuration.services:
        if service.overrides:
            own = configuration.for_service(service)
            findings += _values(own, service.overrides.values(), used)
            findings += _support(own, service.overrides.values(), used)
    findings += _support(settings, settings.explicit(), used)
    return tuple(dict.fromkeys(findings))


def _names(settings: Settings, used: UsedNames) -> Iterator[Problem]:
    for entry in used.unused:
        if entry.name in settings.declared:
            hint = " (obsolete)"
        else:
            meant = closest_name(entry.name, settings.declared)
            hint = f" (did you mean {meant}?)" if meant else ""
        yield Problem("warning", f"unused parameter: {entry.name}={entry.value}{hint}", entry.file, entry.line)
    for entry in used.read_only:
        yield Problem("warning", f"read-only parameter assignment: {entry.name}={entry.value}", entry.file, entry.line)


def _values(settings: Settings, entries: Iterable[Entry], used: UsedNames) -> Iterator[Problem]:
    """Entries whose value is wrong. One that nothing here reads only deserves a warning, as nothing fails for it."""
    for entry in entries:
        try:
            _evaluate(settings, entry.name)
        except ConfigError as error:
            problem = Problem.from_error(error.at(entry.file, entry.line))
            if not _is_read(settings, entry.name, used):
                problem = Problem("warning", problem.text, problem.file, problem.line)
            yield problem


def _evaluate(settings: Settings, name: str) -> None:
    parameter = settings.declared.get(name)
    if parameter is not None:
        settings.value(name)
    else:
        general = settings.class_parameter(name)
        if general is None:
            settings.text(name)
        else:
            settings.typed(name, general)
    semantic = _SEMANTIC.get(name)
    if semantic is not None:
        semantic(settings.text(name))


def _is_read(settings: Settings, name: str, used: UsedNames) -> bool:
    general = _supported_as(settings, name)
    return general in SUPPORTED if general is not None else name in used.user


def _defaults(settings: Settings) -> Iterator[Problem]:
    """Supported parameters that nobody set and that what somebody set made unusable."""
    for name in sorted(SUPPORTED):
        if settings.is_set(name) or name not in settings.declared:
            continue
        try:
            _evaluate(settings, name)
        except ConfigError as error:
            yield Problem.from_error(error)


def _support(settings: Settings, entries: Iterable[Entry], used: UsedNames) -> Iterator[Problem]:
    for entry in entries:
        general = _supported_as(settings, entry.name)
        if general is None or general in SUPPORTED | INFORMATIVE | READ_ONLY | OBSOLETE:
            continue
        if settings.is_default(entry.name):
            continue  # what it asks for is what happens
        yield Problem("warning", f"parameter is not supported yet: {entry.name}", entry.file, entry.line)


def _supported_as(settings: Settings, name: str) -> str | None:
    """The declared name that stands for ``name``: itself, or the class of a per-transport name; None if made up."""
    parameter: Parameter | None = settings.declared.get(name)
    if parameter is not None:
        return name
    suffix = settings.class_suffix(name)
    return CLASS_PREFIX + suffix if suffix is not None else None
