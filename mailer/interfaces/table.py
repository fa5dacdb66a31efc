"""Lookup tables: ``type:name`` in main.cf. Tables are plug-ins."""

from dataclasses import dataclass

from zope.interface import Attribute, Interface

__all__ = ["IListedTable", "ITable", "ITableFactory", "ITableMaker", "ITableWriter", "ITables", "TableOptions"]


@dataclass(frozen=True)
class TableOptions:
    """How tables are opened; the same for all tables of one ITables.

    ``fold``: keys of tables with fixed keys are compared without regard to case (off: ``postmap -f``).
    ``utf8``: keys and values have to be valid UTF-8 (smtputf8_enable; off: ``postmap -u``).
    ``secure``: results name files, commands or accounts (alias_maps ...), so that no part of a key may get into one.
    ``nul``: files hold keys and values with a trailing NUL (True), without (False), or either (None; when one is
    written: as the type usually has it).
    ``duplicates``: what a writer does with a key that is there already: ``warn``, ``replace`` or ``ignore``.
    """

    fold: bool = True
    utf8: bool = True
    secure: bool = False
    nul: bool | None = None
    duplicates: str = "warn"


class ITable(Interface):
    """One table, or several asked in order. A lookup has three answers: found, absent, cannot tell now."""

    name = Attribute("``type:name`` as main.cf writes it, for messages and logs.")
    pattern = Attribute(
        "True if keys are matched by patterns (regexp, pcre, cidr; tcp-like ones say False): such a table is asked for"
        " the whole address only, never for parts of it."
    )

    async def lookup(key):
        """:param key: str (surrogateescape for octets that are not UTF-8). The table folds case as its type does.
        :return: the value as str, or None when there is none.
        :raise TemporaryError: cannot tell now. Never to be read as "absent".
        """

    def close():
        """Give resources back."""


class IListedTable(ITable):
    """A table that can tell all it holds (``postmap -s``)."""

    def items():
        """An iterator over ``(key, value)``, both str, in the table's own order."""


class ITableFactory(Interface):
    """The plug-in: declared in a module of ``twisted.plugins``, found by ``name``."""

    name = Attribute("The type: ``hash``, ``ldap`` ...")
    summary = Attribute("One line of help.")
    extra = Attribute("The pip extra it needs, or ''.")

    def build(argument, context):
        """Open a table; called at start and reload, so it may read a file; it must not wait for a network.

        :param argument: what stands after ``type:``.
        :param context: mailer.interfaces.context.Context; ``context.tables`` opens further tables and has ``options``.
        :return: an ITable.
        :raise ConfigError: wrong syntax, with file and line; a missing file.
        """


class ITableMaker(Interface):
    """The plug-in for ``postmap`` and ``postalias``: a type whose tables are files that can be written."""

    name = Attribute("The type: ``hash``, ``lmdb`` ...")
    summary = Attribute("One line of help.")
    extra = Attribute("The pip extra it needs, or ''.")

    def open(path, context, options, create, mode=0o644):
        """Open a table for writing.

        :param path: what stands after ``type:``, without the suffix that the type adds to file names.
        :param options: TableOptions.
        :param create: True: start empty, and leave an existing table as it is until ``close``; False: change an
            existing table, or make one that does not exist yet.
        :param mode: permission bits for a file that is made.
        :return: an ITableWriter. :raise ConfigError, OSError: it cannot be written.
        """


class ITableWriter(Interface):
    """A table being written. Readers see all of it after ``close``, or nothing."""

    name = Attribute("What the log calls the table when a key is there already.")

    def add(key, value, bare=False):
        """Add an entry, or with ``options.duplicates`` ``replace`` change one.

        :param bare: no NUL behind key and value, whatever the options say (postalias' NIS entries).
        :return: False if the key was there already and stays as it is."""

    def delete(key):
        """Remove an entry. :return: whether there was one."""

    def close():
        """Make it so."""

    def abort():
        """Leave everything as it was."""


class ITables(Interface):
    """Opens tables; the same name gives the same table within one service."""

    options = Attribute("The TableOptions that tables are opened with.")
    problems = Attribute("What was wrong with tables opened so far: a list of str, for the report at start.")

    def open(spec):
        """:param spec: ``type:name``. :return: ITable. One that cannot be opened now (a missing file, an unknown type)
        says "cannot tell now" to every lookup, and is tried again from time to time; why is logged and in ``problems``.
        :raise ConfigError: not of the form ``type:name``."""

    def maps(specs, title=""):
        """:param specs: a sequence of ``type:name`` (a TABLES setting). :param title: the parameter's name, for the log.
        :return: an ITable that asks them in order. The empty sequence gives a table that never finds anything."""

    def secured():
        """The same for tables whose results name files, commands or accounts: see ``TableOptions.secure``."""

    def share(key, make):
        """Something that several tables use together, those of other services of the process among them, such as connections
        to a server: ``make()`` the first time, the same object from then on. It has ``close()``, called after the tables
        were closed.

        :param key: hashable; what makes two of them the same. :param make: without arguments."""

    def close():
        """Close all tables opened here."""
