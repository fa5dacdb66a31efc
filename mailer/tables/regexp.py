"""``regexp:/file``: POSIX regular expressions (regexp_table(5))."""

from __future__ import annotations

from mailer.tables import posix
from mailer.tables.rules import Compiled, Dialect, RuleTable

__all__ = ["RegexpTable"]


def _compile(pattern: bytes, flags: str) -> Compiled:
    regex, count = posix.compile(pattern, extended="x" in flags, ignore_case="i" in flags, newline="m" in flags)
    return regex, tuple((number,) for number in range(1, count + 1))


class RegexpTable(RuleTable):
    """Flags: i (on) ignores case, m (off) knows lines, x (on) is the extended syntax."""

    type = "regexp"
    dialect = Dialect("regexp", _compile, flags="imx", defaults="ix")
