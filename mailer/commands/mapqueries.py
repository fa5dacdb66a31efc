"""Ask lookup tables and list them: postmap(1) with -q and -s."""

from __future__ import annotations

import base64
import binascii
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any, BinaryIO

from mailer.commands.mapjob import Complaints, Fatal, Job
from mailer.commands.mapoutput import Output
from mailer.commands.messagekeys import message_keys
from mailer.commands.waiting import WaitsForNothing
from mailer.message.status import MailError
from mailer.tables.failure import QueryError
from mailer.tables.opening import Tables
from mailer.tables.text import octets, string

__all__ = ["list_entries", "query", "stdin_lines"]


def stdin_lines(stream: BinaryIO) -> Iterator[str]:
    for line in stream:
        yield string(line.removesuffix(b"\n"))


def query(job: Job) -> bool:
    """Write what is found. :return: whether anything was."""
    with closing(Tables(job.context, job.options, strict=True)) as tables:
        return _answer(job, _Queried(job, tables))


def _answer(job: Job, tables: _Queried) -> bool:
    output = Output()
    if job.query != "-":
        value = tables.find(job.query or "")
        if value is not None:
            output.write(value + b"\n")
            output.finish()
        return value is not None
    keys: Iterator[str] = stdin_lines(sys.stdin.buffer)
    if job.headers or job.body:
        keys = message_keys(keys, job.headers, job.body, job.mime)
    any_found = False
    for key in keys:
        value = tables.find(key)
        if value is not None:
            any_found = True
            output.write(octets(key + job.program.separator) + value + b"\n")
    output.finish()
    return any_found


class _Queried:
    """Tables asked in order; each is opened when the search first gets there."""

    def __init__(self, job: Job, tables: Tables) -> None:
        self._job = job
        self._specs = [job.typed(spec) for spec in job.specs]
        self._log = job.context.log
        self._tables = tables

    def find(self, key: str) -> bytes | None:
        for spec in self._specs:
            value = self._ask(spec, key)
            if value is None:
                continue
            if not value:
                self._log.warning(f"table {spec}: key {key}: empty string result is not allowed")
                self._log.warning(f"table {spec} should return NO RESULT in case of NOT FOUND")
            if self._job.files:
                return _decoded(self._log, _name(self._tables.open(spec), spec), key, value)
            return octets(value)
        return None

    def _ask(self, spec: str, key: str) -> str | None:
        table = self._tables.open(spec)
        try:
            value: str | None = self._job.context.reactor.finish(table.lookup(key))
        except MailError as error:
            raise Fatal(_trouble(_name(table, spec), error, "query")) from None
        except WaitsForNothing:
            raise Fatal(f"table {spec} has to wait for something, which this command cannot") from None
        return value


def _name(table: Any, spec: str) -> str:
    """What complaints call the table."""
    shown: str = getattr(table, "shown", spec)
    return shown


def _trouble(spec: str, error: MailError, action: str) -> str:
    if error.cause.startswith("error reading"):
        return error.cause
    application = isinstance(error, QueryError) or error.cause.endswith("Application error")
    reason = ": Application error" if application else ""
    return f"table {spec}: {action} error{reason}"


def _decoded(log: Complaints, spec: str, key: str, value: str) -> bytes:
    try:
        return base64.b64decode(octets(value), validate=True)
    except (binascii.Error, ValueError):
        log.warning(f"table {spec}: key {key}: malformed BASE64 value: {value}")
        raise Fatal(f"table {spec}: query error") from None


def list_entries(job: Job) -> bool:
    """The first table's entries, as Postfix does it."""
    for spec in job.specs[:1]:
        with closing(Tables(job.context, job.options, strict=True)) as tables:
            table = tables.open(job.typed(spec))
            _list_table(job, table, _name(table, job.typed(spec)))
        return True
    return False


def _list_table(job: Job, table: Any, name: str) -> None:
    items = getattr(table, "items", None)
    if items is None:
        raise Fatal(f"table {name}: sequence operation is not supported")
    output = Output()
    try:
        for key, value in items():
            if not key:
                job.context.log.warning(f"table {name}: empty lookup key value is not allowed")
            if not value:
                job.context.log.warning(f"table {name}: key {key}: empty string result is not allowed")
                job.context.log.warning(f"table {name} should return NO RESULT in case of NOT FOUND")
            data = _decoded(job.context.log, name, key, value) if job.files else octets(value)
            output.write(octets(key + job.program.separator) + data + b"\n")
    except MailError as error:
        raise Fatal(_trouble(name, error, "sequence")) from None
    output.finish()
