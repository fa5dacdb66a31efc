"""static, inline, environ, randmap, unionmap, pipemap, fail, unix, internal."""

import os
import pwd

import pytest

from mailer.config.errors import ConfigError
from mailer.message.status import TemporaryError
from mailer.tables.randmap import RandomTable
from mailer.testing.tables import answer


def refused(bench, spec):
    with pytest.raises(ConfigError) as caught:
        bench.tables.build(spec)
    return str(caught.value)


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ("static:foo", "foo"),
        ("static:{ some words }", "some words"),
        ("static:{}x}", None),
        ("inline:{a=b}", None),
        ("inline:{KEY=v}", "v"),
        ("inline:{ {key = some words}, x=y }", "some words"),
        ("inline:{key=1,key=2}", "2"),
        ("inline:{key=a=b}", "a=b"),
        ("inline:{ {key={1}} }", "{1}"),
        ("unionmap:{static:a, inline:{key=b} static:{c d}}", "a,b,c d"),
        ("unionmap:{inline:{x=y}}", None),
        ("pipemap:{static:a,inline:{a=b}}", "b"),
        ("pipemap:{static:a,inline:{x=b},fail:x}", None),
        ("randmap:{one}", "one"),
        ("internal:x", None),
    ],
)
def test_lookup(bench, spec, value):
    if value is None and spec == "static:{}x}":
        assert "syntax error after '}'" in refused(bench, spec)
    else:
        assert bench.ask(spec, "Key") == value
        assert bench.lines == []


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("static:{ x", "bad static:name syntax: missing '}' in \"{ x\""),
        ("inline:{a=b", 'bad syntax: "inline:{a=b"; need "inline:{name=value...}"'),
        ("inline:a=b", 'bad syntax: "inline:a=b"; need "inline:{name=value...}"'),
        ("inline:{}", 'bad syntax: "inline:{}"; need "inline:{name=value...}"'),
        ("inline:{ }", 'empty table: "inline:{ }"; need "inline:{name=value...}"'),
        ("inline:{a}", 'missing \'=\' after attribute name: "inline:{a}"; need "inline:{name=value...}"'),
        ("inline:{x=y},y=2}", 'bad syntax: "inline:{x=y},y=2}"; need "inline:{name=value...}"'),
        ("inline:{x=\udcff}", 'bad UTF-8 syntax: "inline:{x=\udcff}"; need "inline:{name=value...}"'),
        (
            "inline:{ {a=b}c }",
            'syntax error after \'}\' in "{a=b}c": "inline:{ {a=b}c }"; need "inline:{name=value...}"',
        ),
        ("unionmap:{}", 'bad syntax: "unionmap:{}"; need "unionmap:{type:name...}"'),
        ("unionmap:{a,static:b}", 'bad syntax: "unionmap:{a,static:b}"; need "unionmap:{type:name...}"'),
        ("pipemap:foo", 'bad syntax: "pipemap:foo"; need "pipemap:{type:name...}"'),
        ("randmap:{ , }", 'bad syntax: "randmap:{ , }"; need "randmap:{value...}"'),
        ("unix:shadow", "unknown table: unix:shadow"),
    ],
)
def test_wrong_syntax(bench, spec, problem):
    assert refused(bench, spec) == problem


def test_without_folding(make_bench):
    bench = make_bench(fold=False)
    assert bench.ask("inline:{Key=1}", "key") is None
    assert bench.ask("inline:{Key=1}", "Key") == "1"


def test_folding_knows_unicode_only_with_utf8(make_bench):
    assert make_bench().ask("inline:{É=1}", "é") == "1"
    assert make_bench(utf8=False).ask("inline:{É=1}", "é") is None
    assert make_bench(utf8=False).ask("inline:{Éx=1}", "ÉX") == "1"


def test_keys_and_values_that_are_not_utf8(bench, make_bench):
    assert bench.ask("static:x", "\udcff") is None
    assert bench.lines == ['warning static:x: non-UTF-8 key "?": malformed UTF-8 or invalid codepoint']
    with pytest.raises(TemporaryError):
        bench.ask("static:a\udcff", "x")
    assert bench.lines[1] == (
        'warning static:a\udcff: key "x": non-UTF-8 value "a?": malformed UTF-8 or invalid codepoint'
    )
    assert make_bench(utf8=False).ask("static:a\udcff", "\udcff") == "a\udcff"


def test_environ_knows_case(bench, monkeypatch):
    monkeypatch.setitem(os.environ, "Some_Name", "value")
    assert bench.ask("environ:x", "Some_Name") == "value"
    assert bench.ask("environ:x", "some_name") is None


def test_randmap_chooses(bench):
    chosen = iter([2, 0])
    table = RandomTable("{a,b,{c d}}", bench.context, choose=lambda values: values[next(chosen)])
    assert [answer(table.lookup("x")), answer(table.lookup("x"))] == ["{c d}", "a"]
    assert table.pattern


def test_fail_always_fails(bench):
    for spec in ("fail:x", "unionmap:{static:a,fail:x}", "pipemap:{fail:x}"):
        with pytest.raises(TemporaryError):
            bench.ask(spec, "key")


def test_a_composite_is_a_pattern_if_a_part_is(bench):
    assert bench.tables.open("unionmap:{static:a,cidr:{{1.2.3.4 x}}}").pattern
    assert not bench.tables.open("pipemap:{static:a,static:b}").pattern


def test_unix_accounts(bench):
    root = pwd.getpwuid(0)
    line = bench.ask("unix:passwd.byname", root.pw_name.upper())
    assert line.split(":")[:4] == [root.pw_name, "x", "0", str(root.pw_gid)]
    assert bench.ask("unix:passwd.byname", "no-such-account") is None
    assert bench.ask("unix:group.byname", "no-such-group") is None
    assert bench.ask("unix:passwd.byname", "a\0b") is None


def test_unix_answers_are_kept_for_a_moment(bench):
    asked = []
    table = bench.tables.open("unix:passwd.byname")
    table._ask = lambda name: asked.append(name) or f"{name}:x"
    for _ in range(3):
        assert answer(table.lookup("me")) == "me:x"
    assert asked == ["me"]
    bench.clock.advance(3)
    assert answer(table.lookup("me")) == "me:x"
    assert asked == ["me", "me"]


def test_unix_trouble_is_temporary(bench):
    def ask(name):
        raise OSError("directory server gone")

    table = bench.tables.open("unix:passwd.byname")
    table._ask = ask
    with pytest.raises(TemporaryError):
        answer(table.lookup("me"))


def test_internal_holds_what_it_is_given(bench):
    table = bench.tables.open("internal:x")
    table.store("Key", "value")
    assert bench.ask("internal:x", "key") == "value"
    assert list(table.items()) == [("key", "value")]
