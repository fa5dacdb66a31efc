"""What a worker that has kept root's rights may do: write root's own mailbox, read his forwarding files, make mailboxes for
others in a spool directory that only root writes to. It is told when it starts, by who started it, and not by who asks."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """``mailboxes`` may be written; what begins with one of ``readable`` may be read, and ``home`` looked at; files may be made
    in ``spool``."""

    mailboxes: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    spool: str = ""
    home: str = ""

    def allow(self, request: dict[str, Any]) -> bool:
        task = request["task"]
        if task == "deposit":
            return request["deposit"]["path"] in self.mailboxes
        path = str(request.get("path", ""))
        if task == "make":
            return bool(self.spool) and os.path.dirname(path) == self.spool.rstrip("/")
        if task == "read" and path == self.home != "":
            return True
        return task == "read" and ".." not in path.split("/") and path.startswith(self.readable)

    def as_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Limits | None:
        """:param text: "" stands for no limits."""
        if not text:
            return None
        given = json.loads(text)
        return cls(tuple(given["mailboxes"]), tuple(given["readable"]), given["spool"], given["home"])
