"""Lookup tables: ``type:name`` in main.cf. Tables are plug-ins."""

from zope.interface import Attribute, Interface

__all__ = ["ITable", "ITableFactory", "ITables"]


class ITable(Interface):
    """One table, or several asked in order. A lookup has three answers: found, absent, cannot tell now."""

    name = Attribute("``type:name`` as main.cf writes it, for messages and logs.")
    pattern = Attribute(
        "True if keys are matched by patterns (regexp, pcre, cidr, tcp-like ones say False): such a table is asked for"
        " the whole address only, never for parts of it."
    )

    async def lookup(key):
        """:param key: str (surrogateescape for octets that are not UTF-8). The table folds case as its type does.
        :return: the value as str, or None when there is none.
        :raise TemporaryError: cannot tell now. Never to be read as "absent".
        """

    def close():
        """Give resources back."""


class ITableFactory(Interface):
    """The plug-in: declared in a module of ``twisted.plugins``, found by ``name``."""

    name = Attribute("The type: ``hash``, ``ldap`` ...")
    summary = Attribute("One line of help.")
    extra = Attribute("The pip extra it needs, or ''.")

    def build(argument, context):
        """Open a table; called at start and reload, so it may read a file; it must not wait for a network.

        :param argument: what stands after ``type:``.
        :param context: mailer.interfaces.context.Context.
        :return: an ITable.
        :raise ConfigError: wrong syntax, with file and line; a missing file.
        """


class ITables(Interface):
    """Opens tables; the same name gives the same table within one service."""

    def open(spec):
        """:param spec: ``type:name``. :return: ITable. :raise ConfigError: unknown type, wrong syntax."""

    def maps(specs):
        """:param specs: a sequence of ``type:name`` (a TABLES setting). :return: an ITable that asks them in order.
        The empty sequence gives a table that never finds anything."""
