"""Contexts with a clock of their own, and tables opened in them."""

from types import SimpleNamespace

import pytest
from twisted.internet.task import Clock

from mailer.interfaces.context import Context
from mailer.interfaces.table import TableOptions
from mailer.tables.opening import Tables
from mailer.testing.log import RecordingLog
from mailer.testing.tables import answer


class Bench:
    """A service's tables on a bench: ``clock``, ``log``, ``tables``, and ``ask(spec, key)``.

    ``now`` is the wall clock; it starts far from the times of files that a test writes.
    """

    def __init__(self, **options):
        self.clock = Clock()
        self.log = RecordingLog()
        self.now = 4e9
        settings = SimpleNamespace(
            smtputf8_enable=True,
            lmdb_map_size=16777216,
            berkeley_db_read_buffer_size=131072,
            berkeley_db_create_buffer_size=1048576,
            alias_maps=(),
            alias_database=(),
            myhostname="mx.example.com",
        )
        context = Context(settings=settings, reactor=self.clock, seconds=lambda: self.now, log=self.log)
        self.tables = Tables(context, TableOptions(**options))
        self.context = self.tables._context

    def ask(self, spec, key):
        return answer(self.tables.open(spec).lookup(key))

    @property
    def lines(self):
        return self.log.lines


@pytest.fixture
def bench():
    made = Bench()
    yield made
    made.tables.close()


@pytest.fixture
def make_bench():
    made = []

    def make(**options):
        made.append(Bench(**options))
        return made[-1]

    yield make
    for each in made:
        each.tables.close()
