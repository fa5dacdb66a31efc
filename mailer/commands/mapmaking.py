"""Make and change the files behind lookup tables: postmap(1) without -q and -s."""

from __future__ import annotations

import base64
import io
import os
import signal
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from mailer.config.errors import ConfigError
from mailer.interfaces.table import ITableMaker
from mailer.plugins.registry import installed
from mailer.tables.opening import Tables, table_types
from mailer.tables.text import fold, string

__all__ = ["delete", "make"]

_INTERRUPTIONS = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM}
#: Types that are opened before a deletion is refused, in other words than those that are not.
_OPENED = ("static", "environ", "memcache")


def _maker(type: str) -> Any:
    return installed(ITableMaker, "lookup table type").find(type)


def make(job: Any, type: str, path: str) -> None:
    """Make the table ``type:path`` from the text in ``path``, or with -i change it by the text on standard input.

    :raise ConfigError: something cannot be read or written, or the type has no files.
    """
    if type == "proxy" and not job.incremental:
        raise ConfigError("can't create maps via the proxy service")
    if job.incremental:
        _write(job, type, path, sys.stdin.buffer, "stdin", None)
        return
    try:
        if os.path.isdir(path):  # which Postfix opens, and reads nothing from
            _write(job, type, path, io.BytesIO(), path, os.stat(path))
            return
        source = open(path, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise ConfigError(f"open {path}: {error.strerror}") from error
    with source:
        _write(job, type, path, source, path, os.fstat(source.fileno()))


def _write(job: Any, type: str, path: str, source: BinaryIO, shown: str, status: os.stat_result | None) -> None:
    maker = _maker(type)
    if maker is None:
        known = table_types().find(type) is not None or type == "proxy"
        problem = f"unsupported dictionary type: {type}"
        raise ConfigError(f"{problem} does not support bulk-mode creation." if known else problem)
    mode = 0o644
    if status is not None and job.inherit_mode:
        mode = (stat.S_IMODE(status.st_mode) | 0o600) & 0o644
    owner = status if status is not None and job.as_owner else None
    with _identity(owner), _uninterrupted(), _umask(0):
        writer = maker.open(path, job.context, job.options, not job.incremental, mode)
        try:
            _fill(job, writer, source, shown)
        except BaseException:
            writer.abort()
            raise
        writer.close()


def _fill(job: Any, writer: Any, source: BinaryIO, shown: str) -> None:
    log, options = job.context.log, job.options
    text = string(source.read())
    for number, key, value in job.program.entries(text, shown, log.warning, options.utf8):
        key = fold(key, options.utf8) if options.fold else key
        if job.files:
            content = _contents(value, f"{shown}, line {number}", log)
            if content is None:
                continue
            value = content
        if not writer.add(key, value) and options.duplicates == "warn":
            log.warning(f'{writer.name}: duplicate entry: "{key}"')
    if job.program.signed:
        _sign(job, writer)


def _sign(job: Any, writer: Any) -> None:
    """The entries by which Sendmail and NIS know a finished alias database, put in anew."""
    writer.delete("@")
    writer.add("@", "@")
    for key, value in (("YP_LAST_MODIFIED", f"{int(time.time()):010d}"), ("YP_MASTER_NAME", job.settings.myhostname)):
        writer.delete(key)
        writer.add(key, value, bare=True)


def _contents(names: str, where: str, log: Any) -> str | None:
    """The files that a value names, joined by line ends, in base64; None, and a warning, if one cannot be read."""
    parts = []
    for name in names.replace(",", " ").split():
        try:
            with open(name, "rb") as file:
                parts.append(file.read())
        except OSError as error:
            log.warning(f"{where}: open {name}: {error.strerror}: skipping this entry")
            return None
    return base64.b64encode(b"\n".join(parts)).decode("ascii")


def delete(job: Any, specs: list[str], keys: list[str]) -> bool:
    """Remove keys from every table. :return: whether one was there."""
    found = False
    for spec in specs:
        type, _, path = spec.partition(":")
        maker = _maker(type)
        if maker is None:
            _refuse(job, type, path, spec)
            continue
        writer = maker.open(path, job.context, job.options, False)
        try:
            for key in keys:
                folded = fold(key, job.options.utf8) if job.options.fold else key
                found = writer.delete(folded) or found
        except BaseException:
            writer.abort()
            raise
        writer.close()
    return found


def _refuse(job: Any, type: str, path: str, spec: str) -> None:
    """:raise ConfigError: why nothing can be deleted there, in Postfix's words. A table in memory has nothing to delete."""
    if table_types().find(type) is None:
        raise ConfigError(f"unsupported dictionary type: {type}")
    if not path:
        raise ConfigError(f'open dictionary: expecting "type:name" form instead of "{spec}"')
    if type == "internal":
        return
    if type in _OPENED:
        Tables(job.context, job.options, strict=True).open(spec).close()
        raise ConfigError(f"table {spec}: delete operation is not supported")
    raise ConfigError(f"{spec} map requires O_RDONLY access mode")


@contextmanager
def _identity(owner: os.stat_result | None) -> Iterator[None]:
    """Be the owner of the source file, so that root writes no file that the owner could not."""
    if owner is None or os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    group = os.getegid()
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Signals wait until the table is whole."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTIONS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    """The permissions asked for are the ones a new file gets."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
