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

__all__ = [
    "FIELDS",
    "MasterFile",
    "Service",
    "TYPES",
    "check_field",
    "check_fields",
    "parse_master",
    "plain_options",
    "split_endpoint",
    "split_entry",
]

TYPES = ("inet", "unix", "fifo", "unix-dgram", "pass")
#: The names of the fields as postconf(1) shows them.
FIELDS = ("service", "type", "private", "unprivileged", "chroot", "wakeup", "process_limit", "command")
_COMMAND = 7  # position of the last field
_SPACE = " \t\r\n\v\f"
_WORD = re.compile(r"[^ \t\r\n\v\f]+")
_BRACE = re.compile(r"[{}]")
_FLAG = re.compile("[-yn]"), "write y, n or -"
_FIELD_RULES = {
    "type": (re.compile("|".join(TYPES)), f"one of {', '.join(TYPES)}"),
    "private": _FLAG,
    "unprivileged": _FLAG,
    "chroot": _FLAG,
    "wakeup": (re.compile(r"-|[0-9]{1,9}\??"), "write a number of seconds, perhaps with ?, or -"),
    "process_limit": (re.compile("-|[0-9]{1,9}"), "write a number or -"),
}
_LETTERS_WITH_VALUE = "imnst"  # of the options that daemons take besides -o


@dataclass(frozen=True)
class Service:
    """One service. See master(5) for the fields.

    ``wakeup`` is in seconds, 0 for never; ``wakeup_if_used`` is the ``?``; ``maxproc`` 0 means no limit and None
    default_process_limit. ``command`` is the program, ``arguments`` is what follows without the ``-o`` settings, and
    ``overrides`` are those, in order.
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


def split_entry(text: str) -> tuple[list[str], list[str]]:
    """One logical line to its words, and what is wrong with the braces among them.

    The first eight words are the fields; an argument in ``{ }`` loses the braces and the white space beside them.
    """
    words = text.split(None, _COMMAND)
    complaints: list[str] = []
    if len(words) <= _COMMAND:
        return words, complaints
    command_line = words.pop()
    command = _WORD.match(command_line)
    assert command is not None  # str.split leaves no white space in front
    words.append(command.group())
    at = command.end()
    while (match := _WORD.search(command_line, at)) is not None:
        if match.group()[0] == "{":
            word, at, complaint = _braced(command_line, match.start())
            if complaint:
                complaints.append(complaint)
        else:
            word, at = match.group(), match.end()
        words.append(word)
    return words, complaints


def plain_options(arguments: list[str]) -> tuple[list[str], int]:
    """The arguments with each ``-o`` in front parted from its value and from other letters (``-vo x=y``), and how many
    of them stand before the first that is no option.
    """
    plain: list[str] = []
    position = 0
    while position < len(arguments):
        word = arguments[position]
        if word in ("-", "--") or not word.startswith("-"):
            break
        position += 1
        before, letter, after = word[1:].partition("o")
        if not letter:
            plain.append(word)
            if before[-1] in _LETTERS_WITH_VALUE and position < len(arguments):
                plain.append(arguments[position])
                position += 1
            continue
        if before:
            plain.append("-" + before)
        plain.append("-o")
        if after:
            plain.append(after)
        elif position < len(arguments):
            plain.append(arguments[position])
            position += 1
    return plain + arguments[position:], len(plain)


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


def _braced(text: str, start: int) -> tuple[str, int, str]:
    """The word in the braces at ``text[start]``, where it ends, and a complaint or an empty text."""
    level = 0
    for match in _BRACE.finditer(text, start):
        level += 1 if match.group() == "{" else -1
        if level == 0:
            end = match.end()
            word = text[start + 1 : match.start()].strip(_SPACE)
            rest = _WORD.match(text, end)
            if rest is None:
                return word, end, ""
            return word, rest.end(), f"syntax error after '}}' in \"{text[start : rest.end()]}\""
    return text[start + 1 :].strip(_SPACE), len(text), f"missing '}}' in \"{text[start:]}\""


def _service(line: LogicalLine, file: str | None) -> Service:
    words, complaints = split_entry(line.text)
    check_fields(words, line.text)
    if complaints:
        raise ConfigError(complaints[0], 'an argument in braces is written as "{ text }" between white space')
    name, kind, private, unprivileged, chroot, wakeup, maxproc, command = words[: _COMMAND + 1]
    if kind == "inet":
        split_endpoint(name)
    arguments, overrides = _overrides(words[_COMMAND + 1 :], file, line.first)
    return Service(
        name,
        kind,
        private=private != "n",
        unprivileged=unprivileged != "n",
        chroot=chroot == "y",
        wakeup=0 if wakeup == "-" else int(wakeup.removesuffix("?")),
        wakeup_if_used=wakeup.endswith("?"),
        maxproc=None if maxproc == "-" else int(maxproc),
        command=command,
        arguments=arguments,
        overrides=overrides,
        file=file,
        line=line.first,
    )


def check_fields(words: list[str], text: str) -> None:
    """Raise ConfigError, without a place, unless ``words`` of the entry ``text`` are well-formed fields."""
    if len(words) <= _COMMAND:
        raise ConfigError("bad field count", f"an entry has {_COMMAND + 1} fields or more, here are {len(words)}")
    for name, word in zip(FIELDS, words, strict=False):
        check_field(name, word, text)


def check_field(name: str, word: str, text: str) -> None:
    """Raise ConfigError unless ``word`` may stand in the field ``name`` (of `FIELDS`) of the entry ``text``."""
    rule = _FIELD_RULES.get(name)
    if rule is not None and rule[0].fullmatch(word) is None:
        raise ConfigError(f'invalid {name} field "{word}" in "{text}"', rule[1])


def _overrides(arguments: list[str], file: str | None, line: int) -> tuple[tuple[str, ...], dict[str, Entry]]:
    """Part the ``-o`` settings, which stand in front, from the other arguments."""
    plain, options = plain_options(arguments)
    others: list[str] = []
    overrides: dict[str, Entry] = {}
    position = 0
    while position < options:
        if plain[position] != "-o":
            others.append(plain[position])
            position += 1
            continue
        if position + 1 == options:
            raise ConfigError('"-o" needs a setting after it', "write -o name=value")
        name, value = split_setting(plain[position + 1])
        overrides.pop(name, None)
        overrides[name] = Entry(name, value, file, line)
        position += 2
    return tuple(others + plain[options:]), overrides
