"""Parameter files of tables on servers, and the old style in main.cf."""

from types import SimpleNamespace

import pytest

from mailer.config.errors import ConfigError
from mailer.config.load import from_text
from mailer.tables.parameters import Parameters
from mailer.testing.log import RecordingLog

FILE = """\
# a comment
server_host = ldap://one
    ldap://two, three
foo = $bar
size_limit = 7
bind = YES
wrong = 5s
ttl = 1.5m
size_limit = 8
"""


def context(main=""):
    return SimpleNamespace(settings=from_text(main).settings, log=RecordingLog())


@pytest.fixture
def parameters(tmp_path):
    path = tmp_path / "t.cf"
    path.write_text(FILE)
    where = context()
    made = Parameters(str(path), where)
    made.log = where.log
    return made


def test_a_file(parameters):
    assert parameters.words("server_host") == ("ldap://one", "ldap://two", "three")
    assert parameters.text("foo") == "$bar"
    assert parameters.integer("size_limit", 0) == 8
    assert parameters.boolean("bind", False) is True
    assert parameters.seconds("ttl", 0) == 90
    assert parameters.is_set("foo") and not parameters.is_set("nonsense")
    assert parameters.text("none", "other") == "other" and parameters.integer("none", 5) == 5
    assert parameters.log.lines == [
        f"warning {parameters.name}, line 9: overriding earlier entry: size_limit=7",
    ]


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (lambda p: p.integer("wrong", 0), "bad numerical configuration: wrong = 5s"),
        (lambda p: p.boolean("wrong", False), "bad boolean configuration: wrong = 5s"),
        (lambda p: p.integer("size_limit", 0, 9), "invalid size_limit parameter value 8 < 9"),
        (lambda p: p.seconds("foo", 0), "bad time value or unit: foo = $bar"),
    ],
)
def test_wrong_values(parameters, read, text):
    with pytest.raises(ConfigError) as raised:
        read(parameters)
    assert str(raised.value) == f"{parameters.name}: {text}"


def test_main_cf():
    parameters = Parameters(
        "people", context("people_server_host = $host:389\nhost = ldap.example\nserver_host = no\n")
    )
    assert parameters.text("server_host") == "ldap.example:389"
    assert parameters.text("scope", "sub") == "sub"


def test_a_missing_file_and_a_line_that_sets_nothing(tmp_path):
    with pytest.raises(ConfigError, match="^open /nonexistent.cf: No such file or directory$"):
        Parameters("/nonexistent.cf", context())
    (tmp_path / "t.cf").write_text("a = b\nnonsense\n")
    with pytest.raises(ConfigError, match="line 2: missing '=' after attribute name"):
        Parameters(str(tmp_path / "t.cf"), context())
