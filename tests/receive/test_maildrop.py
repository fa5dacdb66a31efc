"""The maildrop: what is written is read back, and what others put there is not believed."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.message.envelope import Notify, Recipient
from mailer.receive.maildrop import MalformedDrop, Submission, TooBig, drop, names, take, to_crlf


def submission(**more):
    values = {"sender": "a@b", "recipients": [Recipient("c@d", "c@d", Notify.SUCCESS | Notify.DELAY, "rfc822;c@d")]}
    return Submission(**{**values, **more})


def test_round_trip(tmp_path):
    name = drop(str(tmp_path), submission(fullname="É \udcff", ret="HDRS", probe="trace"), [b"x: y\r\n", b"\r\nb\r\n"])
    assert names(str(tmp_path), 10) == [name]
    read, file = take(str(tmp_path), name)
    with file:
        assert file.read() == b"x: y\r\n\r\nb\r\n"
    assert (read.sender, read.fullname, read.ret, read.probe) == ("a@b", "É \udcff", "HDRS", "trace")
    assert read.recipients == submission().recipients
    assert read.uid == os.getuid()


def test_too_big_leaves_nothing(tmp_path):
    with pytest.raises(TooBig):
        drop(str(tmp_path), submission(), [b"x" * 60, b"y" * 60], limit=100)
    assert list(tmp_path.iterdir()) == []


def test_a_write_error_leaves_nothing(tmp_path):
    def content():
        yield b"x"
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        drop(str(tmp_path), submission(), content())
    assert list(tmp_path.iterdir()) == []


def test_unfinished_files_are_not_seen(tmp_path):
    (tmp_path / ".ABC").write_bytes(b"half")
    assert names(str(tmp_path), 10) == []


def test_links_and_other_things_are_refused(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"{}\n")
    box = tmp_path / "box"
    box.mkdir()
    (box / "SYMLINK").symlink_to(secret)
    os.link(secret, box / "HARDLINK")
    os.mkfifo(box / "FIFO")
    (box / "DIRECTORY").mkdir()
    for name in names(str(box), 10):
        with pytest.raises(MalformedDrop):
            take(str(box), name)


def envelope(**changes):
    values = {
        "sender": "a", "fullname": "", "body": "", "smtputf8": False, "ret": "", "envid": "", "verp": "", "probe": "",
        "gateway": False, "recipients": [["c", 0, ""]],
    }  # fmt: skip
    values.update(changes)
    return json.dumps(values).encode() + b"\n"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"garbage\n",
        b"[1]\n",
        b"\xff\n",
        b"[" * 100_000,
        envelope(sender=5),
        envelope(sender="a\r\nb"),
        envelope(sender="x" * 20_000),
        envelope(body="9BIT"),
        envelope(recipients=[["c", "x", ""]]),
        envelope(recipients=[["c", 0]]),
        envelope(recipients=None),
    ],
    ids=range(12),
)
def test_a_malformed_envelope_is_said_so(tmp_path, line):
    (tmp_path / "X").write_bytes(line)
    with pytest.raises(MalformedDrop):
        take(str(tmp_path), "X")


def test_the_submitter_cannot_choose_the_uid(tmp_path):
    (tmp_path / "X").write_bytes(envelope(uid=4711))
    read, file = take(str(tmp_path), "X")
    file.close()
    assert read.uid == os.getuid()


@given(st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"b\r\n", b""])))
def test_line_ends_do_not_depend_on_where_the_pieces_are_cut(pieces):
    whole = b"".join(pieces)
    result = b"".join(to_crlf(pieces))
    assert result == b"".join(to_crlf([whole]))
    assert result == b"".join(to_crlf(bytes([octet]) for octet in whole))
    assert result.endswith(b"\r\n") or not whole
    assert result.count(b"\n") == result.count(b"\r\n")
    assert result.replace(b"\r\n", b"\n") == whole.replace(b"\r\n", b"\n") + (
        b"\n" if whole and whole[-1:] != b"\n" else b""
    )
