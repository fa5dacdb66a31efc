"""The log lines of the SMTP server, each in one place, as log analysers know them from Postfix's smtpd(8).

Text only: nobody here decides whether something is logged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mailer.message.address import quote
from mailer.message.envelope import Client

__all__ = [
    "bad_address",
    "bad_chunk",
    "broken_off",
    "chunk_too_big",
    "connect",
    "decision",
    "disconnect",
    "discarded_keywords",
    "empty_chunk",
    "etrn_rejected",
    "handed_over",
    "login",
    "login_failed",
    "no_command",
    "not_etrn_domain",
    "over_limit",
    "pipelining",
    "rejected",
    "replaced",
    "too_big",
]

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL = {code: f"\\{code:03o}" for code in (*range(32), *range(127, 256))}
_CONTROL.update({7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 92: "\\\\"})


def connect(client: str) -> str:
    return f"connect from {client}"


def disconnect(client: str, counts: Iterable[tuple[str, int, int]]) -> str:
    """:param counts: command, how often it succeeded, how often it was given; in Postfix's order."""
    words = []
    all_good = all_given = 0
    for name, good, given in counts:
        if given:
            words.append(f"{name}={good}" if good == given else f"{name}={good}/{given}")
            all_good += good
            all_given += given
    total = f"{all_good}" if all_good == all_given and all_given else f"{all_good}/{all_given}"
    return f"disconnect from {client} {' '.join([*words, f'commands={total}'])}"


def broken_off(reason: str, where: str, client: str, octets: int | None = None) -> str:
    """:param reason: ``lost connection``, ``timeout`` or ``too many errors``. :param octets: of content, at DATA or BDAT."""
    return f"{reason} after {where}{'' if octets is None else f' ({octets} bytes)'} from {client}"


def pipelining(command: str, client: str, octets: bytes) -> str:
    """:param octets: the first that came too early, at most 100."""
    return f"improper command pipelining after {command} from {client}: {escaped(octets)}"


def escaped(octets: bytes) -> str:
    return octets.decode("latin-1").translate(_CONTROL)


def no_command(client: str, line: str) -> str:
    return f"non-SMTP command from {client}: {line[:100]}"


def replaced(client: str, line: str, by: str) -> str:
    return f'{client}: replacing command "{line[:100]}" with "{by[:100]}"'


def bad_address(client: str, command: str, text: str) -> str:
    return f"Illegal address syntax from {client} in {command} command: {text}"


def rejected(
    queue_id: str,
    where: str,
    client: str,
    text: str,
    *,
    sender: str | None = None,
    recipient: str = "",
    protocol: str = "",
    helo: str = "",
    action: str = "reject",
) -> str:
    """Addresses in internal form; ``sender`` is None outside a transaction."""
    line = f"{queue_id or 'NOQUEUE'}: {action}: {where} from {client}: {_UNPRINTABLE.sub(' ', text)};"
    return line + _about(sender, recipient, protocol, helo)


def handed_over(action: str, text: str, sender: str, recipient: str, protocol: str, helo: str) -> str:
    """What a before-queue filter said in the end."""
    return f"{action}: END-OF-MESSAGE: {_UNPRINTABLE.sub(' ', text)};{_about(sender, recipient, protocol, helo)}"


def _about(sender: str | None, recipient: str, protocol: str, helo: str) -> str:
    line = ""
    if sender is not None:
        line += f" from=<{quote(sender)}>"
    if recipient:
        line += f" to=<{quote(recipient)}>"
    if protocol:
        line += f" proto={protocol}"
    if helo:
        line += f" helo=<{helo}>"
    return line


def decision(queue_id: str, where: str, client: str, action: str, text: str, **more: str | None) -> str:
    """What a check decided short of a refusal: hold, filter, redirect, warn, permit ..."""
    return rejected(queue_id, where, client, text, action=action, **more)  # type: ignore[arg-type]


def over_limit(what: str, count: int, client: str, service: str) -> str:
    """:param what: ``Connection concurrency``, ``Message delivery request rate`` ..."""
    return f"{what} limit exceeded: {count} from {client} for service {service}"


def too_big(queue_id: str) -> str:
    return f"{queue_id or 'NOQUEUE'}: queue file size limit exceeded"


def login(client: Client) -> str:
    """What follows the client when the log names a message's origin."""
    named = (
        ("sasl_method", client.sasl_method),
        ("sasl_username", client.sasl_username),
        ("sasl_sender", client.sasl_sender),
    )
    return "".join(f", {name}={value}" for name, value in named if value)


def login_failed(client: str, mechanism: str, reason: str, username: str) -> str:
    return f"{client}: SASL {mechanism} authentication failed: {reason}, sasl_username={username or '(unavailable)'}"


def bad_chunk(queue_id: str, client: str, line: str) -> str:
    return f"{queue_id or 'NOQUEUE'}: malformed BDAT command syntax from {client}: {line[:100]}"


def empty_chunk(queue_id: str, client: str) -> str:
    return f"{queue_id or 'NOQUEUE'}: null BDAT request from {client}"


def chunk_too_big(queue_id: str, client: str) -> str:
    return f"{queue_id or 'NOQUEUE'}: BDAT request from {client} exceeds message size limit"


def discarded_keywords(words: Iterable[str]) -> str:
    return f"discarding EHLO keywords: {' '.join(words)}"


def etrn_rejected(domain: str, client: str) -> str:
    return f"reject: ETRN {domain[:100]}... from {client}"


def not_etrn_domain(domain: str, client: str) -> str:
    return f"bad ETRN {domain[:100]}... from {client}"
