"""Local submission: a message from standard input into the maildrop, and a word to the server if one runs."""

from __future__ import annotations

import contextlib
import io
import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from mailer.commands.instance import Instance
from mailer.message.address import split
from mailer.message.envelope import Notify, Recipient
from mailer.message.mailboxes import parse
from mailer.receive.maildrop import Submission, TooBig, drop, to_crlf

__all__ = ["Fatal", "poke", "submit"]

_CHUNK = 1 << 16
_MOST_HEADER = 1 << 24
_MBOX_LINE = re.compile(rb">*From ")
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_TO = (b"to", b"cc", b"bcc")


class Fatal(Exception):
    """The message was not submitted; the text says why."""


def submit(
    submission: Submission,
    sender: str,
    recipients: list[str],
    stream: BinaryIO | None,
    directory: str | None,
    extract: bool,
    dots: bool,
    notify: Notify,
    verp: str | None,
    warn: Callable[[str], None],
) -> None:
    """Read a message and make it durable in the maildrop.

    :param sender: RFC 5322 address, or "" or "<>".
    :param recipients: words of the command line, each an RFC 5322 address list.
    :param stream: None: a message for an address probe, which nobody will see (sendmail -bv).
    :param directory: configuration directory, None for the default.
    :param extract: add the recipients named in the header (-t).
    :param dots: a line with only a dot ends the message.
    :param verp: the two delimiters of variable envelope return paths, "" for the default ones, None for no VERP.
    :raise Fatal: nothing was submitted.
    """
    instance = Instance.open(directory, Fatal)
    settings = instance.settings
    if verp is not None:
        submission.verp = _delimiters(verp or settings.default_verp_delimiters, settings.verp_delimiter_filter)
    submission.sender = _sender(sender, warn)
    # A word without any address stands for the null address, as in Postfix; empty_address_recipient gets its mail.
    found = [address for word in recipients for address in _addresses(word) or [""]]
    lines = _without_mbox_lines(stream or io.BytesIO(_probe(submission.sender, recipients)))
    content: Iterable[bytes]
    if extract:
        header, body = _header(lines)
        found += _named_in(header)
        content = _chain(header, body)
        complaint = "No recipient addresses found in message header"
    else:
        content = lines
        complaint = "Recipient addresses must be specified on the command line or via the -t option"
    if not found:
        raise Fatal(f"{submission.sender}({os.getuid()}): {complaint}")
    submission.recipients = [Recipient(address, address, notify) for address in found]
    submission.smtputf8 = not all(text.isascii() for text in (submission.sender, *found))
    limit = settings.message_size_limit
    try:
        drop(instance.maildrop, submission, to_crlf(_until_dot(content) if dots else content), limit)
    except TooBig:
        raise Fatal(f"{submission.sender}({os.getuid()}): message file too big") from None
    except OSError as error:
        raise Fatal(f"{instance.maildrop}: {error.strerror}") from error
    poke(instance.pickup_socket)


def poke(path: str) -> None:
    """Tell a running server that something has arrived; if none runs, it finds it when it starts."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        sock.setblocking(False)
        sock.sendto(b"W", path)


def _delimiters(text: str, allowed: str) -> str:
    if len(text) != 2 or not set(text) <= set(allowed):
        raise Fatal(f"-V requires two characters from {allowed}")
    return text


def _probe(sender: str, recipients: list[str]) -> bytes:
    to = ",\n\t".join(recipients)
    return f"From: {sender}\nSubject: probe\nTo:\t{to}\n".encode("utf-8", "surrogateescape")


def _addresses(text: str) -> list[str]:
    return [address.internal for address in parse(text).addresses]


def _sender(text: str, warn: Callable[[str], None]) -> str:
    if text.strip() in ("", "<>"):
        return ""
    found = _addresses(text)
    if len(found) != 1:
        warn(f"-f option specified malformed sender: {text}")
    return found[0] if found else ""


def _without_mbox_lines(stream: BinaryIO) -> Iterator[bytes]:
    """The message in pieces, first its first line; mbox ``From `` lines at the top are not part of it."""
    line = stream.readline(_CHUNK)
    while _MBOX_LINE.match(line):
        while line and not line.endswith(b"\n"):
            line = stream.readline(_CHUNK)
        line = stream.readline(_CHUNK)
    while line:
        yield line
        line = stream.readline(_CHUNK)


def _until_dot(lines: Iterable[bytes]) -> Iterator[bytes]:
    fresh = True
    for line in lines:
        if fresh and line.rstrip(b"\r\n") == b"." and line.endswith(b"\n"):
            return
        yield line
        fresh = line.endswith(b"\n")


def _header(lines: Iterator[bytes]) -> tuple[list[bytes], Iterator[bytes]]:
    """The header's lines with the first line after it, and the rest."""
    header = []
    size = 0
    for line in lines:
        header.append(line)
        size += len(line)
        if size > _MOST_HEADER:
            raise Fatal("message header too big")
        if not (line[:1] in b" \t" and len(header) > 1) and not _FIELD.match(line):
            break
    return header, lines


def _named_in(lines: list[bytes]) -> list[str]:
    """Recipients of To, Cc and Bcc, or of their Resent- forms when the message is resent (RFC 5322 3.6.6)."""
    fields: list[tuple[bytes, bytes]] = []
    for line in lines:
        if line[:1] in b" \t" and fields:
            name, value = fields[-1]
            fields[-1] = (name, value + line)
        elif match := _FIELD.match(line):
            fields.append((match[1].lower(), match[2]))
    resent = any(name.startswith(b"resent-") for name, _ in fields)
    wanted = tuple(b"resent-" + name for name in _TO) if resent else _TO
    found = []
    for name, value in fields:
        if name in wanted:
            found += _addresses(value.decode("utf-8", "surrogateescape"))
    return [address for address in found if split(address)[0]]


def _chain(header: list[bytes], rest: Iterator[bytes]) -> Iterator[bytes]:
    yield from header
    yield from rest
