"""sendmail(1): the command that every program calls to send mail.

Options are Sendmail's as Postfix understands them; a fatal error exits with 75, as Postfix's sendmail always does, so that
callers try again. Without options that say otherwise a message is read from standard input into the maildrop
(``mailer.receive.maildrop``), which works whether or not a server runs.
"""

from __future__ import annotations

import os
import pwd
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mailer.commands.instance import Instance
from mailer.commands.submission import Fatal, submit
from mailer.commands.toollog import note
from mailer.message.envelope import Notify
from mailer.receive.maildrop import Submission

__all__ = ["main"]

EX_TEMPFAIL = 75
_OPTIONS = "A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:qr:tvx"
_NOTIFY = {"success": Notify.SUCCESS, "failure": Notify.FAILURE, "delay": Notify.DELAY, "never": Notify.NEVER}


@dataclass
class _Invocation:
    """What the command line asks for."""

    mode: str = "enqueue"  # enqueue, ignore, smtp, list, newaliases, start, flush, flush-id, flush-site
    config: str = ""
    sender: str | None = None
    fullname: str | None = None
    extract: bool = False  # -t
    dots: bool = True  # a lone dot ends the message
    notify: Notify = Notify.UNSET
    verify: bool = False
    verbose: int = 0
    alias_files: list[str] = field(default_factory=list)
    site: str = ""
    verp: str | None = None  # the delimiters of -XV, "" for the default ones
    values: dict[str, str | bool] = field(default_factory=dict)  # further Submission fields
    recipients: list[str] = field(default_factory=list)

    def log(self, severity: str, text: str) -> None:
        """To the mail log of the instance, if there is one."""
        try:
            settings = Instance.open(_directory(self.config) if self.config else None, Fatal).settings
        except Fatal:
            return
        note(settings, "sendmail", severity, text)

    def warn(self, text: str) -> None:
        print(f"sendmail: warning: {text}", file=sys.stderr)
        self.log("warning", text)


def main(argv: list[str] | None = None) -> None:
    """Console entry point; the name it was called by may choose the mode (mailq, newaliases)."""
    program = os.path.basename(sys.argv[0])
    arguments = sys.argv[1:] if argv is None else argv
    invocation = _Invocation(mode={"mailq": "list", "newaliases": "newaliases"}.get(program, "enqueue"))
    try:
        _parse(arguments, invocation)
        status = _run(invocation)
    except Fatal as error:
        print(f"sendmail: fatal: {error}", file=sys.stderr)
        invocation.log("fatal", str(error))
        status = EX_TEMPFAIL
    sys.exit(status)


def _parse(arguments: list[str], invocation: _Invocation) -> None:
    left = list(arguments)
    while left and left[0].startswith("-") and left[0] != "-":
        word = left.pop(0)
        if word == "--":
            break
        word = _old_verp(invocation, word, left)
        for letter, argument in _split(word[1:], left):
            action = _ACTIONS.get(letter)
            if action is not None:
                action(invocation, argument)
    invocation.recipients = left


def _old_verp(invocation: _Invocation, word: str, following: list[str]) -> str:
    """-V was once what -XV is now: two delimiters, or none where the next word has two characters."""
    if (word == "-V" and following and len(following[0]) == 2) or (len(word) == 4 and word.startswith("-V")):
        invocation.warn(f"option {word} is deprecated with Postfix 2.3; specify -X{word[1:]} instead")
        return f"-X{word[1:]}"
    return word


def _split(letters: str, following: list[str]) -> Iterator[tuple[str, str]]:
    """The options of one word, getopt's way; the module getopt knows no optional argument, which -q has."""
    while letters:
        letter, letters = letters[0], letters[1:]
        at = -1 if letter == ":" else _OPTIONS.find(letter)
        if at < 0:
            raise _misused(f"invalid option -- '{letter}'")
        if letter != "q" and _OPTIONS[at + 1 : at + 2] != ":":
            yield letter, ""
            continue
        if letter != "q" and not letters:
            if not following:
                raise _misused(f"option requires an argument -- '{letter}'")
            letters = following.pop(0)
        yield letter, letters
        return


