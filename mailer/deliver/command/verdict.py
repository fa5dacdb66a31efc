"""What a command's end means for the mail that it was given: sysexits, signals, time-outs, and status codes in its output.

pipe(8) and local(8), "DIAGNOSTICS": after a failure, output that begins with a 4.X.X or 5.X.X code overrules the exit
status.
"""

from __future__ import annotations

import re

from mailer.deliver.command.command import Result

__all__ = ["diagnostic", "verdict", "visible"]

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:[ \t\n]+|$)").match
_SYSEXITS = {
    64: ("5.3.0", "command line usage error"),
    65: ("5.6.0", "data format error"),
    66: ("5.3.0", "cannot open input"),
    67: ("5.1.1", "user unknown"),
    68: ("5.1.2", "host name unknown"),
    69: ("5.3.0", "service unavailable"),
    70: ("5.3.0", "internal software error"),
    71: ("4.3.0", "system resource problem"),
    72: ("5.3.0", "critical OS file missing"),
    73: ("5.2.0", "can't create user output file"),
    74: ("5.3.0", "input/output error"),
    75: ("4.3.0", "temporary failure"),
    76: ("5.5.0", "remote error in protocol"),
    77: ("5.7.0", "permission denied"),
    78: ("5.3.5", "local configuration error"),
}


def visible(output: str) -> str:
    """Output on one line: line ends become spaces, what cannot be shown becomes ``_``."""
    return "".join(char if char.isprintable() else "_" for char in output.replace("\n", " "))


def verdict(name: str, result: Result, program: str) -> tuple[str, str]:
    """The status and the text of a command's end; a status that begins with 2 is a success, and its text the output.

    :param name: the command as reports show it. :param program: who could not start it.
    """
    if result.failure:
        said = "" if result.hidden else f". Command output: {program}: fatal: {result.failure} "
        return "4.3.0", f"temporary failure{said}"
    if result.expired:
        return "5.3.0", f'Command time limit exceeded: "{name}"{_said(result)}'
    if result.signal:
        return "4.3.0", f'Command died with signal {result.signal}: "{name}"{_said(result)}'
    if result.code == 0:
        return "2.0.0", visible(result.output)
    found = _ENHANCED(result.output)
    if found is not None:
        return found[1], visible(result.output[found.end() :])
    if result.code in _SYSEXITS:
        status, text = _SYSEXITS[result.code]
        return status, text + _said(result)
    return "5.3.0", f'Command died with status {result.code}: "{name}"{_said(result)}'


def diagnostic(result: Result, text: str) -> str:
    """What a report quotes as the command's own words: its output, if there was any, else what its end means.

    :param text: as `verdict` gave it.
    """
    output = visible(result.output)
    return output if output and f". Command output: {output}" in text else text


def _said(result: Result) -> str:
    return f". Command output: {visible(result.output)}" if result.output else ""
