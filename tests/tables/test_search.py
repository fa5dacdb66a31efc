"""Search orders: which keys are asked, in which order, of which tables."""

import pytest

from mailer.message.status import TemporaryError
from mailer.tables.search import (
    Find,
    find_address,
    find_domain,
    find_host_address,
    find_mail_access,
    find_transport,
    split_extension,
)
from mailer.testing.tables import BrokenTable, MemoryTable, MemoryTables, answer


async def here(domain):
    return domain == "here.example"


def asked(find, *arguments, **options):
    table = MemoryTable()
    assert answer(find(table, *arguments, **options)) is None
    return table.asked


@pytest.mark.parametrize(
    ("address", "keys"),
    [
        ("User+x@a.example", ["User+x@a.example", "User@a.example", "@a.example"]),
        ("user@a.example", ["user@a.example", "@a.example"]),
        (
            "user+x@here.example",
            ["user+x@here.example", "user@here.example", "user+x", "user", "@here.example"],
        ),
        ("user@here.example", ["user@here.example", "user", "@here.example"]),
        ("user+x", ["user+x", "user"]),
        ("user", ["user"]),
        ("", [""]),
        ("a b@a.example", ['"a b"@a.example', "a b@a.example", "@a.example"]),
        ("a b@here.example", ['"a b"@here.example', "a b@here.example", '"a b"', "a b", "@here.example"]),
        ("+x@a.example", ["+x@a.example", "@a.example"]),
        ("postmaster+x@a.example", ["postmaster+x@a.example", "postmaster@a.example", "@a.example"]),
    ],
)
def test_default_order(address, keys):
    assert asked(find_address, address, "+-", is_local=here) == keys


def test_the_extension_that_did_not_match_is_told():
    table = MemoryTable({"user@a.example": "x", "me": "y", "@b.example": "z"})
    found = answer(find_address(table, "user+ext@a.example", "+"))
    assert (found.value, found.extension, found.key) == ("x", "+ext", "user@a.example")
    found = answer(find_address(table, "me-ext@here.example", "+-", is_local=here))
    assert (found.value, found.extension, found.key) == ("y", "-ext", "me")
    found = answer(find_address(table, "user+ext@b.example", "+"))
    assert (found.value, found.extension, found.key) == ("z", "", "@b.example")


def test_without_delimiters_nothing_is_cut():
    assert asked(find_address, "user+x@a.example") == ["user+x@a.example", "@a.example"]


def test_other_strategies():
    strategy = Find.FULL | Find.NOEXT | Find.LOCALPART_AT_IF_LOCAL
    assert asked(find_address, "u+x@here.example", "+", strategy, here) == [
        "u+x@here.example",
        "u@here.example",
        "u+x@",
        "u@",
    ]
    assert asked(find_address, "u@a.b.example", "+", Find.AT_DOMAIN) == ["@a.b.example"]
    assert asked(find_address, "u@a.b.example", "+", Find.DOMAIN) == ["a.b.example"]


def test_patterns_are_asked_for_the_whole_address_only():
    pattern, fixed = MemoryTable(name="p", pattern=True), MemoryTable(name="f")
    maps = MemoryTables({"p:p": pattern, "f:f": fixed}).maps(("p:p", "f:f"))
    assert answer(find_address(maps, "u+x@a.example", "+")) is None
    assert pattern.asked == ["u+x@a.example"]
    assert fixed.asked == ["u+x@a.example", "u@a.example", "@a.example"]
    alone = MemoryTable(pattern=True)
    for find in (
        find_address(alone, "u+x@a.example", "+"),
        find_domain(alone, "a.b", True),
        find_host_address(alone, "1.2.3.4"),
    ):
        assert answer(find) is None
    assert alone.asked == ["u+x@a.example", "a.b", "1.2.3.4"]


def test_domains():
    assert asked(find_domain, "www.a.example", False) == ["www.a.example", ".a.example", ".example"]
    assert asked(find_domain, "www.a.example", True) == ["www.a.example", "a.example", "example"]
    assert asked(find_domain, "localhost", False) == ["localhost"]
    assert asked(find_domain, ".odd", False) == [".odd"]


def test_host_addresses():
    assert asked(find_host_address, "192.0.2.1") == ["192.0.2.1", "192.0.2", "192.0", "192"]
    assert asked(find_host_address, "2001:db8::1") == ["2001:db8::1", "2001:db8:", "2001:db8", "2001"]
    assert asked(find_host_address, "::1") == ["::1", ":"]


def test_mail_access():
    assert asked(find_mail_access, "u+x@m.a.example", False, "+") == [
        "u+x@m.a.example",
        "u@m.a.example",
        "m.a.example",
        ".a.example",
        ".example",
        "u+x@",
        "u@",
    ]
    assert asked(find_mail_access, "u@a.example", True) == ["u@a.example", "a.example", "example", "u@"]


def test_transport():
    assert asked(find_transport, "u+x@m.a.example", False, "+") == [
        "u+x@m.a.example",
        "u@m.a.example",
        "m.a.example",
        ".a.example",
        ".example",
        "*",
    ]
    assert answer(find_transport(MemoryTable({"*": "smtp:relay"}), "u@a.example", True)).key == "*"


def test_cannot_tell_ends_every_search():
    broken = BrokenTable()
    for search in (
        find_address(broken, "u@a"),
        find_domain(broken, "a.b", True),
        find_host_address(broken, "1.2.3.4"),
        find_mail_access(broken, "u@a", True),
        find_transport(broken, "u@a", True),
    ):
        with pytest.raises(TemporaryError):
            answer(search)


@pytest.mark.parametrize(
    ("local", "delimiters", "parts"),
    [
        ("user+x", "+", ("user", "+x")),
        ("user+x-y", "-+", ("user", "+x-y")),
        ("user", "+", ("user", "")),
        ("+x", "+", ("+x", "")),
        ("user+x", "", ("user+x", "")),
        ("Double-Bounce", "-", ("Double-Bounce", "")),
        ("mailer-daemon", "-", ("mailer-daemon", "")),
        ("owner-list", "-", ("owner-list", "")),
        ("list-request", "+-", ("list-request", "")),
        ("owner-list", "+", ("owner-list", "")),
        ("owner-list+x", "+", ("owner-list", "+x")),
        ("user+", "+", ("user", "+")),
    ],
)
def test_extensions(local, delimiters, parts):
    assert split_extension(local, delimiters) == parts


def test_owner_names_are_ordinary_when_the_setting_says_so():
    assert split_extension("owner-list", "-", owner_request_special=False) == ("owner", "-list")
