"""Run a command with a message on its standard input, within a time limit. Blocking, in the rights of this process.

The command leads a session of its own; when its time is over all of its process group is killed. Output beyond what is
kept is read and thrown away, so that a talkative command does not block. A command need not read its input.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator

from mailer.deliver.command.command import Command, Result
from mailer.deliver.mailbox.content import mark_from, stuff_dots, unix_lines

__all__ = ["run"]

_MOST_OUTPUT = 4096
_PIECE = 1 << 16


class _Expired(Exception):
    """The time is over; the argument says during what."""


def run(command: Command, pieces: Iterable[bytes]) -> Result:
    """:param pieces: content with CRLF line ends."""
    try:
        process = _start(command, command.directory or "/")
    except OSError as error:
        return _not_started(command, error)
    exchange = _Exchange(process, time.monotonic() + command.time_limit)
    with process:
        try:
            exchange.feed(_input(command, pieces))
            code = exchange.finish()
        except _Expired as expired:
            return Result(output=exchange.text, expired=str(expired))
        finally:
            _kill(process)
    return Result(max(code, 0), max(-code, 0), exchange.text)


def _start(command: Command, directory: str) -> subprocess.Popen[bytes]:
    try:
        return _execute(command, directory)
    except OSError as error:
        if command.anywhere and error.filename == directory != "/":
            return _execute(command, "/")
        raise


def _execute(command: Command, directory: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command.arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=directory,
        env=command.environment,
        start_new_session=True,
        bufsize=0,
        umask=0o077,
    )


def _not_started(command: Command, error: OSError) -> Result:
    why = os.strerror(error.errno or 0)
    if command.directory and error.filename == command.directory:
        where = f'cannot change directory to "{command.directory}" for uid={os.geteuid()} gid={os.getegid()}'
        return Result(failure=f"{where}: {why}", hidden=True)
    return Result(failure=f"pipe_command: execvp {command.arguments[0]}: {why}")


def _input(command: Command, pieces: Iterable[bytes]) -> Iterator[bytes]:
    lines: Iterable[bytes] = unix_lines(pieces)
    if command.mark_from:
        lines = mark_from(lines)
    if command.dots:
        lines = stuff_dots(lines)
    end = os.fsencode(command.end_of_line)
    for piece in _between(os.fsencode(command.head), lines, os.fsencode(command.tail)):
        yield piece if end == b"\n" else piece.replace(b"\n", end)


def _between(head: bytes, lines: Iterable[bytes], tail: bytes) -> Iterator[bytes]:
    if head:
        yield head
    yield from lines
    if tail:
        yield tail


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End all of a command that has not ended by itself."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            process.kill()


class _Exchange:
    """Input goes in and output comes out, whichever the command is ready for."""

    def __init__(self, process: subprocess.Popen[bytes], deadline: float) -> None:
        self._process = process
        self._deadline = deadline
        self._output = bytearray()
        self._selector = selectors.DefaultSelector()
        self._selector.register(process.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]
        os.set_blocking(process.stdin.fileno(), False)  # type: ignore[union-attr]

    @property
    def text(self) -> str:
        return self._output.decode("utf-8", "surrogateescape")

    def feed(self, pieces: Iterable[bytes]) -> None:
        """Give it the message, then end of file. What it does not want is left in ``pieces``."""
        stdin = self._process.stdin
        assert stdin is not None
        self._selector.register(stdin, selectors.EVENT_WRITE)
        try:
            with contextlib.suppress(BrokenPipeError):
                for piece in pieces:
                    self._write(memoryview(piece))
        finally:
            self._selector.unregister(stdin)
            with contextlib.suppress(BrokenPipeError):
                stdin.close()

    def _write(self, data: memoryview) -> None:
        stdin = self._process.stdin
        while data:
            for key, _ in self._ready("write"):
                if key.fileobj is stdin:
                    data = data[os.write(key.fd, data[:_PIECE]) :]
                else:
                    self._read()

    def finish(self) -> int:
        """Read to the end of its output and wait for its own. :return: as Popen.returncode."""
        while self._process.stdout in {key.fileobj for key in self._selector.get_map().values()}:
            self._ready("read")
            self._read()
        self._selector.close()
        try:
            return self._process.wait(max(self._deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            raise _Expired("child wait") from None

    def _ready(self, what: str) -> list[tuple[selectors.SelectorKey, int]]:
        left = self._deadline - time.monotonic()
        ready = self._selector.select(max(left, 0))
        if not ready:
            raise _Expired(what)
        return ready

    def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        data = os.read(stdout.fileno(), _PIECE)
        if not data:
            self._selector.unregister(stdout)
        self._output += data[: max(_MOST_OUTPUT - len(self._output), 0)]
