"""postcat(1): show a queued message.

With ``-q`` names are queue ids. Without it they are files in Postfix's queue file format, which this mail system does not
write: they are refused as Postfix refuses what is no queue file. ``-r`` and ``-s`` are about that file format and do nothing.
"""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from mailer.commands.queuetool import Fatal, Tool
from mailer.message.queueid import is_queue_id
from mailer.queue.direct import DirectQueue, NoQueue
from mailer.queue.hashed import queue_file_name
from mailer.queue.reading import Stored, Unreadable
from mailer.queue.records import Record, content_records, envelope_records, extracted_records
from mailer.queue.schema import Flag

__all__ = ["main"]

_USAGE = (
    "postcat [-b (body text)] [-c config_dir] [-d (decimal record type)] [-e (envelope records)]"
    " [-h (header text)] [-q (access queue)] [-v] [file(s)...]"
)
_HEADER_LINE = re.compile(rb"[!-9;-~]+[ \t]*:|[ \t]")
_PIECE = 1 << 18


@dataclass
class _Show:
    """What is asked for."""

    envelope: bool = False
    header: bool = False
    body: bool = False
    decimal: bool = False
    offset: bool = False


def main(argv: list[str] | None = None) -> int:
    """Console entry point. :return: the exit code."""
    tool = Tool("postcat", _USAGE, 1)
    try:
        _run(tool, sys.argv[1:] if argv is None else argv)
    except Fatal as error:
        sys.stdout.flush()
        return tool.give_up(error)
    except (sqlite3.Error, OSError) as error:
        return tool.give_up(Fatal(str(error)))
    return 0


def _run(tool: Tool, arguments: list[str]) -> None:
    options, words = tool.options(arguments, "bc:dehoqrs:v")
    letters = "".join(option[1] for option, _ in options)
    chosen = [argument for option, argument in options if option == "-c"]
    tool.configure(chosen[-1] if chosen else None)
    show = _Show("e" in letters, "h" in letters, "b" in letters, "d" in letters, "o" in letters)
    if not (show.envelope or show.header or show.body):
        show.envelope = show.header = show.body = True
    if "q" not in letters:
        _refuse(tool, words)
        return
    for word in words:
        if not is_queue_id(word):
            raise Fatal(f"bad mail queue ID: {word}")
        _show(tool, word, show)


def _refuse(tool: Tool, paths: list[str]) -> None:
    for path in paths:
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            raise Fatal(f"open {path}: {error.strerror}") from error
    for path in paths or ["stdin"]:
        tool.warn(f"{path}: input is not a valid queue file")


def _show(tool: Tool, queue_id: str, show: _Show) -> None:
    tool.become_owner()
    try:
        queue = tool.open_queue()
    except NoQueue:
        raise Fatal(f"open queue file {queue_id}: No such file or directory") from None
    except PermissionError:
        raise Fatal(f"open queue file {queue_id}: Permission denied") from None
    try:
        stored = queue.load(queue_id)
        if stored is None:
            raise Fatal(f"open queue file {queue_id}: No such file or directory")
        _print(tool, queue, stored, show)
    except (Unreadable, ValueError, TypeError) as error:
        raise Fatal(f"queue file {queue_id}: {error}") from error
    finally:
        queue.close()


class _Printer:
    """Prints records in order, counting where in a queue file they would be."""

    def __init__(self, out: BinaryIO, show: _Show) -> None:
        self._out = out
        self._show = show
        self._offset = 0

    def print(self, record: Record, wanted: bool = True) -> None:
        if wanted:
            self._prefix(record.kind)
            # A line in several pieces stands on one line again, except where offsets tell the pieces apart.
            joined = record.unfinished and not self._show.offset
            self._out.write(record.shown if joined else record.shown + b"\n")
        self._offset += record.length

    def marker(self, kind: str, text: str, length: int) -> None:
        if self._show.envelope:
            self._prefix(kind)
            self._out.write(f"*** {text} ***\n".encode())
        self._offset += length

    def _prefix(self, kind: str) -> None:
        if self._show.offset:
            self._out.write(b"%9d " % self._offset)
        if self._show.decimal:
            self._out.write(b"%3d " % ord(kind))


def _print(tool: Tool, queue: DirectQueue, stored: Stored, show: _Show) -> None:
    settings = tool.settings
    name = queue_file_name(stored.state.word, stored.queue_id, settings.hash_queue_names, settings.hash_queue_depth)
    out = sys.stdout.buffer
    if show.envelope:
        out.write(f"*** ENVELOPE RECORDS {name} ***\n".encode())
    printer = _Printer(out, show)
    warn_after = 0 if stored.flags & Flag.WARNED else settings.delay_warning_time
    for record in envelope_records(stored, queue.done(stored), warn_after):
        printer.print(record, show.envelope)
    printer.marker("M", f"MESSAGE CONTENTS {name}", 2)
    in_header = line_start = True
    for record in content_records(_lines(_pieces(queue, stored))):
        if in_header and line_start:
            in_header = _HEADER_LINE.match(record.shown) is not None
        line_start = not record.unfinished
        printer.print(record, show.header if in_header else show.body)
    printer.marker("X", f"HEADER EXTRACTED {name}", 2)
    for record in extracted_records(stored.envelope):
        printer.print(record, show.envelope)
    printer.marker("E", f"MESSAGE FILE END {name}", 2)
    out.flush()


def _pieces(queue: DirectQueue, stored: Stored) -> Iterator[bytes]:
    if stored.data is not None:
        yield stored.data
        return
    with open(queue.layout.content_file(stored.queue_id), "rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without their CRLF."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r")
    if rest:
        yield rest
