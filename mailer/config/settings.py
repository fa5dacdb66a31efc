"""The typed configuration of one service: main.cf, the service's ``-o`` overrides, and declared defaults.

``settings.NAME`` is the typed value; it is worked out at the first read and is a plain attribute afterwards. A
Settings never changes: overrides and a reload make new ones. Knows nothing of files (see `mailer.config.load`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from mailer.config.declaration import Kind, Parameter
from mailer.config.dynamic import DYNAMIC
from mailer.config.errors import ConfigError, closest_name
from mailer.config.expand import expand
from mailer.config.machine import Machine
from mailer.config.maincf import Entry
from mailer.config.parameters import PARAMETERS
from mailer.config.values import convert

__all__ = ["CLASS_PREFIX", "Settings", "class_suffixes", "is_class"]

#: The per-transport class ``<transport>_SUFFIX`` is declared under this name in place of the transport.
CLASS_PREFIX = "transport_"
_NOT_A_CLASS = {"transport_maps", "transport_retry_time"}


def is_class(parameter: Parameter) -> bool:
    """Whether this declares a per-transport class: a name that nobody sets, ``transport_`` and the suffix."""
    return parameter.name.startswith(CLASS_PREFIX) and parameter.name not in _NOT_A_CLASS


def class_suffixes(declared: Mapping[str, Parameter]) -> frozenset[str]:
    """The suffixes of the per-transport classes, for example ``destination_concurrency_limit``."""
    return frozenset(parameter.name[len(CLASS_PREFIX) :] for parameter in declared.values() if is_class(parameter))


class Settings:
    """See the module. Reading an attribute raises ConfigError (with file and line) when the value is wrong, and
    AttributeError when no parameter has that name; names that a user made up are read with `text`.
    """

    def __init__(
        self,
        entries: Mapping[str, Entry],
        *,
        machine: Machine | None = None,
        forced: Mapping[str, str] | None = None,
        declared: Mapping[str, Parameter] = PARAMETERS,
    ) -> None:
        """``entries`` are the settings in force; ``forced`` are values that nobody can set, such as process_name."""
        own = self.__dict__
        own["machine"] = machine or Machine()
        own["declared"] = declared
        own["_entries"] = MappingProxyType(dict(entries))
        own["_forced"] = MappingProxyType(dict(forced or {}))
        own["_computing"] = set()
        own["_per_transport"] = {}

    def __getattr__(self, name: str) -> Any:
        # Only reached while the attribute is not in __dict__ yet.
        parameter = self.declared.get(name) if not name.startswith("_") else None
        if parameter is None:
            raise AttributeError(_unknown(name, self.declared))
        value = self.typed(name, parameter)
        self.__dict__[name] = value
        return value

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"settings do not change; use with_overrides to set {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"settings do not change: {name}")

    def value(self, name: str) -> Any:
        """``settings.NAME`` for a name that is computed, or is no Python identifier (2bounce_notice_recipient)."""
        return getattr(self, name)

    def text(self, name: str) -> str:
        """The expanded text of any name that is set or declared. KeyError for others, ConfigError when it is bad."""
        raw = self.raw(name)
        if raw is None:
            raise KeyError(name)
        try:
            return expand(raw, self.raw)
        except ConfigError as error:
            raise self._placed(error, name) from None

    def raw(self, name: str) -> str | None:
        """The text of a name before expansion; None when it is neither set nor declared."""
        forced = self._forced.get(name)
        if forced is not None:
            return forced
        entry = self._entries.get(name)
        return entry.value if entry is not None else self.default(name)

    def default(self, name: str) -> str | None:
        """The text that is in force when nobody sets ``name``, before expansion; None for an unknown name."""
        compute = DYNAMIC.get(name)
        if compute is not None:
            return self._computed(name)
        parameter = self.declared.get(name) or self.class_parameter(name)
        return parameter.default if parameter is not None else None

    def class_parameter(self, name: str) -> Parameter | None:
        """The declaration for a per-transport name such as ``smtp_destination_rate_delay``, under that name."""
        suffix = self.class_suffix(name)
        return replace(self.declared[CLASS_PREFIX + suffix], name=name) if suffix is not None else None

    def class_suffix(self, name: str) -> str | None:
        """``destination_rate_delay`` of ``smtp_destination_rate_delay``; None where no class ends like that."""
        at = name.find("_", 1)
        while at > 0:
            suffix = name[at + 1 :]
            parameter = self.declared.get(CLASS_PREFIX + suffix)
            if parameter is not None and is_class(parameter):
                return suffix
            at = name.find("_", at + 1)
        return None

    def transport(self, transport: str, suffix: str) -> Any:
        """The typed value of ``<transport>_<suffix>`` where that is set or declared, else of the class's default.

        ``suffix`` is a literal such as ``destination_concurrency_limit``; AttributeError when there is no such class.
        """
        known = self._per_transport.get((transport, suffix))
        if known is not None:
            return known[0]
        general = self.declared.get(CLASS_PREFIX + suffix)
        if general is None:
            raise AttributeError(_unknown(CLASS_PREFIX + suffix, self.declared))
        name = f"{transport}_{suffix}"
        value = self.typed(name, self.declared.get(name) or replace(general, name=name))
        self._per_transport[transport, suffix] = (value,)
        return value

    def is_set(self, name: str) -> bool:
        """Whether main.cf or an override sets ``name`` (even to its default)."""
        return name in self._entries

    def is_default(self, name: str) -> bool:
        """Whether the text of ``name`` is what it would be if nobody had set it."""
        try:
            default = self.default(name)
            return default is not None and expand(default, self.raw) == self.text(name)
        except ConfigError:
            return False

    def explicit(self) -> Iterable[Entry]:
        """Every setting in force that somebody made."""
        return self._entries.values()

    def where(self, name: str) -> str:
        """Where the value in force comes from: ``file:line``, ``override`` or ``default``."""
        entry = self._entries.get(name)
        if entry is None or name in self._forced:
            return "default"
        return "override" if entry.file is None else f"{entry.file}:{entry.line}"

    def with_overrides(
        self, overrides: Mapping[str, str] | Iterable[Entry], *, forced: Mapping[str, str] | None = None
    ) -> Settings:
        """New Settings with some values replaced: a mapping of texts, or entries that know their place."""
        if isinstance(overrides, Mapping):
            overrides = [Entry(name, value) for name, value in overrides.items()]
        entries = {**self._entries, **{entry.name: entry for entry in overrides}}
        return Settings(
            entries, machine=self.machine, forced={**self._forced, **(forced or {})}, declared=self.declared
        )

    def typed(self, name: str, parameter: Parameter) -> Any:
        """The value of ``name`` read as ``parameter`` says. Raises ConfigError."""
        try:
            if parameter.kind is Kind.RAW:
                return convert(parameter, self.raw(name) or "")
            raw = self.raw(name)
            return convert(parameter, expand(raw if raw is not None else parameter.default, self.raw))
        except ConfigError as error:
            raise self._placed(error, name) from None

    def _placed(self, error: ConfigError, name: str) -> ConfigError:
        entry = self._entries.get(name)
        if entry is None:
            return error
        return error.at(entry.file, entry.line)

    def _computed(self, name: str) -> str:
        # myhostname and mydomain may refer to each other; the one asked for first sees the other as empty.
        if name in self._computing:
            return ""
        self._computing.add(name)
        try:
            return DYNAMIC[name](self)
        finally:
            self._computing.discard(name)


def _unknown(name: str, declared: Mapping[str, Parameter]) -> str:
    meant = closest_name(name, declared)
    return f"no parameter is named {name}" + (f"; did you mean {meant}?" if meant else "")
