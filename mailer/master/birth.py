"""What master tells a daemon when it is born, in plain data, and the configuration that goes with it.

The configuration travels as the texts that master has checked, in a file without a name: what somebody writes into main.cf
meanwhile concerns nobody before the next reload.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from mailer.config.load import Configuration, from_text
from mailer.master.control import Broken
from mailer.master.privileges import Privileges

__all__ = ["Birth", "read_configuration", "written"]


@dataclass(frozen=True)
class Birth:
    """See `mailer.master.processplan.ProcessPlan`, whose fields these are, and `mailer.daemons.place.Place`.

    ``descriptors`` says what has been handed over, in order: ``configuration``, ``log``, then sockets by their names. ``log``
    is what `mailer.master.maillog.kind_of` says, ``master`` its pid.
    """

    kind: str
    index: int
    name: str
    services: list[str] | None
    uid: int
    gid: int
    groups: list[int]
    chroot: bool
    directory: str
    log: str
    master: int
    peers: dict[str, list[str]] = field(default_factory=dict)
    descriptors: list[str] = field(default_factory=list)

    def message(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Birth:
        """:raise Broken:"""
        values = {name: value for name, value in message.items() if name != "type"}
        try:
            return cls(**values)
        except TypeError as error:
            raise Broken(f"a birth that is none: {error}") from error

    @property
    def privileges(self) -> Privileges:
        return Privileges(self.uid, self.gid, tuple(self.groups), "." if self.chroot else "")


def written(configuration: Configuration) -> BinaryIO:
    """The configuration in a file without a name, which many may read."""
    data = {
        "directory": str(configuration.directory),
        "texts": configuration.texts,
        "overrides": dict(configuration.overrides),
    }
    file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as this configuration is in force
    file.write(json.dumps(data).encode("ascii"))
    file.flush()
    return file


def read_configuration(descriptor: int) -> Configuration:
    """:raise ConfigError: :raise OSError:"""
    size = os.fstat(descriptor).st_size
    data = b""
    while len(data) < size and (piece := os.pread(descriptor, size - len(data), len(data))):
        data += piece
    values = json.loads(data)
    main, master = values["texts"]
    return from_text(main, master, overrides=values["overrides"], directory=Path(values["directory"]))
