"""``type:name``, as main.cf and command lines write it."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["named", "split_spec"]

_NAMED = re.compile(r"(?:^|(?<=[\s,{=]))((?:proxy:)*)([a-z]+):([^\s,{}]+)")
_ACCOUNTS = ("passwd.byname", "group.byname")


def split_spec(spec: str) -> tuple[str, str] | None:
    """``type, name``, or None when either is missing."""
    type, colon, name = spec.partition(":")
    return (type, name) if type and colon and name else None


def named(text: str) -> Iterator[tuple[bool, str]]:
    """What looks like a table in a parameter's value: whether ``proxy:`` stands before it, and ``type:name``."""
    for proxied, type, name in _NAMED.findall(text):
        if type != "unix" or name in _ACCOUNTS:  # unix:private/policy is a socket
            yield bool(proxied), f"{type}:{name}"
