"""$name expansion: every form of postconf(5), every way to get it wrong, and what hostile text can do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.config.errors import ConfigError
from mailer.config.expand import expand, parse_level, references

VALUES = {"foo": "bar", "empty": "", "ten": "10", "indirect": "$foo/$ten", "emptied": "$empty"}


def run(text, values=VALUES):
    return expand(text, values.get)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$foo", "bar"),
        ("${foo}", "bar"),
        ("$(foo)", "bar"),
        ("${ foo }", "bar"),
        ("$foo.bar-$foo", "bar.bar-bar"),
        ("$indirect", "bar/10"),
        ("$unknown|${unknown}", "|"),
        ("${ }", ""),
        ("$$foo $$$foo", "$foo $bar"),
        ("${foo?yes}${empty?no}", "yes"),
        ("${foo:no}${empty:yes}${unknown:too}", "yestoo"),
        ("[${foo? a }]", "[ a ]"),
        ("[${foo?{ a }:{ b }}]", "[ a ]"),
        ("${empty?{a}:{b}}", "b"),
        ("${emptied?{a}:{b}}", "a"),  # the text is looked at before it is expanded
        ("${foo ?\n {a}\n : {b} }", "a"),
        ("${empty?{a}: b c}", " b c"),
        ("${foo?a:b}", "a:b"),
        ("${foo?:c}", ":c"),
        ("${foo?}", ""),
        ("${foo:{a}}", ""),
        ("${foo?{${foo}${empty:{x}}}}", "barx"),
        ("${empty?$foo(}", ""),
        ("$(foo?(a):(b))", "(a):(b)"),
        ("{$foo}", "{bar}"),
        ("${foo?a}}", "a}"),
    ],
)
def test_forms(text, expected):
    assert run(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${{a} == {a}}", "true"),
        ("${{a} != {a}}", ""),
        ("${{$foo} == {bar} ? {c} : {d}}", "c"),
        ("${{ a }=={a}?{c}:{d}}", "d"),
        ("${{2} < {10} ? {numbers} : {text}}", "numbers"),
        ("${{2x} < {10} ? {numbers} : {text}}", "text"),
        ("${{010} == {10} ? {same}:{other}}", "same"),
        ("${{+1} == {1}}", ""),
        ("${{} == {}}", "true"),
        ("${{1.5} < {1.10}}", ""),
        ("${{1.5} <level {1.10}}", "true"),
        ("${{3.10} >=level {3.6} ? {y} : {n}}", "y"),
        ("${{1} ==level {1.0.0}}", "true"),
        ("${{$ten}>={10}:{c}}", ""),
        ("${{a}=={b}:{c}}", "c"),
        ("${{{a}}=={{a}}?{y}:{n}}", "y"),
        ("$({a}=={a}?{b})", "b"),
        ("${{a} == {a} ?  b }", "  b "),
    ],
)
def test_comparisons(text, expected):
    assert run(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("${foo", 'truncated macro reference: "${foo"'),
        ("$(foo}", 'truncated macro reference: "$(foo}"'),
        ("a$", 'empty macro name: "a$"'),
        ("$!", 'empty macro name: "$!"'),
        ("${}", 'empty macro name: "${}"'),
        ("${foo bar}", 'attribute name syntax error at: "...foo>>> bar"'),
        ("${$foo}", 'attribute name syntax error at: "...>>>$foo"'),
        ("${foo?{a} {b}}", '":" expected at: "...a}>>>{b}"'),
        ("${foo?{a}:{b}c}", 'unexpected input at: "...b}>>>c"'),
        ("$(foo?{a)", 'unbalanced {} in attribute expression: "{a"'),
        ("${{a} = {a}}", 'expected at: "...a}>>>= {a}"'),
        ("${{a}==level3 {b}}", 'bad operator suffix at: "...==>>>level3"'),
        ("${{a} == b}", '"{expression}" expected at: "...{a} ==>>> b"'),
        ("${{a} =={b}x}", '"?" or ":" expected at: "...}>>>x"'),
        ("${{x} <level {1}}", 'malformed compatibility level syntax: "x"'),
    ],
)
def test_errors(text, problem):
    with pytest.raises(ConfigError) as caught:
        run(text)
    assert problem in caught.value.problem


def test_a_cycle_is_named():
    with pytest.raises(ConfigError) as caught:
        run("$a", {"a": "x $b", "b": "${c}", "c": "$a"})
    assert caught.value.problem == 'unreasonable macro call nesting: "a"'
    assert "$a -> $b -> $c -> $a" in caught.value.remedy


def test_depth_and_size_are_bounded():
    chain = {f"v{number}": f"$v{number + 1}" for number in range(200)}
    with pytest.raises(ConfigError, match="nesting"):
        run("$v0", chain)
    doubling = {f"v{number}": f"$v{number + 1}$v{number + 1}" for number in range(60)} | {"v60": "x"}
    with pytest.raises(ConfigError, match="too long"):
        run("$v0", doubling)


def test_values_may_be_taken_as_they_are():
    assert expand("$indirect", VALUES.get, recursive=False) == "$foo/$ten"


def test_references_are_found_in_every_branch():
    assert references("$a ${b?{$c}:{${d:$e}}} ${{$f} == {$g} ? {$h}}") == set("abcdefgh")
    assert references("$$a") == set()
    assert references("$a ${") == {"a"}


@pytest.mark.parametrize(("text", "level"), [("2", (2, 0, 0)), ("3.10", (3, 10, 0)), ("3.6.1", (3, 6, 1))])
def test_levels(text, level):
    assert parse_level(text) == level


@given(st.text(alphabet="$ {}()?:=<>!abz09_\t\n.", max_size=60))
def test_anything_else_is_a_config_error(text):
    for values in ({}, {"a": text, "b": "$a", "z": "1"}):
        try:
            assert isinstance(expand(text, values.get), str)
        except ConfigError as error:
            assert str(error)
    references(text)


def test_a_deeply_nested_text_is_refused_without_recursing_too_deep():
    with pytest.raises(ConfigError, match="nesting"):
        run("${foo?" * 5000 + "}" * 5000)


def test_the_function_domain_to_ascii():
    values = {"mydomain": "münchen.example", "plain": "a.example"}
    assert run("x${domain_to_ascii{$mydomain}}", values) == "xxn--mnchen-3ya.example"
    assert run("${domain_to_ascii{$plain}}", values) == "a.example"
    assert references("${domain_to_ascii{$mydomain}}") == {"mydomain"}
    with pytest.raises(ConfigError, match="unexpected input"):
        run("${domain_to_ascii{$plain}x}", values)
    with pytest.raises(ConfigError, match="no ASCII form"):
        run("${domain_to_ascii{\udcff.example}}")
