"""The contracts of mailer.testing on this distribution's table and transport, and what is their own."""

from pathlib import Path

import pytest
from mailer_sample.table import CsvTable
from mailer_sample.transport import ArchiveTransport, build
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.threadpool import ThreadPool

from mailer.config.errors import ConfigError
from mailer.interfaces.context import Context
from mailer.testing.log import RecordingLog
from mailer.testing.tables import TableContract, answer
from mailer.testing.threads import ThreadedClock
from mailer.testing.transports import TransportContract

PEOPLE = "name,address,forward\nA User,User@example.com,the value\n"


def open_table(tmp_path, text=PEOPLE, argument="{path}:address:forward"):
    (tmp_path / "people.csv").write_text(text)
    log = RecordingLog()
    context = Context(settings=None, reactor=Clock(), seconds=lambda: 4e9, log=log)
    return CsvTable(argument.format(path=tmp_path / "people.csv"), context), context


class TestCsv(TableContract):
    def build(self, tmp_path):
        return open_table(tmp_path)[0]


def test_rows_that_are_wrong_are_told_with_their_line(tmp_path):
    table, context = open_table(tmp_path, PEOPLE + ",user@example.com,again\nx,,y\n")
    assert list(table.items()) == [("user@example.com", "the value")]
    path = tmp_path / "people.csv"
    assert context.log.lines == [
        f'warning {path}, line 3: duplicate entry: "user@example.com"',
        f"warning {path}, line 4: a row without address",
    ]


def test_a_column_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="no column mail"):
        open_table(tmp_path, argument="{path}:mail:forward")


def test_a_changed_file_is_seen(tmp_path):
    table, context = open_table(tmp_path)
    (tmp_path / "people.csv").write_text("address,forward\nnew@example.com,new\n")
    context.reactor.advance(1)
    assert answer(table.lookup("NEW@example.com")) == "new"


class Reactor(ThreadedClock):
    """A clock with threads."""

    def __init__(self):
        super().__init__()
        self.pool = ThreadPool(0, 2)
        self.pool.start()

    def getThreadPool(self):
        return self.pool


class TestArchive(TransportContract):
    nexthop = "2026"

    @pytest.fixture(autouse=True)
    def place(self, tmp_path):
        self.directory = tmp_path
        self.reactor = Reactor()
        yield
        self.reactor.pool.stop()

    def make_transport(self):
        return ArchiveTransport(self.directory, self.reactor)

    def finish(self, coroutine):
        return self.reactor.wait(Deferred.fromCoroutine(coroutine))

    def delivered(self):
        return [path.read_bytes().partition(b"\r\n")[2] for path in sorted(Path(self.directory).rglob("*.eml"))]

    def test_the_same_content_is_delivered_again_and_again(self):
        """A message that comes again replaces its file, so that a retry makes no second one."""
        for _ in range(3):
            assert self.deliver(self.make_transport(), self.request()).fates == ["one@example.org sent"]
        assert len(self.delivered()) == 1

    def test_a_nexthop_leads_nowhere_else(self):
        request = self.request()
        request.nexthop = "../../etc"
        self.deliver(self.make_transport(), request)
        assert [path.parent.parent for path in self.directory.rglob("*.eml")] == [self.directory]

    def test_a_disk_that_is_full_defers(self):
        (self.directory / "2026").write_text("a file where the directory should be")
        assert self.deliver(self.make_transport(), self.request()).fates == ["one@example.org deferred"]


def test_arguments():
    with pytest.raises(ConfigError, match="expected one directory"):
        build((), Context(settings=None, reactor=Reactor, seconds=None, log=None))
