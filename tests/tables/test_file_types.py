"""lmdb, cdb, hash and btree files: written, read, changed, replaced, broken."""

import fcntl
import os
import struct
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from mailer.config.errors import ConfigError
from mailer.interfaces.table import ITableMaker, ITableWriter, TableOptions
from mailer.message.status import TemporaryError
from mailer.plugins.registry import installed
from mailer.tables.cdb import _image, _Reader


def usable(type):
    try:
        installed(ITableMaker, "lookup table type").find(type).load()
    except ConfigError:
        return False
    return True


ALL = [
    pytest.param(type, marks=pytest.mark.skipif(not usable(type), reason=f"{type}: its optional package is missing"))
    for type in ("lmdb", "cdb", "hash", "btree")
]


@pytest.fixture
def write(bench, tmp_path):
    def write(type, entries, create=True, name="t", **options):
        maker = installed(ITableMaker, "lookup table type").find(type)
        writer = maker.open(str(tmp_path / name), bench.context, replace(TableOptions(), **options), create)
        assert verifyObject(ITableWriter, writer)
        added = [writer.add(key, value) for key, value in entries]
        writer.close()
        return added

    return write


@pytest.mark.parametrize("type", ALL)
class TestEveryType:
    def test_written_and_read(self, type, bench, write, tmp_path):
        assert write(type, [("a", "1"), ("é", "ü"), ("a", "2")]) == [True, True, False]
        spec = f"{type}:{tmp_path / 't'}"
        assert [bench.ask(spec, key) for key in ("a", "A", "É", "b", "")] == ["1", "1", "ü", None, None]

    def test_replacing_duplicates(self, type, bench, write, tmp_path):
        write(type, [("a", "1"), ("a", "2")], duplicates="replace")
        assert bench.ask(f"{type}:{tmp_path / 't'}", "a") == "2"

    @pytest.mark.parametrize("nul", [None, True, False])
    def test_nul_or_not(self, type, make_bench, write, tmp_path, nul):
        write(type, [("a", "1")], nul=nul)
        spec = f"{type}:{tmp_path / 't'}"
        assert make_bench().ask(spec, "a") == "1"
        written = nul if nul is not None else type != "cdb"
        assert make_bench(nul=written).ask(spec, "a") == "1"
        assert make_bench(nul=not written).ask(spec, "a") is None

    def test_a_missing_file(self, type, bench, tmp_path):
        suffix = {"hash": ".db", "btree": ".db"}.get(type, f".{type}")
        bench.tables.open(f"{type}:{tmp_path / 'none'}")
        assert bench.lines == [f"error open database {tmp_path / 'none'}{suffix}: No such file or directory"]

    def test_a_file_of_another_kind(self, type, bench, tmp_path):
        suffix = {"hash": ".db", "btree": ".db"}.get(type, f".{type}")
        (tmp_path / f"t{suffix}").write_bytes(b"this is no database" * 1000)
        with pytest.raises(TemporaryError):
            bench.ask(f"{type}:{tmp_path / 't'}", "a")

    def test_a_new_version_is_seen(self, type, make_bench, write, tmp_path):
        write(type, [("a", "1")])
        reader = make_bench()
        assert reader.ask(f"{type}:{tmp_path / 't'}", "a") == "1"
        # Another process writes: one process cannot open an LMDB file twice.
        code = (
            "import sys; from types import SimpleNamespace as N; from mailer.interfaces.table import *;"
            "from mailer.plugins.registry import installed;"
            "sizes = N(lmdb_map_size=1 << 24, berkeley_db_create_buffer_size=1 << 20);"
            "maker = installed(ITableMaker, 'x').find(sys.argv[1]);"
            "w = maker.open(sys.argv[2], N(settings=sizes), TableOptions(), True);"
            "w.add('a', '2'); w.add('b', 'x' * 100); w.close()"
        )
        subprocess.run([sys.executable, "-c", code, type, str(tmp_path / "t")], check=True)
        reader.clock.advance(1)
        assert reader.ask(f"{type}:{tmp_path / 't'}", "a") == "2"
        assert reader.ask(f"{type}:{tmp_path / 't'}", "b") == "x" * 100
        assert reader.lines == []

    def test_a_replaced_file_is_seen(self, type, make_bench, write, tmp_path):
        suffix = {"hash": ".db", "btree": ".db"}.get(type, f".{type}")
        write(type, [("a", "1")])
        write(type, [("a", "2")], name="new")
        reader = make_bench()
        spec = f"{type}:{tmp_path / 't'}"
        assert reader.ask(spec, "a") == "1"
        os.rename(tmp_path / f"new{suffix}", tmp_path / f"t{suffix}")
        assert reader.ask(spec, "a") == "1"
        reader.clock.advance(1)
        assert reader.ask(spec, "a") == "2"

    def test_a_file_that_goes_away_is_told_and_kept(self, type, make_bench, write, tmp_path):
        suffix = {"hash": ".db", "btree": ".db"}.get(type, f".{type}")
        write(type, [("a", "1")])
        reader = make_bench()
        assert reader.ask(f"{type}:{tmp_path / 't'}", "a") == "1"
        os.unlink(tmp_path / f"t{suffix}")
        for _ in range(3):
            reader.clock.advance(1)
            assert reader.ask(f"{type}:{tmp_path / 't'}", "a") == "1"
        (line,) = reader.lines
        assert line.endswith("has changed and cannot be read, going on with what it was: No such file or directory")

    def test_an_unfinished_table_leaves_the_old_one(self, type, bench, write, tmp_path):
        write(type, [("a", "1")])
        maker = installed(ITableMaker, "lookup table type").find(type)
        writer = maker.open(str(tmp_path / "t"), bench.context, TableOptions(), True)
        writer.add("b", "2")
        writer.abort()
        spec = f"{type}:{tmp_path / 't'}"
        assert [bench.ask(spec, key) for key in "ab"] == ["1", None]

    def test_many_entries(self, type, bench, write, tmp_path):
        entries = [(f"user{number}@example.com", f"value {number}" * 20) for number in range(2000)]
        assert all(write(type, entries))
        spec = f"{type}:{tmp_path / 't'}"
        assert all(bench.ask(spec, key) == value for key, value in entries[::97])
        assert bench.ask(spec, "user2000@example.com") is None


