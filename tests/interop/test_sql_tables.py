"""sqlite:, pgsql: and mysql: tables beside the real postmap on the same data base, and servers that stop, hang and return."""

import os
import random
import sqlite3
import subprocess
import sys
from types import SimpleNamespace

import pytest
from databases import MariaDb, PostgreSql
from twisted.internet.defer import Deferred

from mailer.interfaces.context import Context
from mailer.interfaces.table import TableOptions
from mailer.message.status import TemporaryError
from mailer.tables.opening import Tables
from mailer.testing.log import RecordingLog
from mailer.testing.threads import ThreadedClock

POSTMAP = "/usr/sbin/postmap"
OURS = [sys.executable, "-c", "import sys; from mailer.commands.postmap import main; sys.exit(main())"]
ENTRIES = [
    ("user@example.com", "one", "x", 1),
    ("user@example.com", "two", None, 2),
    ("null@example.com", None, None, 3),
    ("empty@example.com", "", None, 3),
    ("o'quote@example.com", "quoted", None, 1),
    ("back\\slash@example.com", "back\\slash", None, 1),
    ('"quo ted"@example.com', '"x"', None, 1),
    ("100%@example.com", "100%s", None, 1),
    ("bücher@example.com", "grün", None, 1),
    ("address@sub.example.com", "a@b.example", "d@e.example", 1),
    ("list@example.com", "a,b, c", "@", 1),
    ("example.com", "domain", None, 1),
    ("@example.com", "catch-all", None, 1),
    ("user", "plain", None, 1),
]
TABLE = "create table mail (k varchar(300), v varchar(300), w varchar(300), n integer)"
QUERIES = {
    "whole": "query = SELECT v FROM mail WHERE k = '%s' ORDER BY n",
    "parts": "query = SELECT v FROM mail WHERE k = '%u@%d' ORDER BY n",
    "columns": "query = SELECT v, w, n FROM mail WHERE k = '%s' ORDER BY n",
    "labels": "query = SELECT v FROM mail WHERE k = '%u@%3.%2.%1' OR k = '%2.%1' ORDER BY n",
    "format": "query = SELECT v FROM mail WHERE k = '%s' ORDER BY n\nresult_format = <%u|%d|%s|%S|%U|%D|%1|%%>",
    "domain": "query = SELECT v FROM mail WHERE k = '%s' ORDER BY n\ndomain = sub.example.com, example.org",
    "old": "select_field = v\ntable = mail\nwhere_field = k\nadditional_conditions = AND n = 1",
    "limit": "query = SELECT v FROM mail WHERE k = '%s' ORDER BY n\nexpansion_limit = 2",
}


def keys():
    """Some thousand, of the kinds that find something and of the kinds that should do no harm."""
    chance = random.Random(11)
    found = [key for key, *_ in ENTRIES for key in (key, key.upper(), key.title())]
    alphabet = "abcXYZ019.-+_'\"\\%@;() $\t{}`/*#"
    for _ in range(400):
        local = "".join(chance.choice(alphabet) for _ in range(chance.randrange(0, 12)))
        domain = chance.choice(
            ("example.com", "Example.COM", "sub.example.com", "x", "", "a.b.c.d.example", ".", "..x")
        )
        found.append(f"{local}@{domain}" if chance.random() < 0.7 else local)
    found += [
        "x" * 5000,
        "'; DROP TABLE mail; --",
        "\\'; DROP TABLE mail; --",
        "' OR ''='",
        "\\",
        "'",
        "''",
        "@",
        "a@",
        "@b",
    ]
    return [key for key in dict.fromkeys(found) if key]


class Fixture:
    """A data base with the entries, and the parameters that lead to it."""

    def __init__(self, type, login, server=None):
        self.type = type
        self.login = login
        self.server = server

    def __repr__(self):
        return self.type


def _insert(server, escape_backslash):
    server.sql(TABLE)
    rows = []
    for row in ENTRIES:
        texts = []
        for column in row:
            if isinstance(column, str):
                text = column.replace("'", "''")
                texts.append("'" + (text.replace("\\", "\\\\") if escape_backslash else text) + "'")
            else:
                texts.append("NULL" if column is None else str(column))
        rows.append(f"({', '.join(texts)})")
    server.sql(f"insert into mail values {', '.join(rows)}")


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """Each started when it is asked for first."""
    made = {}

    def make(type):
        if type in made:
            return made[type]
        server = None
        if type == "sqlite":
            path = tmp_path_factory.mktemp("sqlite") / "mail.db"
            with sqlite3.connect(path) as database:
                database.execute(TABLE)
                database.executemany("insert into mail values (?, ?, ?, ?)", ENTRIES)
            login = f"dbpath = {path}\n"
        else:
            kind, package = {"pgsql": (PostgreSql, "psycopg"), "mysql": (MariaDb, "pymysql")}[type]
            if kind.missing():
                pytest.skip(kind.missing())
            pytest.importorskip(package)
            server = kind()
            if type == "pgsql":
                server.sql("create database mail", "postgres")
            _insert(server, type == "mysql")
            login = f"hosts = 127.0.0.1:{server.port}\nuser = mail\npassword = secret\ndbname = mail\n"
            # Postfix before 3.8 knows LATIN1 only.
            login += "encoding = LATIN1\n" if type == "pgsql" else ""
        made[type] = Fixture(type, login, server)
        return made[type]

    yield make
    for each in made.values():
        if each.server is not None:
            each.server.close()


