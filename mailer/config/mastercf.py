"""master.cf text to services, following master(5).

Eight fields, of which the last is a command line; ``-`` is a field's default; ``{ }`` groups an argument with white
space. Knows nothing of what commands do; which names a ``-o`` may use is checked elsewhere.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field

from mailer.config.errors import ConfigError, Problem
from mailer.config.maincf import Entry, LogicalLine, logical_lines, split_setting

__all__ = ["MasterFile", "Service", "TYPES", "parse_master", "split_arguments", "split_endpoint"]

TYPES = ("inet", "unix", "fifo", "unix-dgram", "pass")
_SPACE = " \t\r\n"
_FIELD = re.compile(r"[^ \t\r\n]+")


@dataclass(frozen=True)
class Service:
    """One service. None stands for ``-``, the default of master(5), where that depends on a parameter.

    ``wakeup`` is in seconds, 0 for never; ``wakeup_if_used`` is the ``?``; ``maxproc`` 0 means no limit and None
    default_process_limit. ``command`` is the program, ``arguments`` is what follows without the ``-o`` settings, and
    ``overrides`` are those, in order. ``fields`` are the eight fields as written, arguments joined by single spaces.
    """

    name: str
    type: str
    private: bool
    unprivileged: bool
    chroot: bool
    wakeup: int
    wakeup_if_used: bool
    maxproc: int | None
    command: str
    arguments: tuple[str, ...] = ()
    overrides: dict[str, Entry] = field(default_factory=dict, hash=False)
    words: tuple[str, ...] = ()
    file: str | None = None
    line: int | None = None

    @property
    def endpoint(self) -> tuple[str, str]:
        """Host and port of an ``inet`` service as written; the host is empty for ``port`` alone."""
        return split_endpoint(self.name)

    @property
    def port(self) -> int:
        """The port number of an ``inet`` service, names looked up in /etc/services. Raises ConfigError."""
        port = self.endpoint[1]
        if port.isascii() and port.isdigit() and int(port) < 65536:
            return int(port)
        try:
            return socket.getservbyname(port, "tcp")
        except OSError:
            problem = f"unknown port in service name: {self.name}"
            raise ConfigError(problem, "a number or a name in /etc/services", file=self.file, line=self.line) from None


@dataclass(frozen=True)
class MasterFile:
    """What a master.cf says: services in the order of the file, and warnings."""

    services: tuple[Service, ...] = ()
    problems: tuple[Problem, ...] = ()


def parse_master(text: str, file: str | None = None) -> MasterFile:
    """Parse a whole master.cf. Raises ConfigError, with the place, at the first line that is wrong."""
    problems: list[Problem] = []
    services: dict[tuple[str, str], Service] = {}
    for line in logical_lines(text.split("\n"), file, problems):
        try:
            service = _service(line, file)
        except ConfigError as error:
            raise error.at(file, line.first) from None
        key = service.name, service.type
        if key in services:
            problem = f'duplicate master.cf entry for service "{service.name}" ({line.first}) -- using the last entry'
            problems.append(Problem("warning", problem, file, line.first))
            del services[key]
        services[key] = service
    return MasterFile(tuple(services.values()), tuple(problems))


def split_arguments(text: str) -> list[str]:
    """A command line to its words; a word in ``{ }`` loses the braces and the white space beside them."""
    words: list[str] = []
    at = 0
    while True:
        while at < len(text) and text[at] in _SPACE:
            at += 1
        if at == len(text):
            return words
        if text[at] == "{":
            word, at = _braced(text, at)
        else:
            match = _FIELD.match(text, at)
            assert match is not None  # a visible character stands here
            word, at = match.group(), match.end()
        words.append(word)


def split_endpoint(name: str) -> tuple[str, str]:
    """``[::1]:25``, ``host:port``, ``:port`` or ``port`` to (host, port). Raises ConfigError."""
    if name.startswith("["):
        host, bracket, port = name[1:].partition("]")
        if not bracket or not port.startswith(":") or not port[1:]:
            raise ConfigError(f"bad service name: {name}", "write [address]:port")
        return host, port[1:]
    host, colon, port = name.rpartition(":")
    if not port:
        raise ConfigError(f"bad service name: {name}", "write host:port or port")
    if ":" in host:
        raise ConfigError(f"bad service name: {name}", "write an IPv6 address as [address]:port")
    return host, port


def _braced(text: str, start: int) -> tuple[str, int]:
    level = 0
    for at in range(start, len(text)):
        level += (text[at] == "{") - (text[at] == "}")
        if level == 0:
            end = at + 1
            if end < len(text) and text[end] not in _SPACE:
                raise ConfigError(f'syntax error after "}}" in "{text[start:][:100]}"', "white space is missing")
            return text[start + 1 : at].strip(_SPACE), end
    raise ConfigError(f'missing "}}" in "{text[start:][:100]}"', 'every "{" needs its "}"')


def _service(line: LogicalLine, file: str | None) -> Service:
    fields = line.text.split(None, 7)
    if len(fields) < 8:
        raise ConfigError(f'missing field in "{line.text[:100]}"', f"master.cf has 8 fields, here are {len(fields)}")
    name, kind, private, unprivileged, chroot, wakeup, maxproc, command_line = fields
    if kind not in TYPES:
        raise ConfigError(f"invalid transport type: {kind}", f"one of {', '.join(TYPES)}")
    if kind == "inet":
        split_endpoint(name)
    words = split_arguments(command_line)
    command, arguments, overrides = _command(words, file, line.first)
    seconds, if_used = _wakeup(wakeup)
    return Service(
        name,
        kind,
        private=_flag("private", private, True),
        unprivileged=_flag("unprivileged", unprivileged, True),
        chroot=_flag("chroot", chroot, False),
        wakeup=seconds,
        wakeup_if_used=if_used,
        maxproc=None if maxproc == "-" else _number("max_proc", maxproc),
        command=command,
        arguments=arguments,
        overrides=overrides,
        words=tuple(words),
        file=file,
        line=line.first,
    )


def _flag(what: str, word: str, default: bool) -> bool:
    if word == "-":
        return default
    if word in ("y", "n"):
        return word == "y"
    raise ConfigError(f'field "{what}": bad value: "{word}"', "write y, n or -")


def _number(what: str, word: str) -> int:
    if word.isascii() and word.isdigit() and len(word) < 10:
        return int(word)
    raise ConfigError(f'field "{what}": bad value: "{word}"', "write a number or -")


def _wakeup(word: str) -> tuple[int, bool]:
    if word == "-":
        return 0, False
    return _number("wakeup_time", word.removesuffix("?")), word.endswith("?")


def _command(words: list[str], file: str | None, line: int) -> tuple[str, tuple[str, ...], dict[str, Entry]]:
    """Part the ``-o`` settings from the other arguments; they may stand before and among those."""
    command, *rest = words
    arguments: list[str] = []
    overrides: dict[str, Entry] = {}
    position = 0
    while position < len(rest):
        word = rest[position]
        if word == "-o" or (word.startswith("-o") and "=" in word):
            position += word == "-o"
            if position == len(rest):
                raise ConfigError('"-o" needs a setting after it', "write -o name=value")
            setting = rest[position] if word == "-o" else word[2:]
            name, value = split_setting(setting)
            overrides.pop(name, None)
            overrides[name] = Entry(name, value, file, line)
        else:
            arguments.append(word)
        position += 1
    return command, tuple(arguments), overrides
