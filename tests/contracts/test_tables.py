"""The contract of ITable, run on every type that needs no server."""

import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest
from twisted.internet.task import Clock

from mailer.config.errors import ConfigError
from mailer.interfaces.context import Context
from mailer.interfaces.table import ITableFactory, ITableMaker, TableOptions
from mailer.plugins.declaration import Table
from mailer.plugins.registry import installed
from mailer.tables.opening import Tables
from mailer.testing.log import RecordingLog
from mailer.testing.tables import BrokenTable, MemoryTable, TableContract

ENTRY = "user@example.com the value\n"


class OpenedContract(TableContract):
    """Tables that are opened by ``type:name``; ``spec(tmp_path)`` gives it."""

    def spec(self, tmp_path):
        raise NotImplementedError

    def context(self):
        settings = SimpleNamespace(
            lmdb_map_size=1 << 24,
            berkeley_db_read_buffer_size=131072,
            berkeley_db_create_buffer_size=1048576,
            alias_maps=(),
            alias_database=(),
        )
        return Context(settings=settings, reactor=Clock(), seconds=lambda: 4e9, log=RecordingLog())

    def build(self, tmp_path):
        return Tables(self.context(), TableOptions(), strict=True).open(self.spec(tmp_path))

    def written(self, tmp_path, text):
        path = tmp_path / "table"
        path.write_text(text)
        return path


class TestMemory(TableContract):
    def build(self, tmp_path):
        return MemoryTable({self.key: self.value})


class TestMaps(OpenedContract):
    def build(self, tmp_path):
        tables = Tables(self.context(), TableOptions())
        return tables.maps(("inline:{x=y}", "inline:{{user@example.com = the value}}"))


class TestSqlite(OpenedContract):
    def spec(self, tmp_path):
        with sqlite3.connect(tmp_path / "x.db") as database:
            database.execute("create table x (k, v)")
            database.execute("insert into x values ('user@example.com', 'the value')")
        text = f"dbpath = {tmp_path}/x.db\nquery = SELECT v FROM x WHERE k = '%s'\n"
        return f"sqlite:{self.written(tmp_path, text)}"


class TestDebug(OpenedContract):
    def spec(self, tmp_path):
        return "debug:inline:{{user@example.com = the value}}"


class TestInline(OpenedContract):
    def spec(self, tmp_path):
        return "inline:{{user@example.com = the value}}"


class TestStatic(OpenedContract):
    absent = None

    def spec(self, tmp_path):
        return "static:{the value}"


class TestTexthash(OpenedContract):
    def spec(self, tmp_path):
        return f"texthash:{self.written(tmp_path, ENTRY)}"


class TestRegexp(OpenedContract):
    pattern = True

    def spec(self, tmp_path):
        return f"regexp:{self.written(tmp_path, '/^USER@(.*)$/ the value')}"


class TestPcre(OpenedContract):
    pattern = True

    def spec(self, tmp_path):
        return f"pcre:{self.written(tmp_path, '/^user(?=@)/ the value')}"


class TestCidr(OpenedContract):
    pattern = True
    key = "192.0.2.1"

    def spec(self, tmp_path):
        return f"cidr:{self.written(tmp_path, '192.0.2.0/24 the value')}"


class TestUnion(OpenedContract):
    def spec(self, tmp_path):
        return "unionmap:{inline:{x=y},inline:{{user@example.com = the value}}}"


class TestPipe(OpenedContract):
    def spec(self, tmp_path):
        return "pipemap:{inline:{user@example.com=x},static:{the value}}"


class TestRandom(OpenedContract):
    pattern = True
    absent = None
    value = "value"

    def spec(self, tmp_path):
        return "randmap:{value}"


class TestEnviron(OpenedContract):
    key = "MAILER_TEST_TABLE"

    @pytest.fixture(autouse=True)
    def environment(self, monkeypatch):
        monkeypatch.setenv(self.key, self.value)

    def spec(self, tmp_path):
        return "environ:x"


class TestUnix(OpenedContract):
    key = "root"

    @property
    def value(self):
        import pwd

        return ":".join(str(field) for field in pwd.getpwnam("root"))

    def spec(self, tmp_path):
        return "unix:passwd.byname"


class WrittenContract(OpenedContract):
    """Types with files that postmap makes."""

    type = ""

    def spec(self, tmp_path):
        try:
            maker = installed(ITableMaker, "lookup table type").find(self.type)
            writer = maker.open(str(tmp_path / "table"), self.context(), TableOptions(), True)
        except ConfigError as error:
            pytest.skip(str(error))
        writer.add(self.key, self.value)
        writer.close()
        return f"{self.type}:{tmp_path / 'table'}"


class TestLmdb(WrittenContract):
    type = "lmdb"


class TestCdb(WrittenContract):
    type = "cdb"


class TestHash(WrittenContract):
    type = "hash"


class TestBtree(WrittenContract):
    type = "btree"


#: Types whose contract is not tested above: one never finds, one is empty when opened, the others need servers.
WITHOUT = {"fail", "internal", "ldap", "pgsql", "mysql", "tcp", "socketmap", "memcache"}


def test_every_type_is_here():
    """A new type of ours brings its contract test."""
    source = Path(__file__).read_text()
    ours = [factory for factory in installed(ITableFactory, "lookup table type") if isinstance(factory, Table)]
    missing = {
        factory.name for factory in ours if f"{factory.name}:" not in source and f'"{factory.name}"' not in source
    }
    assert missing - WITHOUT == set()


def test_a_table_that_never_can_tell():
    from zope.interface.verify import verifyObject

    from mailer.interfaces.table import ITable

    assert verifyObject(ITable, BrokenTable())
