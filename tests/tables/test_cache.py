"""Caches that outlive a restart."""

from types import SimpleNamespace

import pytest
from threads import InlineThreads

from mailer.interfaces.context import Context
from mailer.interfaces.table import TableOptions
from mailer.tables.berkeley import btree_writer
from mailer.tables.cache import Cache
from mailer.testing.log import RecordingLog
from mailer.testing.tables import answer


class Place:
    def __init__(self):
        self.clock = InlineThreads()
        self.log = RecordingLog()
        settings = SimpleNamespace(smtputf8_enable=True, lmdb_map_size=16777216)
        tables = SimpleNamespace(options=TableOptions())
        self.context = Context(
            settings=settings, reactor=self.clock, seconds=lambda: 1000.0, log=self.log, tables=tables
        )

    def open(self, spec, **more):
        return Cache(spec, self.context, "test", **more)


@pytest.fixture
def place():
    return Place()


@pytest.mark.parametrize("type", ["btree", "lmdb", "proxy:btree"])
def test_entries_outlive_the_process(place, tmp_path, type):
    spec = f"{type}:{tmp_path}/cache"
    cache = place.open(spec)
    cache.put("a@example.com", "0:0:1:fine")
    cache.put("b@example.com", "x")
    cache.put("b\udcff@example.com", "text \udcff")
    cache.delete("b@example.com")
    assert cache.get("b@example.com") is None
    cache.close()
    again = place.open(spec)
    assert again.get("a@example.com") == "0:0:1:fine"
    assert again.get("b@example.com") is None
    assert again.get("b\udcff@example.com") == "text \udcff"
    assert len(again) == 2
    again.close()
    assert place.log.lines == []


def test_changes_are_written_without_an_end(place, tmp_path):
    cache = place.open(f"btree:{tmp_path}/cache")
    cache.put("key", "value")
    place.clock.advance(1)
    other = place.open(f"btree:{tmp_path}/cache")
    assert other.get("key") == "value"
    other.close()
    cache.close()


def test_a_shared_cache_finds_what_others_wrote(place, tmp_path):
    spec = f"btree:{tmp_path}/cache"
    one, other = place.open(spec, shared=True), place.open(spec, shared=True)
    one.put("key", "value")
    place.clock.advance(1)
    assert other.get("key") is None
    assert answer(other.find("key")) == "value"
    assert answer(other.find("no such key")) is None
    one.close()
    other.close()


def test_nothing_is_written_for_a_cache_in_memory(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for spec in ("", "internal:thing"):
        cache = place.open(spec)
        cache.put("key", "value")
        place.clock.advance(2)
        assert cache.get("key") == "value"
        cache.close()
    assert list(tmp_path.iterdir()) == []
    assert place.open("").name == "internal:test"


def test_a_file_that_cannot_be_used_is_told_and_costs_nothing_else(place, tmp_path):
    (tmp_path / "cache.sqlite").write_bytes(b"no database at all, but long enough to be taken for one" * 30)
    cache = place.open(f"btree:{tmp_path}/cache")
    cache.put("key", "value")
    assert cache.get("key") == "value"
    cache.close()
    place.open(f"btree:{tmp_path}/nowhere/cache").close()
    assert [line.split(":")[0] for line in place.log.lines] == ["warning btree", "warning btree"]


def test_what_postfix_has_left_is_taken_over_once(place, tmp_path):
    writer = btree_writer(f"{tmp_path}/cache", None, TableOptions(), True)
    writer.add("a@example.com", "0:0:1:fine")
    writer.close()
    spec = f"btree:{tmp_path}/cache"
    cache = place.open(spec)
    assert cache.get("a@example.com") == "0:0:1:fine"
    cache.delete("a@example.com")
    cache.close()
    again = place.open(spec)
    assert again.get("a@example.com") is None
    again.close()
    assert place.log.lines == [f"info cache {spec}: 1 entries taken over from {tmp_path}/cache.db"]


def test_what_cannot_be_taken_over_is_told(place, tmp_path):
    (tmp_path / "cache.db").write_bytes(b"no Berkeley DB file" * 100)
    place.open(f"btree:{tmp_path}/cache").close()
    (line,) = place.log.lines
    assert line.startswith("warning btree:") and line.endswith(f"nothing is taken over from {tmp_path}/cache.db")


def test_a_write_that_fails_is_told(place, tmp_path):
    cache = place.open(f"btree:{tmp_path}/cache")
    cache._file._connection.execute("drop table entry")
    cache.put("key", "value")
    place.clock.advance(1)
    assert "cannot be written" in place.log.lines[0]
    assert cache.get("key") == "value"
    cache.close()


def test_cleaning(place, tmp_path):
    spec = f"btree:{tmp_path}/cache"
    cache = place.open(spec)
    for number in range(5):
        cache.put(str(number), str(number))
    cache.clean_if_due(1000.0, 3600, lambda value: value > "2")
    cache.clean_if_due(2000.0, 3600, lambda value: False)
    assert len(cache) == 2
    cache.clean_if_due(9000.0, 0, lambda value: False)
    cache.clean_if_due(9000.0, 3600, lambda value: value == "4")
    cache.close()
    again = place.open(spec)
    assert len(again) == 1
    again.clean_if_due(9500.0, 3600, lambda value: False)
    assert len(again) == 1
    again.close()
    assert place.log.lines == [
        f"info cache {spec} full cleanup: retained=2 dropped=3 entries",
        f"info cache {spec} full cleanup: retained=1 dropped=1 entries",
    ]
