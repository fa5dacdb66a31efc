"""Addresses as the screen takes them from MAIL and RCPT: anything behind a colon, for they go into the log only.

Pure. Source routes are dropped, quotes are taken off; what makes no sense stays as it is.
"""

from __future__ import annotations

import re

__all__ = ["address_in"]

_QUOTED = r'"(?:[^"\\]|\\.)*"?'
_BRACKETED = re.compile(rf"<((?:{_QUOTED}|[^\">])*)")
_BARE = re.compile(rf"(?:{_QUOTED}|[^\s\"])*")
_ROUTE = re.compile(r"@[^:\"]*:")
_QUOTED_LOCAL = re.compile(r'"((?:[^"\\]|\\.)*)"(?=@|\Z)')


def address_in(argument: str) -> str | None:
    """:param argument: what follows the verb. :return: the address in internal form; None: there is no colon."""
    _, colon, rest = argument.partition(":")
    if not colon:
        return None
    rest = rest.strip(" ")
    found = _BRACKETED.match(rest)
    text = found[1] if found is not None else _BARE.match(rest)[0]  # type: ignore[index]
    text = text.strip()
    route = _ROUTE.match(text)
    if route is not None:
        text = text[route.end() :]
    quoted = _QUOTED_LOCAL.match(text)
    if quoted is not None:
        text = re.sub(r"\\(.)", r"\1", quoted[1]) + text[quoted.end() :]
    return text
