"""postconf(1): show and change the configuration.

Reads the command line and leads to the modules beside this one; output and exit status are the reference's.
"""

from __future__ import annotations

import getopt
import os
import sys
from collections.abc import Callable

from mailer.commands.instance import default_config_directory
from mailer.commands.postconf_change import change_entries, change_fields, change_main, change_overrides
from mailer.commands.postconf_features import show_locks, show_sasl, show_tables, show_templates, show_tls
from mailer.commands.postconf_master import show_entries, show_fields, show_overrides
from mailer.commands.postconf_show import CLASSES, Look, show_parameters
from mailer.commands.postconf_source import Fatal, Source, fatal
from mailer.config.errors import ConfigError
from mailer.config.maincf import split_setting

__all__ = ["main"]

_OPTIONS = "aAbc:C:defFhHlmMno:pPtT:vxX#"
_USAGE = (
    "usage: {program} [-a (server SASL types)] [-A (client SASL types)] [-b (bounce templates)] [-c config_dir] [-C param_class]"
    " [-d (parameter defaults)] [-e (edit configuration)] [-f (fold lines)] [-F (master.cf fields)] [-h (no names)]"
    " [-H (no values)] [-l (lock types)] [-m (map types)] [-M (master.cf)] [-n (non-default parameters)]"
    " [-o name=value (override parameter value)] [-p (main.cf, default)] [-P (master.cf parameters)]"
    " [-t (bounce templates)] [-T compile-version|run-version|public-key-algorithms] [-v (verbose)]"
    " [-x (expand parameter values)] [-X (exclude)] [-# (comment-out)] [name...]"
)
#: What to work on; one of them, p when none is given. The order is that of messages.
_SUBJECTS = "aAbFlmMpPtT"
_EDITS = "eX#"
#: No two options of a group go together.
_GROUPS = (_SUBJECTS, "denX#", "deoX#", "efX#", "ehHX#", "exX#")
_ORDER = "aAbdefFhHlmMnopPtTxX#"
#: Options that mean nothing for a subject.
_POINTLESS = {
    "M": "dhHn",
    "F": "dnX#",
    "P": "dn#",
    **dict.fromkeys("aAblmtT", "defhHnoxX#"),
}


def main(argv: list[str] | None = None) -> int:
    """Run the command; the arguments are without the program's name. Returns the exit status."""
    program = sys.argv[0]
    try:
        return _run(sys.argv[1:] if argv is None else argv, program)
    except Fatal as error:
        if str(error):
            print(f"postconf: fatal: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read the output has gone; nothing is to be written when Python closes it, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run(argv: list[str], program: str) -> int:
    try:
        given, words = getopt.getopt(argv, _OPTIONS)
    except getopt.GetoptError as error:
        complaint = "option requires an argument" if "requires" in error.msg else "invalid option"
        print(f"postconf: {complaint} -- '{error.opt}'", file=sys.stderr)
        fatal(_USAGE.format(program=program))
    options = {letter[1] for letter, _ in given} - {"v"}
    directory = _last(given, "-c")
    classes = _classes(_last(given, "-C"))
    overrides = dict(_override(value) for letter, value in given if letter == "-o")
    if not options & set("aAblmtT") and any("=" in word for word in words):
        options.add("e")
    _refuse_conflicts(options)
    subject = next((letter for letter in _SUBJECTS if letter in options), "p")
    source = Source(
        directory or default_config_directory(),
        explicit_directory=bool(directory or os.environ.get("MAIL_CONFIG")),
        overrides=overrides,
        defaults_only="d" in options,
        need_master=subject in "MFP",
    )
    action = next((letter for letter in _EDITS if letter in options), "")
    if action:
        return _change(source, subject, action, words)
    return _show(source, subject, options, words, classes, _last(given, "-T") or "")


def _last(given: list[tuple[str, str]], option: str) -> str | None:
    return next((value for letter, value in reversed(given) if letter == option), None)


def _classes(text: str | None) -> frozenset[str]:
    chosen = frozenset((text or "all").replace(",", " ").split()) or frozenset({"all"})
    for name in chosen:
        if name not in CLASSES:
            fatal(f'unknown -C option value "{name}" in "{text}"')
    return chosen


def _override(text: str) -> tuple[str, str]:
    try:
        return split_setting(text)
    except ConfigError as error:
        fatal(f"invalid parameter override: {text}: {error.problem.partition(':')[0]}")


def _refuse_conflicts(options: set[str]) -> None:
    for group in _GROUPS:
        clash = [letter for letter in _ORDER if letter in options and letter in group]
        if len(clash) > 1:
            fatal("specify one of " + " ".join(f"-{letter}" for letter in clash))
    for subject in _SUBJECTS:
        if subject in options:
            pointless = [letter for letter in _ORDER if letter in options and letter in _POINTLESS.get(subject, "")]
            if pointless:
                fatal(f"with option -{subject}, do not specify " + " ".join(f"-{letter}" for letter in pointless))


def _change(source: Source, subject: str, action: str, words: list[str]) -> int:
    if not words:
        fatal("-e requires name=value argument" if action == "e" else "missing service argument")
    change = {"M": change_entries, "F": change_fields, "P": change_overrides}.get(subject, change_main)
    change(source, words, action)
    return 0


def _show(source: Source, subject: str, options: set[str], words: list[str], classes: frozenset[str], mode: str) -> int:
    out: Callable[[str], None] = print
    look = Look(options)
    if subject in "aA":
        show_sasl(subject == "a", out)
        return 0
    if subject == "l":
        show_locks(out)
    elif subject == "m":
        show_tables(out)
    elif subject in "bt":
        show_templates(source, words, subject == "b", out)
    elif subject == "T":
        show_tls(mode, out)
    else:
        _show_configuration(source, subject, look, words, classes, "n" in options, out)
    return 0


def _show_configuration(
    source: Source,
    subject: str,
    look: Look,
    words: list[str],
    classes: frozenset[str],
    set_only: bool,
    out: Callable[[str], None],
) -> None:
    if not source.defaults_only:
        source.warn_undefined()
    if subject == "p":
        show_parameters(source, words, look, classes, set_only=set_only, out=out)
    else:
        show = {"M": show_entries, "F": show_fields, "P": show_overrides}[subject]
        show(source, words, look, out)
    if not source.defaults_only:
        source.warn_unused()