def supported(type):
    if not os.path.exists(POSTMAP):
        return False
    return type in subprocess.run(["/usr/sbin/postconf", "-m"], capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize("type", ["sqlite", "pgsql", "mysql"])
def test_the_real_postmap_finds_the_same(type, servers, tmp_path):
    if not supported(type):
        pytest.skip(f"no Postfix here that knows {type}")
    place = servers(type)
    (tmp_path / "main.cf").write_text(f"compatibility_level = 3.6\nqueue_directory = {tmp_path}\n")
    asked = "\n".join(keys()).encode() + b"\n"
    for name, query in QUERIES.items():
        (tmp_path / "t.cf").write_text(place.login + query + "\n")
        command = ["-c", str(tmp_path), "-q", "-", f"{type}:{tmp_path}/t.cf"]
        real = subprocess.run([POSTMAP, *command], input=asked, capture_output=True, timeout=60)
        ours = subprocess.run([*OURS, *command], input=asked, capture_output=True, timeout=60)
        assert (name, ours.stdout, ours.stderr, ours.returncode) == (name, real.stdout, real.stderr, real.returncode)
        assert name in ("domain",) or real.stdout.count(b"\n") >= 2


class Reactor(ThreadedClock):
    """With threads."""

    getThreadPool = staticmethod(lambda: None)


class Bench:
    """Tables of a service with threads, whose time stands still."""

    def __init__(self, directory, type, text):
        self.clock = Reactor()
        self.log = RecordingLog()
        path = directory / "t.cf"
        path.write_text(text)
        settings = SimpleNamespace(smtputf8_enable=True)
        context = Context(settings=settings, reactor=self.clock, seconds=lambda: 4e9, log=self.log)
        self.tables = Tables(context, TableOptions())
        self.table = self.tables.open(f"{type}:{path}")

    def ask(self, key="user@example.com"):
        return self.clock.finish(self.table.lookup(key))


@pytest.fixture
def bench(servers, tmp_path):
    made = []

    def make(type, more="", query=QUERIES["whole"], login=None):
        place = servers(type)
        made.append(Bench(tmp_path, type, (login or place.login) + query + "\n" + more))
        made[-1].server = place.server
        return made[-1]

    yield make
    for each in made:
        each.tables.close()


@pytest.mark.parametrize("type", ["sqlite", "pgsql", "mysql"])
class TestInThreads:
    def test_answers_come_from_threads(self, type, bench):
        made = bench(type)
        assert made.ask() == "one,two"
        assert made.ask("nobody@example.com") is None
        several = [Deferred.fromCoroutine(made.table.lookup(f"x{n}@example.com")) for n in range(20)]
        while not all(each.called for each in several):
            made.clock.turn()
        assert made.log.lines == []

    def test_an_error_of_the_query_is_temporary(self, type, bench):
        made = bench(type, query="query = SELECT nonsense FROM nowhere")
        with pytest.raises(TemporaryError):
            made.ask()
        assert len(made.log.lines) == 1 and "nowhere" in made.log.lines[0]

    def test_the_next_version_is_seen(self, type, bench):
        """No answer is kept as fresh unless that is asked for."""
        made = bench(type, query="query = SELECT count(*) FROM mail WHERE k <> '%s'")
        assert made.ask("a") == made.ask("a") == str(len(ENTRIES))
        assert made.table.shelter.asked == 2


@pytest.mark.parametrize("type", ["pgsql", "mysql"])
class TestServers:
    def test_a_restarted_server_is_not_noticed(self, type, bench):
        made = bench(type)
        assert made.ask() == "one,two"
        made.server.stop()
        made.server.start()
        assert made.ask() == "one,two"
        assert made.log.lines == []

    def test_the_next_host_answers(self, type, bench, servers):
        login = servers(type).login.replace("hosts = ", "hosts = 127.0.0.1:1 unix:/nowhere ")
        made = bench(type, login=login)
        for _ in range(5):
            assert made.ask() == "one,two"
        told = [line for line in made.log.lines if "is away" in line]
        assert len(told) == len(made.log.lines) and 1 <= len(told) <= 2

    def test_while_it_is_away_an_older_answer_serves_and_none_is_made_up(self, type, bench):
        made = bench(type)
        assert made.ask() == "one,two"
        made.server.stop()
        try:
            assert made.ask() == "one,two"
            with pytest.raises(TemporaryError):
                made.ask("nobody@example.com")
        finally:
            made.server.start()
        made.clock.advance(6)
        assert made.ask("nobody@example.com") is None

    def test_a_server_that_hangs_costs_its_time_limit_and_no_thread(self, type, bench):
        made = bench(type, more="pool_size = 1\nquery_time_limit = 2\n")
        assert made.ask() == "one,two"
        made.server.freeze()
        try:
            results = []
            Deferred.fromCoroutine(made.table.lookup("nobody@example.com")).addBoth(results.append)
            assert not results
            made.clock.advance(2)
            assert results[0].check(TemporaryError)
        finally:
            made.server.thaw()
        made.clock.turn()  # the only thread, whose connection was cut
        made.clock.advance(6)
        assert made.ask("nobody@example.com") is None


def test_missing_data_bases_are_not_made(tmp_path):
    made = Bench(tmp_path, "sqlite", f"dbpath = {tmp_path}/none.db\nquery = SELECT 1\n")
    with pytest.raises(TemporaryError):
        made.ask()
    assert not (tmp_path / "none.db").exists()
    assert "unable to open" in made.log.lines[0]


def test_sqlite_numbers_read_as_its_own_shell_writes_them(tmp_path):
    sqlite3.connect(tmp_path / "x.db").close()
    for number, text in (
        ("1.50", "1.5"),
        ("2.0", "2.0"),
        ("1e20", "1.0e+20"),
        ("7", "7"),
        ("1/3.0", "0.333333333333333"),
    ):
        made = Bench(tmp_path, "sqlite", f"dbpath = {tmp_path}/x.db\nquery = SELECT {number}\n")
        assert made.ask() == text
        made.tables.close()
