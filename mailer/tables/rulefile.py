"""Where the rules of a regexp, pcre or cidr table stand: in a file, or in main.cf as ``{ { rule }, { rule } }``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from mailer.config.errors import ConfigError
from mailer.config.values import split_list
from mailer.tables.text import braced
from mailer.tables.watched import Constant, Watched

__all__ = ["rule_source"]

Content = TypeVar("Content")


def rule_source(
    type: str, argument: str, context: Any, parse: Callable[[str, str, Callable[[str], None]], Content]
) -> Constant[Content] | Watched[Content]:
    """What ``parse(text, path, warn)`` makes of the rules; a file's stay current.

    :raise ConfigError: the file cannot be read, or the braces do not fit.
    """
    if not argument.startswith("{"):
        return Watched(argument, context, lambda text, warn: parse(text, argument, warn))
    return Constant(parse(_inline(type, argument), argument, context.log.warning))


def _inline(type: str, argument: str) -> str:
    """One rule a line."""
    try:
        return "".join(f"{braced(rule)}\n" for rule in split_list(braced(argument)))
    except ValueError as error:
        raise ConfigError(f"{type} map: {error}") from None
