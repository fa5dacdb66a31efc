"""``pcre:/file``: Perl-compatible regular expressions (pcre_table(5))."""

from __future__ import annotations

from mailer.tables import perl
from mailer.tables.rules import Compiled, Dialect, RuleTable

__all__ = ["PcreTable"]


def _compile(pattern: bytes, flags: str) -> Compiled:
    translated = perl.compile(pattern, flags)
    return translated.regex, translated.groups


class PcreTable(RuleTable):
    """Flags: i (on) ignores case, m (off) knows lines, s (on) lets a dot match a line end, x (off) ignores white space,
    A (off) matches at the start only, E (off) ends at the very end only, U (off) is ungreedy."""

    type = "pcre"
    dialect = Dialect(
        "pcre",
        _compile,
        flags="imsxAEU",
        defaults="is",
        obsolete="X",
        unclosed="ignoring",
        out_of_range="out of range",
    )
