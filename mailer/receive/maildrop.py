"""The maildrop: where local users leave messages while nobody listens, as Postfix's postdrop(1) does.

One file a message: a line of JSON (the envelope), then the content with CRLF line ends. A file is written under a name that
starts with a dot, synced, and renamed; what has no dot is complete. Files come from other users, so a reader believes
nothing: it refuses links, checks every field, and takes the submitter from the file's owner.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from mailer.message.address import fold
from mailer.message.envelope import Envelope, Notify, Recipient

__all__ = [
    "Drop",
    "MalformedDrop",
    "Submission",
    "TooBig",
    "corrupt_directory",
    "drop",
    "maildrop_directory",
    "names",
    "take",
    "to_crlf",
]

_MOST_ENVELOPE = 1 << 24
_COUNTER = itertools.count()
_LINE_END = re.compile(rb"\r?\n")


def maildrop_directory(queue_directory: str) -> str:
    """Not $queue_directory/maildrop: that one may hold Postfix's files, which are none of ours."""
    return os.path.join(queue_directory, "mailer", "maildrop")


def corrupt_directory(queue_directory: str) -> str:
    """Where files go that lay in the maildrop and are no messages."""
    return os.path.join(queue_directory, "mailer", "corrupt")


class MalformedDrop(Exception):
    """The file in the maildrop is no message; the text says why."""


class TooBig(Exception):
    """The message exceeds the limit."""


@dataclass
class Submission:
    """An envelope as a local user gives it; ``uid`` is known only to the reader."""

    sender: str
    recipients: list[Recipient] = field(default_factory=list)
    fullname: str = ""
    body: str = ""
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""
    verp: str = ""
    probe: str = ""
    gateway: bool = False
    uid: int = -1

    def envelope(self, now: float) -> Envelope:
        """The envelope that the sink is given."""
        return Envelope(
            sender=self.sender,
            source="local",
            context="local" if not self.gateway else "remote",
            arrival=now,
            body=self.body,
            smtputf8=self.smtputf8,
            ret=self.ret,
            envid=self.envid,
            fullname=self.fullname,
            verp=self.verp,
            probe=self.probe,
        )


def to_crlf(chunks: Iterable[bytes]) -> Iterable[bytes]:
    """Content with LF or CRLF line ends, in pieces cut anywhere, to CRLF ones with the last line ended."""
    held = b""
    last = b"\n"
    for chunk in chunks:
        chunk = held + chunk
        # A CR at the very end may be half of a CRLF.
        held, chunk = (b"\r", chunk[:-1]) if chunk.endswith(b"\r") else (b"", chunk)
        if chunk:
            last = chunk[-1:]
            yield _LINE_END.sub(b"\r\n", chunk)
    if held:
        yield held
        last = held
    if last != b"\n":
        yield b"\r\n"


class Drop:
    """A message on its way into the maildrop, under the ``name`` that it will have. One of commit and abort ends it.

    :param limit: message_size_limit in octets, 0 for none.
    """

    def __init__(self, directory: str, limit: int = 0) -> None:
        self.name = f"{os.getpid():X}{next(_COUNTER):X}{os.urandom(6).hex().upper()}"
        self._directory = directory
        self._hidden = os.path.join(directory, "." + self.name)
        self._limit = limit
        self._size = 0
        self._file: BinaryIO | None = None

    def begin(self, submission: Submission) -> None:
        """The envelope, before any content. :raise OSError:"""
        descriptor = os.open(self._hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        if os.stat(self._directory).st_mode & stat.S_ISGID:
            # The file has the directory's group, in which is nobody but the reader.
            os.fchmod(descriptor, 0o640)
        self._file.write(_encode(submission))

    def write(self, chunk: bytes) -> None:
        """CRLF content, see `to_crlf`. :raise TooBig, OSError:"""
        assert self._file is not None
        self._size += len(chunk)
        if self._limit and self._size > self._limit:
            raise TooBig
        self._file.write(chunk)

    def commit(self) -> str:
        """When this returns the message is durable. :return: its name. :raise OSError:"""
        file = self._file
        assert file is not None
        file.flush()
        os.fsync(file.fileno())
        file.close()
        os.rename(self._hidden, os.path.join(self._directory, self.name))
        self._file = None
        _sync_directory(self._directory)
        return self.name

    def abort(self) -> None:
        """Nothing is left behind. Harmless after commit."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()  # may still want to write, on a full disk in vain
            finally:
                os.unlink(self._hidden)


def drop(directory: str, submission: Submission, content: Iterable[bytes], limit: int = 0) -> str:
    """Write a whole message into the maildrop; when this returns it is durable.

    :param content: CRLF content, see `to_crlf`.
    :param limit: message_size_limit in octets, 0 for none.
    :return: the file's name.
    :raise TooBig, OSError: nothing is left behind.
    """
    message = Drop(directory, limit)
    try:
        message.begin(submission)
        for chunk in content:
            message.write(chunk)
        return message.commit()
    except BaseException:
        message.abort()
        raise


def _sync_directory(directory: str) -> None:
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        return  # a drop box: its users may not even read it, so the name is as durable as the file system makes it
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _encode(submission: Submission) -> bytes:
    values = {name: value for name, value in vars(submission).items() if name not in ("recipients", "uid")}
    values["recipients"] = [[r.address, int(r.notify), r.orcpt] for r in submission.recipients]
    return json.dumps(values).encode() + b"\n"


def names(directory: str, limit: int) -> list[str]:
    """Up to ``limit`` complete files, oldest names first as the directory gives them."""
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                found.append(entry.name)
                if len(found) == limit:
                    break
    return sorted(found)


def take(directory: str, name: str) -> tuple[Submission, BinaryIO]:
    """Open a message: its envelope, and the file standing at its content.

    :raise FileNotFoundError: it has just gone.
    :raise MalformedDrop: it is no message.
    """
    path = os.path.join(directory, name)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise MalformedDrop(f"cannot open: {error.strerror}") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(descriptor)
        raise MalformedDrop("not a plain file with one name")
    file = os.fdopen(descriptor, "rb")
    try:
        submission = _decode(file.readline(_MOST_ENVELOPE))
        submission.uid = status.st_uid
    except BaseException:
        file.close()
        raise
    return submission, file


_STRINGS = ("sender", "fullname", "body", "ret", "envid", "verp", "probe")
_ALLOWED = {"body": ("", "7BIT", "8BITMIME"), "ret": ("", "FULL", "HDRS"), "probe": ("", "verify", "trace")}


def _decode(line: bytes) -> Submission:
    try:
        values: Any = json.loads(line)
        submission = Submission(**{name: _text(name, values[name]) for name in _STRINGS})
        submission.smtputf8 = values["smtputf8"] is True
        submission.gateway = values["gateway"] is True
        submission.recipients = [
            Recipient(_text("recipient", address), _text("recipient", address), Notify(notify), _text("orcpt", orcpt))
            for address, notify, orcpt in values["recipients"]
        ]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MalformedDrop(f"no envelope in the first line: {error!r}") from error
    return submission


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > 10_000 or any(c in value for c in "\r\n\0"):
        raise ValueError(f"{name} is no line of text")
    if value not in _ALLOWED.get(name, (value,)):
        raise ValueError(f"{name}: {fold(value)[:40]}")
    return value
