"""Tables are opened once, what cannot be opened cannot tell, and comes back when it can."""

import pytest
from zope.interface.verify import verifyObject

from mailer.config.errors import ConfigError
from mailer.interfaces.table import ITable, ITables
from mailer.message.status import TemporaryError
from mailer.tables.opening import Tables
from mailer.testing.tables import answer


def test_interfaces(bench):
    assert verifyObject(ITables, bench.tables)
    assert verifyObject(ITable, bench.tables.maps(("static:x",)))
    assert verifyObject(ITable, bench.tables.open("nonsense:x"))


def test_one_name_is_one_table(bench):
    assert bench.tables.open("static:a") is bench.tables.open("static:a")
    assert bench.tables.open("static:a") is not bench.tables.open("static:b")


@pytest.mark.parametrize("spec", ["", ":", "static:", ":x", "plain", "proxy:", "proxy:static:"])
def test_what_is_no_type_and_name_is_refused(bench, spec):
    with pytest.raises(ConfigError) as caught:
        bench.tables.open(spec)
    assert str(caught.value) == f'open dictionary: expecting "type:name" form instead of "{spec}"'


def test_an_unknown_type_cannot_tell(bench):
    table = bench.tables.open("foo:bar")
    assert bench.lines == ["error unsupported dictionary type: foo"]
    assert bench.tables.problems == ["foo:bar is unavailable: unsupported dictionary type: foo"]
    with pytest.raises(TemporaryError):
        answer(table.lookup("key"))
    assert bench.lines[1] == "warning foo:bar is unavailable. unsupported dictionary type: foo"


def test_a_missing_file_cannot_tell_until_it_is_there(bench, tmp_path):
    path = tmp_path / "table"
    spec = f"texthash:{path}"
    maps = bench.tables.maps((spec,))
    with pytest.raises(TemporaryError):
        answer(maps.lookup("key"))
    assert bench.lines[:2] == [
        f"error open database {path}: No such file or directory",
        f"warning {spec} is unavailable. open database {path}: No such file or directory",
    ]
    path.write_text("key value\n")
    with pytest.raises(TemporaryError):
        answer(maps.lookup("key"))  # not looked for again within a second
    bench.clock.advance(1)
    assert answer(maps.lookup("key")) == "value"
    assert bench.tables.open(spec).name == spec


def test_strict_tables_refuse_what_cannot_be_opened(bench):
    with pytest.raises(ConfigError, match="unsupported dictionary type: foo"):
        Tables(bench.context, bench.tables.options, strict=True).open("unionmap:{static:x,foo:bar}")


def test_proxy_opens_the_table_itself_if_proxymap_would(bench):
    bench.context.settings.text = {"proxy_read_maps": "texthash:x, proxy:static:x proxy:static:z"}.__getitem__
    assert bench.ask("proxy:static:x", "key") == "x"
    assert bench.ask("proxy:proxy:static:x", "key") == "x"
    for spec in ("proxy:static:y", "proxy:texthash:x"):
        with pytest.raises(TemporaryError):
            bench.ask(spec, "key")
    assert bench.tables.problems[0] == (
        'proxy:static:y is unavailable: request for unapproved table: "static:y"'
        " (list proxy:static:y in main.cf:proxy_read_maps)"
    )
    assert bench.ask("static:y", "key") == "y"


def test_tables_within_tables_end(bench):
    spec = "static:x"
    for _ in range(150):
        spec = "pipemap:{" + spec + "}"
    with pytest.raises(TemporaryError):
        bench.ask(spec, "key")
    assert "too many" in bench.lines[0]


def test_secured_tables_are_others(bench, tmp_path):
    secured = bench.tables.secured()
    assert secured.options.secure and secured.secured() is secured
    spec = "regexp:{{/^(.*)@x/ $1}, {/^y/ fixed}}"
    assert bench.ask(spec, "a@x") == "a"
    table = secured.open(spec)
    assert answer(table.lookup("a@x")) is None
    assert answer(table.lookup("y")) == "fixed"
    assert bench.lines[-1].endswith("regular expression substitution is not allowed: skipping this rule")
    assert secured.problems is bench.tables.problems


class TestMaps:
    def test_no_tables_find_nothing(self, bench):
        maps = bench.tables.maps(())
        assert not maps and answer(maps.lookup("x")) is None and maps.fixed is maps

    def test_the_first_that_finds(self, bench):
        maps = bench.tables.maps(("inline:{a=1}", "inline:{a=2,b=3}"))
        assert [answer(maps.lookup(key)) for key in "abc"] == ["1", "3", None]

    def test_one_that_cannot_tell_ends_the_search(self, bench):
        maps = bench.tables.maps(("inline:{a=1}", "fail:x", "static:y"), "relocated_maps")
        assert answer(maps.lookup("a")) == "1"
        with pytest.raises(TemporaryError):
            answer(maps.lookup("b"))
        assert bench.lines == ['warning fail:x lookup error for "b"']

    def test_an_empty_value_is_an_error(self, bench):
        maps = bench.tables.maps(("inline:{a=}",), "relocated_maps")
        with pytest.raises(TemporaryError):
            answer(maps.lookup("a"))
        assert bench.lines == [
            "warning relocated_maps lookup of a returns an empty string result",
            "warning relocated_maps should return NO RESULT in case of NOT FOUND",
        ]

    def test_fixed_leaves_out_patterns(self, bench):
        maps = bench.tables.maps(("regexp:{{/a/ 1}}", "inline:{a=2}", "cidr:{{1.2.3.4 x}}"))
        assert maps.pattern and not maps.fixed.pattern
        assert answer(maps.lookup("a")) == "1" and answer(maps.fixed.lookup("a")) == "2"
        assert maps.fixed is maps.fixed
