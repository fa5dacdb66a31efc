"""Eight-bit content for seven-bit servers. What Postfix makes of whole messages is among the recorded deliveries."""

import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.deliver.smtp.downgrade import Downgrade, declares_eight_bits

TEXT = (
    b"Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    + "h\u00e4\r\n=\r\nend \r\n".encode()
)
NESTED = (
    b"Content-Type: multipart/mixed; boundary=A\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--A\r\n"
    b'Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/digest;\r\n boundary="B \\" (c)"\r\n\r\n'
    b'--B " (c)\r\n\r\nContent-Transfer-Encoding:\r\n binary\r\nSubject: in a digest\r\n\r\n\xff\r\n--B " (c)--\r\n'
    b"--A\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xfe\r\n--A--\r\n\xfd\r\n"
)


def convert(content, step=None):
    filter_ = Downgrade()
    chunks = [content] if step is None else [content[n : n + step] for n in range(0, len(content), step)]
    return b"".join(filter_.feed(chunk) for chunk in chunks) + filter_.finish()


def test_text():
    assert convert(TEXT) == (
        b"Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"h=C3=A4\r\n=3D\r\nend=20\r\n"
    )


def test_parts_within_parts():
    assert convert(NESTED) == (
        b"Content-Type: multipart/mixed; boundary=A\r\nContent-Transfer-Encoding: 7bit\r\n\r\n--A\r\n"
        b'Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/digest;\r\n boundary="B \\" (c)"\r\n\r\n'
        b'--B " (c)\r\n\r\nSubject: in a digest\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=FF\r\n--B " (c)--\r\n'
        b"--A\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=FE\r\n--A--\r\n\xfd\r\n"
    )


@pytest.mark.parametrize("content", [TEXT, NESTED])
@pytest.mark.parametrize("step", [1, 2, 7])
def test_boundaries_of_chunks_make_no_difference(content, step):
    assert convert(content, step) == convert(content)


@pytest.mark.parametrize(
    "content",
    [
        b"Subject: plain\r\n\r\nh\xe4\r\n",
        b"Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n",
        b"Content-Transfer-Encoding: 7bit\r\n\r\n\xe4\r\n",
        b"no header at all\r\n",
        b"\r\nbody: 8bit\r\n",
        b"Subject: only a header\r\n",
        b"",
    ],
)
def test_what_does_not_claim_eight_bits_is_left_alone(content):
    assert convert(content) == content


def test_a_header_without_body():
    assert convert(b"Content-Transfer-Encoding: 8bit\r\n") == b"Content-Transfer-Encoding: quoted-printable\r\n"


def test_a_line_that_is_no_header_begins_the_body():
    head = b"Content-Transfer-Encoding: 8bit\r\nno colon \xe4\r\n"
    assert convert(head) == b"Content-Transfer-Encoding: quoted-printable\r\nno colon =E4\r\n"


@given(st.binary(max_size=400).map(lambda octets: octets.replace(b"\r", b"").replace(b"\n", b"")))
def test_long_lines_stay_within_bounds_and_come_back_whole(line):
    encoded = convert(b"Content-Transfer-Encoding: 8bit\r\n\r\n" + line + b"\r\n").partition(b"\r\n\r\n")[2]
    assert max(map(len, encoded.split(b"\r\n"))) <= 76
    assert encoded.isascii() and quopri.decodestring(encoded.replace(b"\r\n", b"\n")) == line + b"\n"


def test_nothing_nests_for_ever():
    part = b"".join(b"--%d\r\nContent-Type: multipart/mixed; boundary=%d\r\n\r\n" % (n, n + 1) for n in range(1000))
    content = b"Content-Type: multipart/mixed; boundary=0\r\n\r\n" + part
    filter_ = Downgrade()
    assert filter_.feed(content) + filter_.finish() == content
    assert len(filter_._boundaries) <= 100


@given(st.lists(st.sampled_from([
    b"--A\r\n", b"--A--\r\n", b"\r\n", b"Content-Type: multipart/mixed; boundary=A\r\n", b"\xe4\r\n", b" x\r\n",
    b"Content-Transfer-Encoding: 8bit\r\n", b"Content-Type: message/rfc822\r\n", b"--", b"A:",
]), max_size=20))  # fmt: skip
def test_lines_in_any_order(lines):
    content = b"".join(lines)
    once = convert(content)
    assert once == convert(content, 3)
    assert once.count(b"\n") == content.count(b"\n") or b"8bit" in content


def test_a_quick_look():
    assert declares_eight_bits(TEXT) and declares_eight_bits(NESTED)
    assert not declares_eight_bits(b"Content-Transfer-Encoding: base64\r\n\r\n")
