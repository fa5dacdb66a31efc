"""Text to typed values, one rule per `Kind`, with the acceptance of Postfix's daemons.

Knows declarations, not where a text came from: errors carry no place, the caller adds it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn

from mailer.config.declaration import Kind, Parameter
from mailer.config.errors import ConfigError, closest_name

__all__ = ["convert", "parse_time", "split_list"]

# The reference looks at one letter after the number and at nothing behind it, so 5min and 1hour are times.
_TIME = re.compile(r"\s*\+?(\d*)(\.\d+)?(?:([smhdw]).*)?", re.ASCII | re.DOTALL)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_LARGEST = 2**63 - 1
_LONGEST_TIME = 2**31 - 1  # seconds
_SEPARATORS = ", \t\r\n"
_BRACE_OR_SEPARATOR = re.compile(r"[{}, \t\r\n]")


def convert(parameter: Parameter, text: str) -> Any:
    """The typed value of ``text``, already expanded, as a value of ``parameter``. Raises ConfigError."""
    return _CONVERSIONS[parameter.kind](parameter, text)


def split_list(text: str) -> tuple[str, ...]:
    """Split at commas and white space, except inside ``{ }``, which stay part of their member."""
    if "{" not in text:
        return tuple(text.replace(",", " ").split())
    members: list[str] = []
    start = level = 0
    for match in _BRACE_OR_SEPARATOR.finditer(text):
        char = match.group()
        if char == "{":
            level += 1
        elif char == "}":
            level = max(0, level - 1)
        elif level == 0:
            members.append(text[start : match.start()])
            start = match.end()
    members.append(text[start:])
    return tuple(member for member in members if member)


def parse_time(text: str, unit: str, *, fraction: bool = False) -> float:
    """Seconds of ``5d``, ``30s``, ``100``; ``unit`` is for a bare number. Raises ValueError."""
    match = _TIME.fullmatch(text)
    if match is None or not text or (match[2] and not fraction) or len(match[1]) > 20:
        raise ValueError(text)
    seconds = float((match[1] or "0") + (match[2] or "")) * _SECONDS[match[3] or unit]
    if seconds > _LONGEST_TIME:
        raise ValueError(text)
    return seconds


def _boolean(parameter: Parameter, text: str) -> bool:
    word = text.lower()
    if word in ("yes", "no"):
        return word == "yes"
    raise ConfigError(f"bad boolean configuration: {parameter.name} = {text}", "write yes or no")


def _integer(parameter: Parameter, text: str) -> int:
    if _INTEGER.fullmatch(text) is None or len(text) > 30 or abs(int(text)) > _LARGEST:
        raise ConfigError(f"bad numerical configuration: {parameter.name} = {text}", "write a decimal number")
    number = int(text)
    _check_bounds(parameter, number)
    return number


def _time(parameter: Parameter, text: str) -> float:
    # A rate delay may be a fraction of a second, which Postfix does not offer.
    try:
        seconds = parse_time(text, parameter.unit, fraction=parameter.name.endswith("_rate_delay"))
    except ValueError:
        example = f"write a number and one of s m h d w, for example 5{parameter.unit}"
        raise ConfigError(f"parameter {parameter.name}: bad time value or unit: {text}", example) from None
    shown = f"{seconds:g}"
    if parameter.minimum is not None and seconds < parameter.minimum:
        _out_of_range(parameter, f"{parameter.name}: {shown} (min {parameter.minimum})")
    if parameter.maximum and seconds > parameter.maximum:
        _out_of_range(parameter, f"{parameter.name}: {shown} (max {parameter.maximum})")
    return seconds


def _check_bounds(parameter: Parameter, number: int) -> None:
    if parameter.minimum is not None and number < parameter.minimum:
        _out_of_range(parameter, f"{parameter.name} parameter value {number} < {parameter.minimum}")
    if parameter.maximum and number > parameter.maximum:
        _out_of_range(parameter, f"{parameter.name} parameter value {number} > {parameter.maximum}")


def _out_of_range(parameter: Parameter, told: str) -> NoReturn:
    least = f"at least {parameter.minimum}" if parameter.minimum is not None else ""
    most = f"at most {parameter.maximum}" if parameter.maximum else ""
    raise ConfigError(f"invalid {told}", ", ".join(filter(None, (least, most))))


def _string(parameter: Parameter, text: str) -> str:
    length = len(text.encode("utf-8", "surrogateescape"))
    if parameter.minimum is not None and length < parameter.minimum:
        problem = f"bad string length {length} < {parameter.minimum}: {parameter.name} = {text}"
        raise ConfigError(problem, f"at least {parameter.minimum} characters")
    if parameter.maximum and length > parameter.maximum:
        problem = f"bad string length {length} > {parameter.maximum}: {parameter.name} = {text}"
        raise ConfigError(problem, f"at most {parameter.maximum} characters")
    return text


def _list(parameter: Parameter, text: str) -> tuple[str, ...]:
    return split_list(_string(parameter, text))


def _choice(parameter: Parameter, text: str) -> str:
    if text in parameter.choices:
        return text
    words = ", ".join(choice or '""' for choice in parameter.choices)
    meant = closest_name(text, parameter.choices)
    hint = f"did you mean {meant}? " if meant else ""
    raise ConfigError(f"invalid {parameter.name} parameter value: {text}", f"{hint}choose from: {words}")


_CONVERSIONS: dict[Kind, Callable[[Parameter, str], Any]] = {
    Kind.BOOLEAN: _boolean,
    Kind.INTEGER: _integer,
    Kind.TIME: _time,
    Kind.STRING: _string,
    Kind.RAW: _string,
    Kind.LIST: _list,
    Kind.TABLES: _list,
    Kind.CHOICE: _choice,
}
