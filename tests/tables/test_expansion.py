"""The % templates of tables on servers."""

import pytest

from mailer.config.errors import ConfigError
from mailer.tables.expansion import Template


def expand(template, key, value=None, **more):
    return Template(template, "t.cf").expand(key, value, **more)


@pytest.mark.parametrize(
    ("template", "key", "text"),
    [
        ("%s", "user@a.b.c", "user@a.b.c"),
        ("x=%%s %s|%S|%u|%U|%d|%D|%3%2%1", "user@a.b.c", "x=%s user@a.b.c|user@a.b.c|user|user|a.b.c|a.b.c|abc"),
        ("%u", "user", "user"),
        ("%d", "user", None),
        ("%u", "@b.c", None),
        ("%s", "@b.c", "@b.c"),
        ("%u", "a@b@c.d", "a@b"),
        ("%d", "a@b@c.d", "c.d"),
        ("%d", "a@", None),
        ("%4", "user@a.b.c", None),
        ("%1", "user", None),
        ("%2%1", "user@a..b.", "ab"),
        ("fixed", "anything", "fixed"),
        ("%%", "k", "%"),
        ("%%%s%%", "k", "%k%"),
    ],
)
def test_query(template, key, text):
    assert expand(template, key) == text


@pytest.mark.parametrize(
    ("template", "value", "text"),
    [
        ("%s", "v@w", "v@w"),
        ("%s", "", None),
        ("", "v", ""),
        ("<%u>", "a@b", "<a>"),
        ("<%u>", "@b", None),
        ("<%u>", "a@", "<a>"),
        ("<%u>", "x@y@z", "<x@y>"),
        ("<%d>", "plain", None),
        ("<%d>", "a@", None),
        ("<%d>", "x@y@z", "<z>"),
        ("<%S %U %D %1 %%>", "%s", "<user@a.b.c user a.b.c c %>"),
        ("smtp:[%s]", "%u", "smtp:[%u]"),
    ],
)
def test_result(template, value, text):
    assert expand(template, "user@a.b.c", value) == text


def test_each_part_is_quoted_and_nothing_else():
    assert expand("(mail=%u,%d)", "a*@b*", quote=lambda text: text.replace("*", r"\2a")) == r"(mail=a\2a,b\2a)"


@pytest.mark.parametrize("template", ["x=%", "x=%0", "%x", "%%%", "%("])
def test_wrong_ones(template):
    with pytest.raises(ConfigError) as raised:
        Template(template, "/etc/t.cf")
    assert str(raised.value) == f"db_common_parse: /etc/t.cf: Invalid query template: {template}"


@pytest.mark.parametrize(
    ("template", "key", "fits"),
    [
        ("%s", "", True),
        ("%U", "user", True),
        ("%U", "@b", False),
        ("%D", "user", False),
        ("%D%2", "user@b", False),
        ("%D%2", "user@a.b", True),
        ("%S", "", False),
    ],
)
def test_whether_a_key_has_what_the_result_needs(template, key, fits):
    assert Template(template, "t").fits(key) is fits


def test_fixed():
    assert Template("x", "t").fixed and Template("%%", "t").fixed and not Template("%s", "t").fixed
