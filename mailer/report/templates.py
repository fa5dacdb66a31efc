"""Templates of notices: bounce(5)'s file format, its ``$name`` expansion, and which template is in force.

A template that cannot be used is reported and the built-in one takes its place. An undefined ``$name`` in its text stops the
start: Postfix would fail at each notice and never send it. This module knows nothing of messages.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from mailer.config.errors import ConfigError
from mailer.config.expand import expand
from mailer.report.builtin import BUILTIN

__all__ = ["NAMES", "Template", "load", "parse", "unexpanded"]

#: The templates there are, without ``_template``.
NAMES = ("failure", "delay", "success", "verify")

_BEGIN = re.compile(r"([A-Za-z0-9_]+)[ \t]*=[ \t]*<<[ \t]*(\S+)[ \t]*").fullmatch
_HEADER = re.compile(r"([!-9;-~]+)[ \t]*:[ \t]*(.*)").fullmatch
_LABELS = {"charset": "charset", "from": "sender", "subject": "subject", "postmaster-subject": "postmaster_subject"}
_TIMED = re.compile(r"(delay_warning_time|maximal_queue_lifetime)_([a-z]+)").fullmatch
_UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400, "weeks": 604800}
_EXCESSIVE = 1000

Warn = Callable[[str], None]


@dataclass(frozen=True)
class Template:
    """``text`` has bare newlines and, until `load` has expanded it, ``$name``; octets outside ASCII are surrogate escapes.
    ``sender`` is the From field's body, "" for the built-in one."""

    name: str
    source: str = "[built-in]"
    charset: str = "us-ascii"
    sender: str = ""
    subject: str = ""
    postmaster_subject: str = ""
    text: str = ""


class _Unusable(Exception):
    """Why a template is ignored."""


def parse(text: str, source: str, defaults: dict[str, Template], warn: Warn) -> dict[str, Template]:
    """The templates in a file's text, by name. What is not a template is reported to ``warn`` and skipped.

    :param defaults: where fields come from that a template does not set.
    """
    found: dict[str, Template] = {}
    lines = iter(text.splitlines())
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        begin = _BEGIN(line)
        if begin is None:
            warn(f"{source}, line {number}: missing template name or << -- ignoring this line: {line[:100]}")
            continue
        label, end = begin.groups()
        content = _until(lines, end)
        name = label.removesuffix("_template")
        if name not in NAMES or name == label:
            warn(f"{source}: unknown template name: {label} -- ignoring this template")
        elif content is None:
            warn(f"{source}: missing end {end} of {name} template -- ignoring this template")
        else:
            try:
                found[name] = _template(content, replace(defaults.get(name, Template(name)), source=source))
            except _Unusable as error:
                warn(f"{source}: {error} in {name} template -- ignoring this template")
    return found


def _until(lines: Any, end: str) -> list[str] | None:
    content: list[str] = []
    for line in lines:
        if line.rstrip() == end:
            return content
        content.append(line)
    return None


def _template(content: list[str], default: Template) -> Template:
    fields: dict[str, str] = {}
    at = 0
    while at < len(content) and content[at].strip():
        header = _HEADER(content[at])
        if header is None:
            if content[at][0] in " \t" and at:
                raise _Unusable("multi-line header")
            break
        label, value = header.groups()
        if label.lower() not in _LABELS:
            raise _Unusable(f'unknown "{label}" header label')
        if not value.strip():
            raise _Unusable(f'empty "{label}" header value')
        if not value.isascii() or "\0" in value:
            raise _Unusable(f'non-ASCII "{label}" header value')
        fields[_LABELS[label.lower()]] = value.strip()
        at += 1
    if at < len(content) and not content[at].strip():
        at += 1
    if at == len(content):
        raise _Unusable("missing message text")
    return replace(default, text="\n".join(content[at:]) + "\n", **fields)


def load(settings: Any, warn: Warn) -> dict[str, Template]:
    """The templates in force, their texts expanded.

    :param settings: the bounce service's Settings. :param warn: told what is ignored, and doubtful time units.
    :raise ConfigError: the file cannot be read, or a text names a parameter that does not exist.
    """
    templates = unexpanded(settings, warn)
    return {name: replace(one, text=_expanded(one, settings, warn)) for name, one in templates.items()}


def unexpanded(settings: Any, warn: Warn) -> dict[str, Template]:
    """The templates in force as they are written, to be shown. :raise ConfigError: the file cannot be read."""
    builtin = parse(BUILTIN, "[built-in]", {}, warn)
    path = settings.bounce_template_file
    return builtin | (parse(_read(path), path, builtin, warn) if path else {})


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(f"bounce_template_file: open {path}: {error.strerror}") from error


def _expanded(template: Template, settings: Any, warn: Warn) -> str:
    def lookup(name: str) -> str:
        timed = _TIMED(name)
        if timed and timed[2] in _UNITS:
            return str(_in_units(template, settings, warn, *timed.groups()))
        if name in ("myhostname", "mydomain") and settings.smtputf8_enable:
            return _readable(settings.text(name))
        value = settings.raw(name)
        if value is None:
            raise ConfigError(f"undefined ${name} in {template.name} template")
        return str(value)

    try:
        return expand(template.text, lookup)
    except ConfigError as error:
        raise error.at(template.source, None) from None


def _in_units(template: Template, settings: Any, warn: Warn, parameter: str, unit: str) -> int:
    seconds = settings.delay_warning_time if parameter == "delay_warning_time" else settings.maximal_queue_lifetime
    amount = int(seconds // _UNITS[unit])
    if seconds and not amount and unit != "seconds":
        _doubt(template, warn, f"{parameter}_{unit}", unit, "zero result", "reduce")
    elif amount >= _EXCESSIVE and unit != "weeks":
        _doubt(template, warn, f"{parameter}_{unit}", unit, f'excessive result "{amount}"', "increase")
    return amount


def _doubt(template: Template, warn: Warn, name: str, unit: str, what: str, advice: str) -> None:
    warn(f'{template.source}: {what} in {template.name} template conversion of parameter "{name}"')
    warn(f'please {advice} time unit "{unit}" of "{name}" in {template.name} template')
    warn("for instructions see the bounce(5) manual")


def _readable(domain: str) -> str:
    """A domain with ACE labels as people write it."""
    if "xn--" not in domain:
        return domain
    try:
        return domain.encode("ascii").decode("idna")
    except UnicodeError:
        return domain
