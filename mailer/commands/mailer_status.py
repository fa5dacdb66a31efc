"""``mailer status``: the processes of a running instance, from the socket public/status. The exit status is 1 where none runs,
and 2 where a daemon is in trouble."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from typing import Any

from mailer.commands.instance import default_config_directory
from mailer.config.errors import ConfigError
from mailer.config.load import load
from mailer.master.status import STATUS

__all__ = ["arguments", "run"]

_SECONDS = 10.0
_MOST = 1 << 24
_COLUMNS = ("name", "pid", "uid", "state", "restarts", "uptime", "memory", "sessions", "deliveries", "notes")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="the whole document")


def run(options: argparse.Namespace) -> int:
    try:
        settings = load(options.config_directory or default_config_directory(), need_master=False).settings
        path = os.path.join(settings.queue_directory, STATUS)
    except ConfigError as error:
        print(f"mailer: {error}", file=sys.stderr)
        return 1
    try:
        document = json.loads(_read(path))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        print(f"mailer: the mail system is not running ({path}: {why})", file=sys.stderr)
        return 1
    print(json.dumps(document, indent=1) if options.json else _table(document))
    return 2 if any(row.get("trouble") or row.get("broken") for row in document["processes"]) else 0


def _read(path: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(_SECONDS)
        sock.connect(path)
        found = b""
        while len(found) < _MOST and (piece := sock.recv(65536)):
            found += piece
        return found


def _table(document: dict[str, Any]) -> str:
    rows = [_COLUMNS, *(tuple(_cell(row, column) for column in _COLUMNS) for row in document["processes"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def _cell(row: dict[str, Any], column: str) -> str:
    if column == "notes":
        broken = [f"{name}: {reason}" for name, reason in row.get("broken", {}).items()]
        return "; ".join([*broken, *([row["trouble"]] if row.get("trouble") else [])])
    value = row.get(column)
    if value is None or (column == "pid" and not value):
        return "-"
    if column == "memory":
        return f"{value / 1048576:.1f}M"
    if column == "uptime":
        return _span(int(value))
    return str(value)


def _span(seconds: int) -> str:
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    clock = f"{hours:02}:{rest // 60:02}:{rest % 60:02}"
    return f"{days}d{clock}" if days else clock
