"""A file whose parsed content stays current while the service runs.

The file is looked at no more than once a second, when somebody asks. A changed one is parsed at once if it is small, else
on a thread, and the old content answers until the new one is there; so no lookup fails in between. A version that cannot
be read is logged and the old content kept. A file that changed less than a second ago may still be being written, and
half of it would make addresses look unknown, so it is left alone until the next look.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from mailer.config.errors import ConfigError
from mailer.tables.text import string

__all__ = ["Constant", "Watched", "signature"]

Content = TypeVar("Content")

#: Seconds between two looks.
INTERVAL = 1.0
#: Octets up to which a changed file is parsed in the reactor's thread.
SMALL = 64 * 1024


def signature(status: os.stat_result) -> tuple[int, ...]:
    """What differs when a file was changed or replaced."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class Constant(Generic[Content]):
    """Content that never changes, in the shape of a watched file."""

    def __init__(self, content: Content) -> None:
        self._content = content

    def current(self) -> Content:
        return self._content


class Watched(Generic[Content]):
    """``current()`` is the content of ``path`` as ``parse(text, warn)`` made it.

    :param context: gives clock, threads and log.
    :param parse: ``warn(text)`` takes complaints about single lines.
    :param threads: whether ``parse`` may be called in any thread; else a large file is parsed in the reactor's, too.
    :raise ConfigError: the file cannot be read now; the text begins with ``verb`` (``open database``).
    """

    def __init__(
        self,
        path: str,
        context: Any,
        parse: Callable[[str, Callable[[str], None]], Content],
        verb: str = "open",
        threads: bool = True,
    ) -> None:
        self._threads = threads
        self._path = path
        self._context = context
        self._parse = parse
        self._reactor = context.reactor
        self._due = self._reactor.seconds() + INTERVAL
        self._loading = False
        self._complained: str = ""
        try:
            self._signature, self._content, warnings = self._read()
        except IsADirectoryError as error:
            raise ConfigError(f"read {path}: {error.strerror}") from error
        except OSError as error:
            raise ConfigError(f"{verb} {path}: {error.strerror}") from error
        self._tell(warnings)

    def current(self) -> Content:
        if self._reactor.seconds() >= self._due:
            self._look()
        return self._content

    def _read(self) -> tuple[tuple[int, ...], Content, list[str]]:
        warnings: list[str] = []
        with open(self._path, "rb") as file:
            before = os.fstat(file.fileno())
            data = file.read()
        return signature(before), self._parse(string(data), warnings.append), warnings

    def _look(self) -> None:
        self._due = self._reactor.seconds() + INTERVAL
        if self._loading:
            return
        try:
            status = os.stat(self._path)
        except OSError as error:
            self._complain(error)
            return
        if signature(status) == self._signature or 0 <= self._context.seconds() - status.st_mtime < INTERVAL:
            return
        pool = getattr(self._reactor, "getThreadPool", None)
        if status.st_size <= SMALL or pool is None or not self._threads:
            self._load()
        else:
            self._loading = True
            pool().callInThreadWithCallback(self._loaded_elsewhere, self._read)

    def _load(self) -> None:
        try:
            result = self._read()
        except BlockingIOError:
            return  # somebody who writes holds its lock; the next look is soon enough
        except (OSError, ConfigError) as error:
            self._complain(error)
        else:
            self._take(*result)

    def _loaded_elsewhere(self, success: bool, result: Any) -> None:
        self._reactor.callFromThread(self._finish, success, result)

    def _finish(self, success: bool, result: Any) -> None:
        self._loading = False
        if success:
            self._take(*result)
        elif not result.check(BlockingIOError):
            self._complain(result.value)

    def _take(self, new: tuple[int, ...], content: Content, warnings: list[str]) -> None:
        self._signature, self._content, self._complained = new, content, ""
        self._tell(warnings)

    def _complain(self, error: Exception) -> None:
        text = (isinstance(error, OSError) and error.strerror) or str(error)
        if text != self._complained:
            self._complained = text
            self._context.log.warning(f"{self._path} has changed and cannot be read, going on with what it was: {text}")

    def _tell(self, warnings: list[str]) -> None:
        for text in warnings:
            self._context.log.warning(text)
