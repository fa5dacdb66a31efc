"""A command and what became of it, as plain data that can travel to another process."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

__all__ = ["Command", "Result"]


@dataclass(frozen=True, slots=True)
class Command:
    """``arguments`` are executed without a shell. ``directory`` is where ("" leaves it at ``/``; so does one that cannot
    be entered, if ``anywhere``), ``environment`` all that it knows, ``time_limit`` seconds from start to end.

    The message comes on its standard input: ``head`` (bare newlines), then the content with LF line ends, then
    ``tail``. ``mark_from``: ``From `` at the start of a line becomes ``>From ``. ``dots``: lines that begin with a dot get
    another one. ``end_of_line`` takes the place of every LF, in head and tail, too.
    """

    arguments: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    directory: str = ""
    anywhere: bool = False
    time_limit: float = 1000.0
    head: str = ""
    tail: str = ""
    mark_from: bool = False
    dots: bool = False
    end_of_line: str = "\n"

    def as_data(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Command:
        known = {one.name for one in fields(cls)}
        given = {name: value for name, value in data.items() if name in known}
        return cls(**{**given, "arguments": tuple(given["arguments"])})


@dataclass(frozen=True, slots=True)
class Result:
    """``code`` is the exit status, ``signal`` what killed it (0: nothing did). ``output`` is what it wrote first, to both
    outputs. ``expired`` names what took too long: ``write``, ``read`` or ``child wait``. ``failure`` says why it could not
    be started at all; ``hidden`` that only the log is told so."""

    code: int = 0
    signal: int = 0
    output: str = ""
    expired: str = ""
    failure: str = ""
    hidden: bool = False

    def as_data(self) -> dict[str, Any]:
        return asdict(self)