@pytest.mark.parametrize("type", [param for param in ALL if param.values[0] != "cdb"])
class TestTypesThatChange:
    def test_changed_and_deleted(self, type, bench, write, tmp_path):
        write(type, [("a", "1"), ("b", "2")])
        write(type, [("a", "9"), ("c", "3")], create=False)
        writer = installed(ITableMaker, "x").find(type).open(str(tmp_path / "t"), bench.context, TableOptions(), False)
        assert [writer.delete("b"), writer.delete("b")] == [True, False]
        writer.close()
        table = bench.tables.open(f"{type}:{tmp_path / 't'}")
        assert sorted(table.items()) == [("a", "1"), ("c", "3")]

    def test_permissions(self, type, bench, tmp_path):
        suffix = ".lmdb" if type == "lmdb" else ".db"
        before = os.umask(0)
        try:
            writer = (
                installed(ITableMaker, "x")
                .find(type)
                .open(str(tmp_path / "p"), bench.context, TableOptions(), True, 0o640)
            )
            writer.close()
        finally:
            os.umask(before)
        assert os.stat(tmp_path / f"p{suffix}").st_mode & 0o777 == 0o640


@pytest.mark.skipif(not usable("lmdb"), reason="the package lmdb is missing")
class TestLmdb:
    def test_a_table_outgrows_its_first_size(self, bench, write, tmp_path):
        bench.context.settings.lmdb_map_size = 65536
        entries = [(f"key{number}", "x" * 500) for number in range(1000)]
        assert all(write("lmdb", entries))
        assert bench.ask(f"lmdb:{tmp_path / 't'}", "key999") == "x" * 500

    def test_a_reader_follows_a_file_that_outgrew_its_map(self, make_bench, write, tmp_path):
        write("lmdb", [("a", "1")])
        reader = make_bench()
        spec = f"lmdb:{tmp_path / 't'}"
        assert reader.ask(spec, "a") == "1"
        code = (
            "import sys; from types import SimpleNamespace as N; from mailer.interfaces.table import *;"
            "from mailer.tables.lmdb import LmdbWriter;"
            "w = LmdbWriter(sys.argv[1], N(settings=N(lmdb_map_size=1 << 27)), TableOptions(), False);"
            "[w.add(f'key{n}', 'x' * 1000) for n in range(40000)]; w.close()"
        )
        subprocess.run([sys.executable, "-c", code, str(tmp_path / "t")], check=True)
        assert reader.ask(spec, "key39999") == "x" * 1000

    def test_a_lookup_waits_for_a_writer_and_then_answers(self, bench, write, tmp_path):
        write("lmdb", [("a", "1")])
        table = bench.tables.open(f"lmdb:{tmp_path / 't'}")
        with self.locked_elsewhere(tmp_path / "t.lmdb") as release:
            lookup = table.lookup("a")
            waiting = lookup.send(None)
            assert waiting is not None
            release()
        from twisted.internet.defer import Deferred

        result = []
        Deferred.fromCoroutine(self.rest(lookup, waiting)).addCallback(result.append)
        bench.clock.pump([0.01] * 3)
        assert result == ["1"]

    @staticmethod
    async def rest(lookup, waiting):
        while True:
            value = await waiting
            try:
                waiting = lookup.send(value)
            except StopIteration as finished:
                return finished.value

    def test_a_writer_without_end_is_a_temporary_error(self, bench, write, tmp_path):
        write("lmdb", [("a", "1")])
        table = bench.tables.open(f"lmdb:{tmp_path / 't'}")
        from twisted.internet.defer import Deferred

        failures = []
        with self.locked_elsewhere(tmp_path / "t.lmdb"):
            Deferred.fromCoroutine(table.lookup("a")).addErrback(failures.append)
            bench.clock.pump([0.5] * 100)
        assert failures[0].check(TemporaryError)

    def locked_elsewhere(self, path):
        """The exclusive lock is held by a child process."""
        from contextlib import contextmanager

        @contextmanager
        def hold():
            code = (
                "import fcntl, sys; f = open(sys.argv[1], 'r+b'); fcntl.lockf(f, fcntl.LOCK_EX);"
                "print('held', flush=True); sys.stdin.read()"
            )
            child = subprocess.Popen(
                [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            assert child.stdout.readline() == b"held\n"

            def release():
                child.stdin.close()
                child.wait()

            try:
                yield release
            finally:
                release()
                child.stdout.close()

        return hold()

    def test_no_lock_is_left_behind(self, bench, write, tmp_path):
        write("lmdb", [("a", "1")])
        assert bench.ask(f"lmdb:{tmp_path / 't'}", "a") == "1"
        code = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        subprocess.run([sys.executable, "-c", code, str(tmp_path / "t.lmdb")], check=True)

    def test_two_services_of_a_process_share_a_file(self, make_bench, write, tmp_path):
        write("lmdb", [("a", "1")])
        one, two = make_bench(), make_bench()
        spec = f"lmdb:{tmp_path / 't'}"
        assert one.ask(spec, "a") == two.ask(spec, "a") == "1"
        one.tables.close()
        assert two.ask(spec, "a") == "1"


class TestCdb:
    @given(st.dictionaries(st.binary(max_size=12), st.binary(max_size=30), max_size=40))
    def test_what_is_written_is_found(self, entries):
        reader = _Reader(_image(entries))
        assert all(reader.get(key) == value for key, value in entries.items())
        assert reader.get(b"something that is not in it") is None

    def test_a_file_cut_short_is_a_temporary_error(self, bench, write, tmp_path):
        write("cdb", [("a", "1")])
        path = tmp_path / "t.cdb"
        data = path.read_bytes()
        path.write_bytes(data[:2050])
        with pytest.raises(TemporaryError):
            bench.ask(f"cdb:{tmp_path / 't'}", "a")

    def test_pointers_beyond_the_end(self, bench, tmp_path):
        (tmp_path / "t.cdb").write_bytes(struct.pack("<II", 0xFFFFFF00, 5) * 256)
        with pytest.raises(TemporaryError):
            bench.ask(f"cdb:{tmp_path / 't'}", "a")

    def test_no_changing(self, bench, write):
        with pytest.raises(ConfigError, match="inappropriate open flags for cdb database"):
            write("cdb", [], create=False)


class TestBerkeley:
    def test_a_locked_file_is_left_for_the_next_look(self, make_bench, write, tmp_path):
        """postmap of Postfix truncates and fills the file in place, under its lock."""
        write("hash", [("a", "1")])
        reader = make_bench()
        spec = f"hash:{tmp_path / 't'}"
        assert reader.ask(spec, "a") == "1"
        full = (tmp_path / "t.db").read_bytes()
        with open(tmp_path / "t.db", "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.truncate()
            reader.clock.advance(1)
            assert reader.ask(spec, "a") == "1"
            file.write(full.replace(b"1\0\1a\0", b"2\0\1a\0"))
            file.flush()
        reader.clock.advance(1)
        assert reader.ask(spec, "a") == "2"
        assert reader.lines == []

    def test_owner_and_permissions_of_an_existing_file_stay(self, write, tmp_path):
        write("hash", [("a", "1")])
        os.chmod(tmp_path / "t.db", 0o600)
        write("hash", [("a", "2")])
        assert os.stat(tmp_path / "t.db").st_mode & 0o777 == 0o600

    def test_a_link_stays_one(self, bench, write, tmp_path):
        (tmp_path / "real").mkdir()
        write("hash", [("a", "1")], name="real/t")
        (tmp_path / "t.db").symlink_to(tmp_path / "real" / "t.db")
        write("hash", [("a", "2")])
        assert (tmp_path / "t.db").is_symlink()
        assert bench.ask(f"hash:{tmp_path / 'real' / 't'}", "a") == "2"

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
    def test_where_the_directory_is_not_ours_the_file_is_rewritten(self, bench, write, tmp_path):
        write("hash", [(f"key{number}", "1") for number in range(500)])
        for path in [tmp_path, *tmp_path.parents]:
            path.chmod(path.stat().st_mode | 0o055)
        os.chown(tmp_path / "t.db", 65534, 65534)
        before = os.stat(tmp_path / "t.db").st_ino
        os.seteuid(65534)
        try:
            write("hash", [("a", "2")])
            with pytest.raises(ConfigError, match="Permission denied"):
                write("hash", [("a", "2")], name="another")
        finally:
            os.seteuid(0)
        assert os.stat(tmp_path / "t.db").st_ino == before
        assert list(bench.tables.open(f"hash:{tmp_path / 't'}").items()) == [("a", "2")]


def test_locks_are_of_the_kind_that_postfix_uses(tmp_path):
    """fcntl locks of one process do not exclude each other, so a lookup never waits for its own process."""
    path = tmp_path / "x"
    path.touch()
    with open(path, "r+b") as one, open(path, "r+b") as two:
        fcntl.lockf(one, fcntl.LOCK_EX)
        fcntl.lockf(two, fcntl.LOCK_SH | fcntl.LOCK_NB)
