"""Find plug-ins: the objects in modules of ``twisted.plugins`` that provide one of our factory interfaces.

This finds what ``twisted.plugin.getPlugins`` finds, with two differences that matter for a mail system. What is wrong is
told instead of skipped: a module that will not import, two plug-ins of one kind with one name. And no cache file is
written or trusted (an installed service cannot write beside its code): instead only those modules are imported whose
source mentions this package, so that other projects' plug-ins cost nothing and cannot keep mail from starting.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from mailer.config.errors import ConfigError

__all__ = ["Registry", "discover", "installed"]

_MENTION = b"mailer"


def _modules(package: ModuleType) -> Iterator[tuple[str, Path]]:
    """``name, path`` of each module on the package's path that may hold plug-ins of ours, sorted by name."""
    found: dict[str, Path] = {}
    for directory in package.__path__:
        for path in Path(directory).glob("*.py"):
            if path.stem.isidentifier() and path.stem != "__init__":
                found.setdefault(path.stem, path)
    return iter(sorted(found.items()))


def discover(package: ModuleType) -> tuple[list[tuple[str, Any]], list[str]]:
    """Import the modules that mention this package.

    :return: ``(module name, object)`` for every public object in them, and the problems met, one line each.
    """
    objects: list[tuple[str, Any]] = []
    problems: list[str] = []
    for name, path in _modules(package):
        try:
            if _MENTION not in path.read_bytes():
                continue
            module = import_module(f"{package.__name__}.{name}")
        except Exception as error:  # a plug-in may fail in any way; each is the administrator's to know
            where = traceback.extract_tb(error.__traceback__)[-1]
            problems.append(
                f"plug-in module {path} cannot be imported: {type(error).__name__}: {error}"
                f" ({where.filename}, line {where.lineno})"
            )
            continue
        objects += ((name, value) for key, value in sorted(vars(module).items()) if not key.startswith("_"))
    return objects, problems


class Registry:
    """The plug-ins of one kind, by name. ``problems`` holds one line for each thing that is wrong.

    :param interface: the zope interface that they provide.
    :param noun: what one is called in messages (``transport``).
    :param found: what ``discover`` returned.
    """

    def __init__(self, interface: Any, noun: str, found: tuple[Iterable[tuple[str, Any]], Iterable[str]]) -> None:
        objects, problems = found
        self.noun = noun
        self.problems = list(problems)
        self._factories: dict[str, Any] = {}
        self._twice: dict[str, str] = {}
        homes: dict[str, str] = {}
        for home, value in objects:
            if interface.providedBy(value) and self._factories.get(value.name) is not value:
                self._add(home, value, homes)
        self.problems += self._twice.values()

    def _add(self, home: str, factory: Any, homes: dict[str, str]) -> None:
        name = factory.name
        if name in self._factories:
            self._twice[name] = f"{self.noun} {name} is declared twice: by {homes[name]} and by {home}"
        else:
            self._factories[name] = factory
            homes[name] = home

    def names(self) -> list[str]:
        return sorted(self._factories)

    def __iter__(self) -> Iterator[Any]:
        """The factories, in order of their names."""
        return iter(self._factories[name] for name in self.names())

    def find(self, name: str) -> Any:
        """:return: the factory, or None. :raise ConfigError: two claim the name, so nobody knows which is meant."""
        if name in self._twice:
            raise ConfigError(self._twice[name])
        return self._factories.get(name)


@cache
def installed(interface: Any, noun: str) -> Registry:
    """The registry of what is installed on this machine. Python imports a module once, so this looks once, too."""
    return Registry(interface, noun, _installed())


@cache
def _installed() -> tuple[list[tuple[str, Any]], list[str]]:
    import twisted.plugins

    return discover(twisted.plugins)
