"""The short form in which the modules beside this one declare their parameters: one call each, by kind.

It knows how to fill in a `Parameter`, not what any of them means.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailer.config.declaration import Kind, Parameter

__all__ = ["Area"]


@dataclass(frozen=True)
class Area:
    """One area of postconf(5); each method declares a parameter of that kind in it.

    ``minimum`` and ``maximum`` (0: none) bound the value of an integer or a time (in seconds) and the number of
    characters of any text.
    """

    area: str

    def boolean(self, name: str, default: str, summary: str, *, deprecated: bool = False) -> Parameter:
        """A yes or no."""
        return Parameter(name, Kind.BOOLEAN, default, summary, self.area, deprecated=deprecated)

    def integer(
        self,
        name: str,
        default: str,
        summary: str,
        *,
        minimum: int | None = None,
        maximum: int = 0,
        deprecated: bool = False,
    ) -> Parameter:
        """A decimal number."""
        return Parameter(
            name, Kind.INTEGER, default, summary, self.area, minimum=minimum, maximum=maximum, deprecated=deprecated
        )

    def time(
        self,
        name: str,
        default: str,
        summary: str,
        *,
        unit: str = "s",
        minimum: int | None = None,
        maximum: int = 0,
        deprecated: bool = False,
    ) -> Parameter:
        """A span of time, whose bare numbers count in ``unit``."""
        return Parameter(name, Kind.TIME, default, summary, self.area, unit, minimum, maximum, deprecated=deprecated)

    def string(
        self,
        name: str,
        default: str,
        summary: str,
        *,
        minimum: int | None = None,
        maximum: int = 0,
        deprecated: bool = False,
    ) -> Parameter:
        """A text in which $name is expanded."""
        return Parameter(
            name, Kind.STRING, default, summary, self.area, minimum=minimum, maximum=maximum, deprecated=deprecated
        )

    def raw(self, name: str, default: str, summary: str, *, minimum: int | None = None) -> Parameter:
        """A text whose $name is expanded only where it is used."""
        return Parameter(name, Kind.RAW, default, summary, self.area, minimum=minimum)

    def list(
        self, name: str, default: str, summary: str, *, minimum: int | None = None, deprecated: bool = False
    ) -> Parameter:
        """Items between white space and commas."""
        return Parameter(name, Kind.LIST, default, summary, self.area, minimum=minimum, deprecated=deprecated)

    def tables(self, name: str, default: str, summary: str, *, deprecated: bool = False) -> Parameter:
        """Tables as type:name, between white space and commas."""
        return Parameter(name, Kind.TABLES, default, summary, self.area, deprecated=deprecated)

    def choice(
        self, name: str, default: str, summary: str, choices: tuple[str, ...], *, deprecated: bool = False
    ) -> Parameter:
        """One of some words; the empty text is among ``choices`` where it is allowed."""
        return Parameter(name, Kind.CHOICE, default, summary, self.area, choices=choices, deprecated=deprecated)