def _misused(complaint: str) -> Fatal:
    """Said twice, as Postfix's sendmail reads its options twice."""
    for _ in range(2):
        print(f"sendmail: {complaint}", file=sys.stderr)
    return Fatal("usage: sendmail [options]")


def _queue_option(invocation: _Invocation, argument: str) -> None:
    if not argument:
        invocation.mode = "flush"
    elif argument[0] in "IR":
        if len(argument) < 2:
            raise Fatal(f"specify: -q{argument[0]}{'queueid' if argument[0] == 'I' else 'sitename'}")
        invocation.mode = {"I": "flush-id", "R": "flush-site"}[argument[0]]
        invocation.site = argument[1:]
    elif argument[0].isdigit():
        invocation.mode = "start"
    else:
        raise Fatal(f"-q{argument[0]} is not implemented")


def _body(invocation: _Invocation, argument: str) -> None:
    if argument.upper() not in ("7BIT", "8BITMIME"):
        raise Fatal("-B option needs 8BITMIME or 7BIT")
    invocation.values["body"] = argument.upper()


def _mode(invocation: _Invocation, argument: str) -> None:
    modes = {"i": "newaliases", "p": "list", "s": "smtp", "d": "start", "l": "start", "h": "ignore", "H": "ignore"}
    letter = argument[:1]
    if letter in modes:
        invocation.mode = modes[letter]
    elif letter == "v":
        invocation.verify = True
    elif letter == "m":
        invocation.mode = "enqueue"
    else:
        raise Fatal(f"unsupported: -b{argument}")


def _dsn(invocation: _Invocation, argument: str) -> None:
    wanted = Notify.UNSET
    for word in re.split(r"[\s,]+", argument.strip()):
        flag = _NOTIFY.get(word.lower())
        if not word:
            continue
        if flag is None:
            invocation.warn(f'unknown DSN NOTIFY command value "{word}" in "{argument}"')
            invocation.warn("bad -N option value -- ignored")
            return
        wanted |= flag
    if not wanted or (wanted & Notify.NEVER and wanted != Notify.NEVER):
        invocation.warn("bad -N option value -- ignored")
        return
    invocation.notify = wanted


def _return(invocation: _Invocation, argument: str) -> None:
    if argument.lower() not in ("full", "hdrs"):
        invocation.warn("bad -R option value -- ignored")
    else:
        invocation.values["ret"] = argument.upper()


def _envid(invocation: _Invocation, argument: str) -> None:
    if len(argument) > 100:
        invocation.warn("too long -V option value -- ignored")
    elif not argument or not argument.isprintable() or not argument.isascii():
        invocation.warn("bad syntax in -V option value -- ignored")
    else:
        invocation.values["envid"] = argument


def _extension(invocation: _Invocation, argument: str) -> None:
    if argument[:1] != "V":
        raise Fatal(f"unsupported: -X{argument[:1]}")
    invocation.verp = argument[1:]


def _alone(invocation: _Invocation, argument: str) -> None:
    raise Fatal("-n option not supported")


def _other(invocation: _Invocation, argument: str) -> None:
    if argument[:1] == "A":
        if len(argument) < 2:
            raise Fatal("-oA requires pathname")
        invocation.alias_files.append(argument[1:])
    elif argument == "i":
        invocation.dots = False


def _set(name: str, value: object = None) -> Callable[[_Invocation, str], None]:
    def action(invocation: _Invocation, argument: str) -> None:
        setattr(invocation, name, argument if value is None else value)

    return action


def _verbose(invocation: _Invocation, argument: str) -> None:
    invocation.verbose += 1


def _gateway(invocation: _Invocation, argument: str) -> None:
    invocation.values["gateway"] = True


