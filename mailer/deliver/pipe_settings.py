"""The command line of a pipe(8) service in master.cf: ``flags=DRhu user=vmail argv=/path/of/command ${recipient}``.

Everything is checked when the service is built; a wrong attribute stops the start with Postfix's words.
"""

from __future__ import annotations

import grp
import pwd
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mailer.config.errors import ConfigError
from mailer.deliver.hands.identity import Identity

__all__ = ["PipeSettings", "parse"]

_FLAGS = frozenset("BDFORXhqu.>")
_ESCAPE = re.compile(r"\\([abfnrtv\\]|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}


@dataclass(frozen=True)
class PipeSettings:
    """``size_limit`` 0: none. ``null_sender`` stands for the null sender on the command line and in the message."""

    identity: Identity
    arguments: tuple[str, ...]
    flags: frozenset[str] = frozenset()
    directory: str = ""
    end_of_line: str = "\n"
    null_sender: str = "MAILER-DAEMON"
    size_limit: int = 0


def parse(
    words: Sequence[str],
    settings: Any,
    name: str,
    user: Callable[[str], pwd.struct_passwd] = pwd.getpwnam,
    group: Callable[[str], grp.struct_group] = grp.getgrnam,
) -> PipeSettings:
    """:param words: what follows ``pipe`` in master.cf. :param name: the service's. :raise ConfigError:"""
    given: dict[str, Any] = {}
    for position, word in enumerate(words):
        attribute, equals, value = word.partition("=")
        if attribute == "argv" and equals:
            rest = [value, *words[position + 1 :]] if value else list(words[position + 1 :])
            given["arguments"] = tuple(rest)
            break
        if not equals or attribute not in _ATTRIBUTES:
            raise ConfigError(f"{name}: unknown attribute name: {word}", "pipe(8) lists the attributes")
        given.update(_ATTRIBUTES[attribute](name, value))
    if "user" not in given:
        raise ConfigError("missing user= command-line attribute", "name the user that runs the command")
    if not given.get("arguments"):
        raise ConfigError("missing argv= command-line attribute", "argv=command comes last")
    identity = _identity(given.pop("user"), settings, name, user, group)
    return PipeSettings(replace(identity, root=given.pop("root", "")), **given)


def _flags(name: str, value: str) -> dict[str, Any]:
    unknown = [flag for flag in value if flag not in _FLAGS]
    if unknown:
        raise ConfigError(f"unknown flag: {unknown[0]} (ignored)", f"choose from {''.join(sorted(_FLAGS))}")
    return {"flags": frozenset(value)}


def _size(name: str, value: str) -> dict[str, Any]:
    if not value.isascii() or not value.isdigit():
        raise ConfigError(f"{name}: bad size= value: {value}", "a number of bytes")
    return {"size_limit": int(value)}


def _chroot(name: str, value: str) -> dict[str, Any]:
    if not value.startswith("/"):
        raise ConfigError(f"{name}: chroot={value} is no absolute path", "name a directory from the root on")
    return {"root": value}


def _unescaped(name: str, value: str) -> dict[str, Any]:
    def character(found: re.Match[str]) -> str:
        code = found[1]
        if code.isdigit():
            return chr(int(code, 8) & 0xFF) if code[0] in "01234567" else code
        return _ESCAPES.get(code, code)

    return {"end_of_line": _ESCAPE.sub(character, value)}


_ATTRIBUTES: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "chroot": _chroot,
    "directory": lambda name, value: {"directory": value},
    "eol": _unescaped,
    "flags": _flags,
    "null_sender": lambda name, value: {"null_sender": value},
    "size": _size,
    "user": lambda name, value: {"user": value},
}


def _identity(text: str, settings: Any, name: str, user: Any, group: Any) -> Identity:
    username, _, groupname = text.partition(":")
    try:
        account = user(username)
    except KeyError:
        raise ConfigError(f"{name}: unknown username: {username}") from None
    gid = account.pw_gid
    if groupname:
        try:
            gid = group(groupname).gr_gid
        except KeyError:
            raise ConfigError(f"{name}: unknown group: {groupname}") from None
    _refuse_powers(account.pw_uid, gid, settings, user, group)
    return Identity(account.pw_uid, gid, (gid,))


def _refuse_powers(uid: int, gid: int, settings: Any, user: Any, group: Any) -> None:
    if uid == 0:
        raise ConfigError("user= command-line attribute specifies root privileges")
    if gid == 0:
        raise ConfigError("user= command-line attribute specifies privileged group id 0")
    owner, queue_group = settings.mail_owner, settings.setgid_group
    try:
        account = user(owner)
    except KeyError:
        account = None
    if account is not None and uid == account.pw_uid:
        raise ConfigError(f"user= command-line attribute specifies mail system owner {owner}")
    if account is not None and gid == account.pw_gid:
        raise ConfigError(f"user= command-line attribute specifies mail system owner {owner} group id {gid}")
    try:
        special = group(queue_group).gr_gid
    except KeyError:
        return
    if gid == special:
        raise ConfigError(f"user= command-line attribute specifies mail system {queue_group} group id {gid}")
