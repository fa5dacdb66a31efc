"""A file's content stays current, and no lookup fails while it changes."""

import os

import pytest
from twisted.internet.task import Clock

from mailer.config.errors import ConfigError
from mailer.interfaces.context import Context
from mailer.tables.watched import SMALL, Watched
from mailer.testing.log import RecordingLog


class Pool:
    """A thread pool that works when told to."""

    def __init__(self):
        self.waiting = []

    def callInThreadWithCallback(self, done, function):
        self.waiting.append((done, function))

    def work(self):
        from twisted.python.failure import Failure

        for done, function in self.waiting:
            try:
                result = function()
            except Exception:
                done(False, Failure())
            else:
                done(True, result)
        self.waiting = []


class ThreadedClock(Clock):
    def __init__(self):
        super().__init__()
        self.pool = Pool()

    def getThreadPool(self):
        return self.pool

    def callFromThread(self, function, *arguments):
        function(*arguments)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "file", Clock())


class Place:
    def __init__(self, path, clock):
        self.path = path
        self.clock = clock
        self.now = 4e9
        self.log = RecordingLog()
        self.parsed = []
        self.context = Context(settings=None, reactor=clock, seconds=lambda: self.now, log=self.log)

    def open(self):
        return Watched(str(self.path), self.context, self.parse, "open database")

    def parse(self, text, warn):
        self.parsed.append(text)
        if "broken" in text:
            raise ConfigError("this makes no sense")
        if "odd" in text:
            warn("an odd line")
        return text


def test_read_once_while_nothing_changes(place):
    place.path.write_text("one")
    file = place.open()
    for _ in range(5):
        place.clock.advance(10)
        assert file.current() == "one"
    assert place.parsed == ["one"]


def test_a_change_is_seen_after_a_second(place):
    place.path.write_text("one")
    file = place.open()
    place.path.write_text("two odd")
    assert file.current() == "one"
    place.clock.advance(1)
    assert file.current() == "two odd"
    assert place.log.lines == ["warning an odd line"]


def test_the_file_is_looked_at_once_a_second_at_most(place, monkeypatch):
    place.path.write_text("one")
    file = place.open()
    looked = []
    stat = os.stat
    monkeypatch.setattr(os, "stat", lambda *a, **k: looked.append(1) or stat(*a, **k))
    for _ in range(40):
        place.clock.advance(0.25)
        file.current()
    assert len(looked) <= 11


def test_a_replaced_file_of_the_same_size_and_time_is_seen(place):
    place.path.write_text("one")
    status = os.stat(place.path)
    file = place.open()
    other = place.path.with_suffix(".new")
    other.write_text("two")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.rename(other, place.path)
    place.clock.advance(1)
    assert file.current() == "two"


def test_a_file_that_may_still_be_being_written_is_left_alone(place):
    place.path.write_text("one")
    file = place.open()
    place.path.write_text("two, the first ha")
    place.now = os.stat(place.path).st_mtime + 0.5
    place.clock.advance(1)
    assert file.current() == "one"
    place.path.write_text("two, the first half, the second half")
    place.now = os.stat(place.path).st_mtime + 1.5
    place.clock.advance(1)
    assert file.current() == "two, the first half, the second half"


def test_a_broken_version_is_told_once_and_the_old_one_kept(place):
    place.path.write_text("one")
    file = place.open()
    place.path.write_text("broken")
    for _ in range(3):
        place.clock.advance(1)
        assert file.current() == "one"
    assert place.log.lines == [
        f"warning {place.path} has changed and cannot be read, going on with what it was: this makes no sense"
    ]
    place.path.write_text("mended")
    place.clock.advance(1)
    assert file.current() == "mended"


def test_a_missing_file_is_told_and_found_again(place):
    place.path.write_text("one")
    file = place.open()
    place.path.unlink()
    place.clock.advance(1)
    assert file.current() == "one"
    assert place.log.lines[0].endswith("No such file or directory")
    place.path.write_text("two")
    place.clock.advance(1)
    assert file.current() == "two"


def test_a_large_file_is_read_on_a_thread(tmp_path):
    place = Place(tmp_path / "file", ThreadedClock())
    place.path.write_text("one")
    file = place.open()
    large = "x" * (SMALL + 1)
    place.path.write_text(large)
    place.clock.advance(1)
    assert file.current() == "one"
    place.clock.advance(1)
    assert file.current() == "one"
    assert len(place.clock.pool.waiting) == 1  # not read twice at a time
    place.clock.pool.work()
    assert file.current() == large


def test_a_large_broken_file_is_told(tmp_path):
    place = Place(tmp_path / "file", ThreadedClock())
    place.path.write_text("one")
    file = place.open()
    place.path.write_text("broken" * SMALL)
    place.clock.advance(1)
    file.current()
    place.clock.pool.work()
    assert file.current() == "one"
    assert "this makes no sense" in place.log.lines[0]


def test_a_missing_file_at_start_is_an_error(place):
    with pytest.raises(ConfigError) as caught:
        place.open()
    assert str(caught.value) == f"open database {place.path}: No such file or directory"
