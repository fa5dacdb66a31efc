"""postconf -p, -n and -d: main.cf parameters and what they are set to."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mailer.commands.postconf_print import setting
from mailer.commands.postconf_source import Source, expanded, fatal, warn
from mailer.config.declaration import Kind
from mailer.config.errors import ConfigError
from mailer.config.usage import READ_ONLY, is_builtin

__all__ = ["CLASSES", "Look", "show_parameters"]

CLASSES = ("builtin", "service", "user", "all")


class Look:
    """How parameters are to be shown: the options -x -f -h -H."""

    def __init__(self, options: set[str]) -> None:
        self.expand = "x" in options
        self.fold = "f" in options
        self.hide_name = "h" in options
        self.hide_value = "H" in options

    def line(self, name: str, value: str) -> str:
        return setting(name, value, fold=self.fold, hide_name=self.hide_name, hide_value=self.hide_value)


def show_parameters(
    source: Source,
    names: Iterable[str],
    look: Look,
    classes: frozenset[str],
    *,
    set_only: bool,
    out: Callable[[str], None],
) -> None:
    """Print the named parameters in that order, or all of some classes, sorted. Raises Fatal.

    ``set_only``: leave out those that main.cf does not set (-n).
    """
    known = _known(source)
    chosen = list(names)
    if not chosen:
        chosen = sorted(name for name, kind in known.items() if kind in classes or "all" in classes)
    for name in chosen:
        if name not in known:
            warn(f"{name}: unknown parameter")
        elif not set_only or (source.settings.is_set(name) and name not in READ_ONLY):
            out(look.line(name, _value(source, name, look)))


def _known(source: Source) -> dict[str, str]:
    """The parameters that exist, and the class of each."""
    known = {name: "builtin" for name in source.settings.declared if is_builtin(source.settings, name)}
    for name in source.service_names:
        known.setdefault(name, "service")
    if not source.defaults_only:
        for name in source.used.user:
            known.setdefault(name, "user")
    return known


def _value(source: Source, name: str, look: Look) -> str:
    settings = source.settings
    if look.hide_value:
        return ""
    try:
        value = settings.raw(name) or ""
    except ConfigError as error:  # a default that is worked out, as mynetworks
        fatal(error.problem)
    parameter = settings.declared.get(name)
    if look.expand and (parameter is None or parameter.kind is not Kind.RAW):
        return expanded(value, settings)
    return value