#: What is not named here is accepted and ignored, as sendmail(1) says.
_ACTIONS: dict[str, Callable[[_Invocation, str], None]] = {
    "B": _body,
    "C": _set("config"),
    "F": _set("fullname"),
    "G": _gateway,
    "I": _set("mode", "newaliases"),
    "N": _dsn,
    "R": _return,
    "V": _envid,
    "X": _extension,
    "b": _mode,
    "f": _set("sender"),
    "i": _set("dots", False),
    "n": _alone,
    "o": _other,
    "q": _queue_option,
    "r": _set("sender"),
    "t": _set("extract", True),
    "v": _verbose,
}


#: What takes no recipients.
_ALONE = {
    "smtp": "stand-alone mode",
    "list": "display queue mode",
    "newaliases": "alias initialization mode",
    "start": "daemon mode",
    "flush": "flush queue mode",
}


def _run(invocation: _Invocation) -> int:
    config = ["-c", _directory(invocation.config)] if invocation.config else []
    if invocation.extract and invocation.mode != "enqueue":
        raise Fatal("-t can be used only in delivery mode")
    if invocation.mode == "enqueue":
        return _enqueue(invocation)
    if invocation.recipients and invocation.mode in _ALONE:
        raise Fatal(f"{_ALONE[invocation.mode]} requires no recipient")
    if invocation.mode == "smtp":
        from mailer.commands.standalone import serve

        return serve(_directory(invocation.config) if invocation.config else None)
    if invocation.mode == "ignore":
        return 0
    if invocation.mode == "start":
        raise Fatal("the server is started with: twistd mailer")
    if invocation.mode == "newaliases":
        from mailer.commands import postalias

        return _call(postalias.main, config + invocation.alias_files) if invocation.alias_files else _newaliases(config)
    from mailer.commands import postqueue

    flags = {
        "list": ["-p"],
        "flush": ["-f"],
        "flush-id": ["-i", invocation.site],
        "flush-site": ["-s", invocation.site],
    }
    return _call(postqueue.main, config + flags[invocation.mode])


def _newaliases(config: list[str]) -> int:
    from mailer.commands import newaliases

    return _call(newaliases.main, config)


def _call(command: Callable[[list[str]], object], arguments: list[str]) -> int:
    """Another tool's exit status, whether it returns or exits."""
    try:
        status = command(arguments)
    except SystemExit as end:
        status = end.code
    return status if isinstance(status, int) else 0 if status is None else 1


def _directory(path: str) -> str:
    """-C names main.cf or its directory."""
    return (os.path.dirname(path) or ".") if os.path.isfile(path) else path


def _enqueue(invocation: _Invocation) -> int:
    if invocation.verify and invocation.extract:
        raise Fatal("-t option cannot be used with -bv")
    account = _account()
    submission = Submission(
        sender="", fullname=invocation.fullname if invocation.fullname is not None else _full_name(account)
    )
    for name, value in invocation.values.items():
        setattr(submission, name, value)
    submission.probe = "verify" if invocation.verify else "trace" if invocation.verbose == 1 else ""
    sender = account.pw_name if account and invocation.sender is None else invocation.sender
    if sender is None:
        raise Fatal(f"unable to find the login name of user id {os.getuid()}: use -f")
    submit(
        submission,
        sender,
        invocation.recipients,
        sys.stdin.buffer if not invocation.verify else None,
        directory=_directory(invocation.config) if invocation.config else None,
        extract=invocation.extract,
        dots=invocation.dots,
        notify=invocation.notify,
        verp=invocation.verp,
        warn=invocation.warn,
    )
    if submission.probe:
        print(f"Mail Delivery Status Report will be mailed to <{submission.sender}>.")
    return 0


def _account() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(os.getuid())
    except KeyError:
        return None


def _full_name(account: pwd.struct_passwd | None) -> str:
    """$NAME, or the gecos field's first part with ``&`` for the login name."""
    name = os.environ.get("NAME")
    if name is not None:
        return name
    if account is None:
        return ""
    return account.pw_gecos.partition(",")[0].replace("&", account.pw_name.capitalize())
