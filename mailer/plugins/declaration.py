"""What a module of ``twisted.plugins`` declares: a name, one line of help, and a dotted name to be imported when used.

A declaration imports nothing heavy, so listing the plug-ins of a machine costs next to nothing. It provides the factory
interface itself (``ITableFactory`` ...) and forwards ``build`` to the object that the dotted name stands for. A plug-in
author may as well declare an own object that provides the interface and ``twisted.plugin.IPlugin``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from mailer.config.errors import ConfigError
from mailer.interfaces.restriction import IRestrictionFactory
from mailer.interfaces.sasl import ISaslServerFactory
from mailer.interfaces.table import ITableFactory, ITableMaker
from mailer.interfaces.transport import ITransportFactory

__all__ = ["Declaration", "Restriction", "SaslServer", "Table", "TableMaker", "Transport"]


@implementer(IPlugin)
class Declaration:
    """``factory`` is ``package.module.callable``, called as ``callable(argument, context)`` by ``build``.

    ``extra`` names the pip extra of this project (``lmdb`` in ``pip install mailer[lmdb]``) without which the module
    cannot be imported; a plug-in of another distribution gives the whole requirement, such as ``acme-tables[redis]``.
    """

    noun = "plug-in"

    def __init__(self, name: str, summary: str, factory: str, extra: str = "") -> None:
        self.name = name
        self.summary = summary
        self.factory = factory
        self.extra = extra

    def __repr__(self) -> str:
        return f"<{self.noun} {self.name}: {self.factory}>"

    def load(self) -> Any:
        """Import the factory.

        :raise ConfigError: it cannot be imported; the text names the pip command if an optional package is missing.
        """
        module, _, attribute = self.factory.rpartition(".")
        try:
            return getattr(import_module(module), attribute)
        except ImportError as error:
            missing = (getattr(error, "name", None) or "").partition(".")[0]
            if self.extra and missing not in ("", "mailer"):
                problem = f"{self.noun} {self.name} needs the Python package {missing}"
                raise ConfigError(problem, install(self.extra)) from error
            raise ConfigError(f"{self.noun} {self.name} cannot be imported: {error}") from error
        except AttributeError as error:
            raise ConfigError(f"{self.noun} {self.name} cannot be imported: {error}") from error

    def build(self, argument: Any, context: Any) -> Any:
        return self.load()(argument, context)


def install(extra: str) -> str:
    """The command that brings in a missing optional package."""
    return f"pip install {extra}" if "[" in extra else f"pip install mailer[{extra}]"


@implementer(ITableFactory)
class Table(Declaration):
    """A lookup table type."""

    noun = "lookup table type"


@implementer(ITableMaker)
class TableMaker(Declaration):
    """A lookup table type that postmap(1) can create; called as ``callable(path, context, options, create, mode)``."""

    noun = "lookup table type"

    def open(self, path: str, context: Any, options: Any, create: bool, mode: int = 0o644) -> Any:
        return self.load()(path, context, options, create, mode)


@implementer(ITransportFactory)
class Transport(Declaration):
    """A delivery transport."""

    noun = "transport"


@implementer(ISaslServerFactory)
class SaslServer(Declaration):
    """A back end of AUTH in the SMTP server."""

    noun = "SASL server type"


@implementer(IRestrictionFactory)
class Restriction(Declaration):
    """An access restriction. ``takes`` is what follows its name in a list, see IRestrictionFactory."""

    noun = "restriction"

    def __init__(self, name: str, summary: str, factory: str, extra: str = "", takes: str = "") -> None:
        super().__init__(name, summary, factory, extra)
        self.takes = takes
