"""``cdb:/file``: constant databases (CDB_README; the format is D. J. Bernstein's, two little-endian hash levels).

A file is written beside its final name and renamed, so readers see the old or the new one, whole. Keys and values have no
NUL behind them unless ``-N`` asks for it.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from mailer.config.errors import ConfigError
from mailer.interfaces.table import ITableWriter, TableOptions
from mailer.message.status import TemporaryError
from mailer.tables.base import FixedTable
from mailer.tables.text import octets, string
from mailer.tables.watched import Watched, signature

__all__ = ["CdbTable", "CdbWriter", "hashed"]

_SUFFIX = ".cdb"
_PAIR = struct.Struct("<II")
_HEADER = 256 * 8
_LARGEST = 0xFFFFFFFF


def hashed(key: bytes) -> int:
    value = 5381
    for octet in key:
        value = ((value << 5) + value & _LARGEST) ^ octet
    return value


class _Reader:
    """An open file, mapped. What does not fit the format raises ValueError."""

    def __init__(self, data: mmap.mmap | bytes) -> None:
        if len(data) < _HEADER:
            raise ValueError("not a cdb file")
        self._data = data

    def get(self, key: bytes) -> bytes | None:
        data = self._data
        number = hashed(key)
        table, slots = _PAIR.unpack_from(data, (number & 255) << 3)
        if not slots:
            return None
        slot = (number >> 8) % slots
        for _ in range(slots):
            stored, place = self._pair(table + 8 * slot)
            if not place:
                return None
            if stored == number:
                key_length, value_length = self._pair(place)
                start = place + 8
                if data[start : start + key_length] == key:
                    return bytes(data[start + key_length : start + key_length + value_length])
            slot = slot + 1 if slot + 1 < slots else 0
        return None

    def _pair(self, place: int) -> tuple[int, int]:
        if place + 8 > len(self._data):
            raise ValueError("the file ends too soon")
        return _PAIR.unpack_from(self._data, place)  # type: ignore[return-value]


class _Mapped(Watched[_Reader]):
    """A watched file that is mapped, not parsed."""

    def _read(self) -> tuple[tuple[int, ...], _Reader, list[str]]:
        with open(self._path, "rb") as file:
            status = os.fstat(file.fileno())
            try:
                reader = _Reader(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if status.st_size else b"")
            except ValueError as error:
                raise ConfigError(f"open database {self._path}: {error}") from error
        return signature(status), reader, []


def _unused(text: str, warn: Callable[[str], None]) -> _Reader:
    raise NotImplementedError


class CdbTable(FixedTable):
    """Reads ``argument.cdb``, with or without NUL behind keys and values."""

    type = "cdb"

    def __init__(self, argument: str, context: Any) -> None:
        super().__init__(argument, context)
        self.shown = self.name + _SUFFIX
        self._file = _Mapped(argument + _SUFFIX, context, _unused, "open database")
        nul = self.options.nul
        self._endings = (b"", b"\0") if nul is None else (b"\0",) if nul else (b"",)

    def find(self, key: str) -> str | None:
        data = octets(key)
        reader = self._file.current()
        try:
            for ending in self._endings:
                value = reader.get(data + ending)
                if value is not None:
                    return self.checked(key, string(value.removesuffix(b"\0")))
        except ValueError as error:
            self.log.warning(f"error reading {self.shown}: {error}")
            raise TemporaryError(f"error reading {self.shown}: {error}") from error
        return None


@implementer(ITableWriter)
class CdbWriter:
    """Collects the entries and writes the file at ``close``; an existing table cannot be changed."""

    def __init__(self, path: str, context: Any, options: TableOptions, create: bool, mode: int = 0o644) -> None:
        if not create:
            raise ConfigError(
                "dict_cdb_open: inappropriate open flags for cdb database - specify O_RDONLY or O_WRONLY|O_CREAT|O_TRUNC"
            )
        self.name = path
        self._path = path + _SUFFIX
        self._mode = mode
        self._ending = b"\0" if options.nul else b""
        self._replace = options.duplicates == "replace"
        self._entries: dict[bytes, bytes] = {}

    def add(self, key: str, value: str, bare: bool = False) -> bool:
        ending = b"" if bare else self._ending
        data = octets(key) + ending
        if not self._replace and data in self._entries:
            return False
        self._entries[data] = octets(value) + ending
        return True

    def delete(self, key: str) -> bool:
        return self._entries.pop(octets(key) + self._ending, None) is not None

    def close(self) -> None:
        temporary = self._path + ".tmp"
        try:
            with open(
                os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, self._mode), "wb"
            ) as file:
                file.write(_image(self._entries))
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, self._path)
        except OSError as error:
            raise ConfigError(f"create database {temporary}: {error.strerror}") from error

    def abort(self) -> None:
        self._entries.clear()


def _image(entries: dict[bytes, bytes]) -> bytes:
    records = bytearray(_HEADER)
    chains: list[list[tuple[int, int]]] = [[] for _ in range(256)]
    for key, value in entries.items():
        number = hashed(key)
        chains[number & 255].append((number, len(records)))
        records += _PAIR.pack(len(key), len(value)) + key + value
    for at, chain in enumerate(chains):
        slots = [(0, 0)] * (2 * len(chain))
        for number, place in chain:
            slot = (number >> 8) % len(slots)
            while slots[slot][1]:
                slot = slot + 1 if slot + 1 < len(slots) else 0
            slots[slot] = (number, place)
        _PAIR.pack_into(records, 8 * at, len(records), len(slots))
        for pair in slots:
            records += _PAIR.pack(*pair)
    if len(records) > _LARGEST:
        raise ConfigError("a cdb file cannot be larger than 4 GiB")
    return bytes(records)
