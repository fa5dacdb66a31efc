"""The server machine: lines one at a time, content, what is dropped and what is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.wire.smtp.server import ServerMachine

LINES = st.lists(st.binary(max_size=12).map(lambda octets: octets.replace(b"\n", b"").rstrip(b"\r")), max_size=6)


def lines(machine: ServerMachine) -> list[bytes]:
    found = []
    while (line := machine.line()) is not None:
        found.append(line)
    return found


@given(LINES, st.integers(1, 20))
def test_lines_in_any_pieces(wanted: list[bytes], size: int) -> None:
    octets = b"".join(line + b"\r\n" for line in wanted)
    machine = ServerMachine()
    found = []
    for at in range(0, len(octets), size):
        machine.receive(octets[at : at + size])
        found += lines(machine)
    assert found == wanted
    assert machine.pending == 0


def test_a_line_waits_until_it_is_asked_for() -> None:
    machine = ServerMachine()
    machine.receive(b"MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDA")
    assert machine.line() == b"MAIL FROM:<>"
    assert machine.peek(4) == b"RCPT"
    assert machine.line() == b"RCPT TO:<a@b>"
    assert machine.line() is None
    machine.receive(b"TA\r\n")
    assert machine.line() == b"DATA"


def test_bare_lines_are_told_apart() -> None:
    machine = ServerMachine()
    machine.receive(b"a\nb\r\n\n")
    assert (machine.line(), machine.line_was_bare) == (b"a", True)
    assert (machine.line(), machine.line_was_bare) == (b"b", False)
    assert (machine.line(), machine.line_was_bare) == (b"", True)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_the_rest_of_a_long_line_is_dropped(size: int) -> None:
    machine = ServerMachine(line_limit=10)
    octets = b"0123456789abcdef" * 200 + b"\r\nNOOP\r\n"
    found = []
    for at in range(0, len(octets), size):
        machine.receive(octets[at : at + size])
        found += lines(machine)
    assert found == [b"0123456789", b"NOOP"]


def test_a_line_without_end_is_not_kept() -> None:
    machine = ServerMachine(line_limit=100)
    for _ in range(1000):
        machine.receive(b"x" * 1000)
        assert machine.line() is None
        assert machine.pending <= 101


def test_content_then_commands() -> None:
    machine = ServerMachine()
    machine.receive(b"DATA\r\nbody\r\n.\r\nQUIT\r\n")
    assert machine.line() == b"DATA"
    machine.expect_data()
    assert machine.content() == b"body\r\n"
    assert machine.reader.ended
    machine.end_content()
    assert machine.line() == b"QUIT"


def test_content_has_to_be_read_before_commands() -> None:
    machine = ServerMachine()
    machine.expect_data()
    with pytest.raises(RuntimeError):
        machine.line()
    machine.end_content()
    with pytest.raises(RuntimeError):
        machine.content()


def test_chunk_then_commands() -> None:
    machine = ServerMachine()
    machine.receive(b"BDAT 5\r\nabc")
    assert machine.line() == b"BDAT 5"
    machine.expect_chunk(5)
    assert machine.content() == b"abc"
    assert not machine.reader.ended
    machine.receive(b"de" + b"NOOP\r\n")
    assert machine.content() == b"de"
    assert machine.reader.ended
    machine.end_content()
    assert machine.line() == b"NOOP"


def test_an_empty_chunk_takes_nothing() -> None:
    machine = ServerMachine()
    machine.receive(b"NOOP\r\n")
    machine.expect_chunk(0)
    assert machine.reader.ended
    machine.end_content()
    assert machine.line() == b"NOOP"


def test_what_was_sent_too_early_can_be_dropped() -> None:
    machine = ServerMachine()
    machine.receive(b"STARTTLS\r\nMAIL FROM:<injected@example.org>\r\nRCPT")
    assert machine.line() == b"STARTTLS"
    machine.discard_input()
    assert machine.pending == 0
    machine.receive(b"EHLO x\r\n")
    assert machine.line() == b"EHLO x"
