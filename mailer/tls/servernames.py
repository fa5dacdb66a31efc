"""Certificates by the name that a client asks for (SNI): tls_server_sni_maps, made with ``postmap -F``.

A table that was not made from files' content (texthash, inline) may hold the files' names instead.

OpenSSL wants its answer at once, in the middle of a handshake; so tables that are files or in memory work here, and one
that has to ask somebody else is reported and treated as a failure.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

from OpenSSL import SSL

from mailer.message.status import TemporaryError
from mailer.tls.certificates import BadCertificates, KeyPair, parse_chain, read_chain_files
from mailer.tls.contexts import CannotUseTls

__all__ = ["ServerNames"]

_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*").fullmatch
_MOST_CONTEXTS = 1000


class ServerNames:
    """:param table: an ITable. :param build: makes a context of key pairs; raises CannotUseTls, BadCertificates."""

    def __init__(self, table: Any, build: Callable[[list[KeyPair]], SSL.Context], log: Any) -> None:
        self._table = table
        self._build = build
        self._log = log
        self._contexts: dict[Any, SSL.Context] = {}  # by the table's value: a changed value is a new context

    def chosen(self, connection: Any) -> None:
        """OpenSSL's servername callback: gives the connection the certificate for the name, if there is one."""
        octets = connection.get_servername()
        if not octets:
            return
        shown = octets.decode("ascii", "replace")
        name = shown.lower().rstrip(".")
        session = connection.get_app_data()
        client = session.get("client", "")
        if len(name) > 253 or not _NAME(name):
            self._log.warning(f"TLS SNI from {client} is invalid: {shown[:100]}")
            return
        for key in _keys(name):
            value = self._look_up(key)
            if value is None:
                continue
            context = self._context(key, value)
            if context is not None:
                connection.set_context(context)
                session["server_name"] = shown
            return
        self._log.info(f"TLS SNI {shown} from {client} not matched, using default chain")

    def _look_up(self, key: str) -> str | None:
        coroutine = self._table.lookup(key)
        try:
            coroutine.send(None)
        except StopIteration as found:
            value: str | None = found.value
            return value
        except TemporaryError as error:
            self._log.warning(f"tls_server_sni_maps: lookup error for {key}: {error.cause}")
            return None
        coroutine.close()
        self._log.warning(f"tls_server_sni_maps: {self._table.name} cannot answer at once; use a table in a file")
        return None

    def _context(self, key: str, value: str) -> SSL.Context | None:
        paths = re.split(r"[\s,]+", value) if value.startswith("/") else []
        known = (value, *(_signature(path) for path in paths))
        context = self._contexts.get(known)
        if context is not None:
            return context
        try:
            if paths:
                pairs = read_chain_files(paths)
            else:
                pairs = parse_chain(base64.b64decode(value, validate=True), f"{self._table.name}: {key}")
            context = self._build(pairs)
        except binascii.Error:
            self._log.warning(
                f"malformed BASE64 value in SNI map {self._table.name}: {key}; was it made with postmap -F?"
            )
            return None
        except BadCertificates as error:
            for line in error.warnings:
                self._log.warning(line)
            return None
        except CannotUseTls as error:
            for _, line in error.lines:
                self._log.warning(line)
            return None
        if len(self._contexts) >= _MOST_CONTEXTS:
            self._contexts.clear()
        self._contexts[known] = context
        return context


def _signature(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _keys(name: str) -> Iterator[str]:
    yield name
    at = name.find(".")
    while at >= 0:
        yield name[at:]
        at = name.find(".", at + 1)
