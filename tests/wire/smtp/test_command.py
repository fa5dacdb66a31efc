"""Command lines and the parameters of MAIL and RCPT."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.message.envelope import Notify
from mailer.wire.smtp.command import (
    BadWord,
    parse_notify,
    parse_orcpt,
    parse_size,
    path_words,
    verb_of,
    words_of,
)
from mailer.wire.smtp.xtext import decode_unitext, decode_xtext


@pytest.mark.parametrize(
    ("line", "verb"),
    [
        ("QUIT", ("QUIT", "")),
        ("MAIL FROM:<>", ("MAIL", "FROM:<>")),
        ("  noop  x", ("noop", "x")),
        ("RCPT\tTO:<a@b>", ("RCPT", "TO:<a@b>")),
        ("", ("", "")),
        (" \t ", ("", "")),
        ("Subject: x", ("Subject:", "x")),
    ],
)
def test_verb(line: str, verb: tuple[str, str]) -> None:
    assert verb_of(line) == verb


def test_words_keep_what_is_quoted_together() -> None:
    assert words_of('a <b c> "d e" f<g h>i') == ["a", "<b c>", '"d e"', "f<g h>i"]
    assert words_of(r'<<a b@c>> <"<"@d> <\<@e>') == ["<<a b@c>>", '<"<"@d>', r"<\<@e>"]


@pytest.mark.parametrize("text", ['a "b', "<a", 'x <"> y', "<a<b@c>"])
def test_unclosed_words(text: str) -> None:
    with pytest.raises(BadWord):
        words_of(text)


@pytest.mark.parametrize(
    ("argument", "parts"),
    [
        ("FROM:<a@b> SIZE=3 BODY=7BIT", ("FROM:", "<a@b>", ["SIZE=3", "BODY=7BIT"])),
        ("from: <a@b>", ("FROM:", "<a@b>", [])),
        ("TO:a@b NOTIFY=NEVER", ("TO:", "a@b", ["NOTIFY=NEVER"])),
        ('TO:<"a b"@c>', ("TO:", '<"a b"@c>', [])),
        ("TO:", ("TO:", "", [])),
        ("FRM:<a@b>", ("", "", [])),
        ("TO :<a@b>", ("", "", [])),
        ("", ("", "", [])),
    ],
)
def test_path_and_parameters(argument: str, parts: tuple[str, str, list[str]]) -> None:
    assert path_words(argument) == parts


def test_unclosed_path() -> None:
    with pytest.raises(BadWord):
        path_words("FROM:<a@b")


@given(st.text(alphabet='<>"\\ FROM:ab@\t', max_size=40))
def test_any_argument_is_taken_apart_or_refused(argument: str) -> None:
    try:
        keyword, path, parameters = path_words(argument)
    except BadWord:
        return
    assert keyword in ("", "FROM:", "TO:")
    assert not any(" " in word and not set('<"') & set(word) for word in [path, *parameters])


def test_size() -> None:
    assert parse_size("12") == 12
    for text in ("", "x", "-1", "+1", "\u0663", "1 2"):
        with pytest.raises(ValueError):
            parse_size(text)


def test_notify() -> None:
    assert parse_notify("never") == Notify.NEVER
    assert parse_notify("SUCCESS,FAILURE") == Notify.SUCCESS | Notify.FAILURE
    for text in ("", "NEVER,SUCCESS", "SOON", ","):
        with pytest.raises(ValueError):
            parse_notify(text)


def test_orcpt() -> None:
    assert parse_orcpt("rfc822;a+2Bb@c") == "rfc822;a+b@c"
    assert parse_orcpt(r"utf-8;\x{e9}@c") == "utf-8;\u00e9@c"
    for text in ("", "a@b", ";a@b", "rfc822;a+2", r"utf-8;\x{d800}"):
        with pytest.raises(ValueError):
            parse_orcpt(text)


def test_xtext() -> None:
    assert decode_xtext("a+3Db+C3+A9") == "a=b\u00e9"
    assert decode_xtext("+FF").encode("utf-8", "surrogateescape") == b"\xff"
    with pytest.raises(ValueError):
        decode_xtext("a+")
    assert decode_unitext(r"\x{41}b") == "Ab"
