"""What the SMTP client changes in outgoing messages, beyond what is recorded from Postfix: pieces, bounds, trouble."""

import asyncio

import pytest
from deliveries import context, request
from hypothesis import given
from hypothesis import strategies as st

from mailer.addressing.service import build_mapper
from mailer.deliver.smtp.outgoing.outgoing import GenericFailed, Outgoing
from mailer.deliver.smtp.outgoing.parameters import OutgoingParameters, lmtp_outgoing_parameters
from mailer.message.status import TemporaryError
from mailer.testing.queue import MemoryContent
from mailer.testing.tables import BrokenTable

CHECKS = {
    "regexp:h": {"Subject: x": "REPLACE Subject: y", "X-Gone: 1": "IGNORE"},
    "regexp:b": {"secret": "REPLACE hidden", "gone": "IGNORE", "mark": "PREPEND above"},
    "hash:g": {"me@in.example": "me@out.example"},
}
CONTENT = (
    b"From: A <me@in.example>\r\nSubject: x\r\nX-Gone: 1\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"secret\r\n--b\r\nX-Gone: 1\r\n\r\nsecret\r\ngone\r\nmark\r\nlast\r\n--b--\r\nsecret\r\n"
)
CHANGED = (
    b"From: A <me@out.example>\r\nSubject: y\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"hidden\r\n--b\r\nX-Gone: 1\r\n\r\nhidden\r\nabove\r\nmark\r\nlast\r\n--b--\r\nhidden\r\n"
)


class Pieces(MemoryContent):
    def __init__(self, octets, edges):
        super().__init__(octets, inline=False)
        marks = [0, *sorted({mark % (len(octets) + 1) for mark in edges}), len(octets)]
        self.cuts = list(zip(marks, marks[1:], strict=False))
        self.octets = octets

    async def chunks(self, start=0):
        for begin, end in self.cuts:
            yield self.octets[begin:end]


def outgoing(tables=CHECKS, **parameters):
    at = context({"myorigin": "in.example"}, tables)
    given = {"header_checks": ("regexp:h",), "body_checks": ("regexp:b",), "generic_maps": ("hash:g",), **parameters}
    return Outgoing(OutgoingParameters(**given), at.tables, build_mapper(at), at.log), at.log


async def read(content):
    return b"".join([piece async for piece in content.chunks()])


@given(st.lists(st.integers(0, 400), max_size=8))
def test_pieces_do_not_matter(edges):
    made, _ = outgoing()
    asked = request("you@x.example")
    asked.content = Pieces(CONTENT, edges)

    async def both():
        return await read(await made.content(asked))

    assert asyncio.run(both()) == CHANGED


def test_every_octet_alone():
    made, _ = outgoing()
    asked = request("you@x.example", content=CONTENT)

    async def run():
        asked.content = Pieces(CONTENT, range(len(CONTENT)))
        return await read(await made.content(asked))

    assert asyncio.run(run()) == CHANGED


def test_small_content_is_ready_at_once():
    made, _ = outgoing()
    ready = asyncio.run(made.content(request("you@x.example", content=CONTENT)))
    assert (ready.inline, ready.size) == (CHANGED, len(CHANGED))


def test_what_nothing_applies_to_stays():
    made, _ = outgoing({"regexp:h": {}, "regexp:b": {}, "hash:g": {}})
    content = b"x-odd:  1\r\n folded\r\nno header\r\n\r\nbody"
    assert asyncio.run(made.content(request("you@x.example", content=content))).inline == content


def test_only_the_beginning_of_a_body_is_checked():
    made, _ = outgoing(body_checks_size=10, line_length=4)
    content = b"a: b\r\n\r\n" + b"secret\r\n" * 3
    ready = asyncio.run(made.content(request("you@x.example", content=content)))
    assert ready.inline == content  # no piece of four octets is what the table knows
    made, _ = outgoing(body_checks_size=10)
    ready = asyncio.run(made.content(request("you@x.example", content=content)))
    assert ready.inline == b"a: b\r\n\r\n" + b"hidden\r\n" * 2 + b"secret\r\n"


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        ("regexp:h", "warning C644620C013: smtp header checks lookup error"),
        ("regexp:b", "warning C644620C013: smtp body checks lookup error"),
    ],
)
def test_checks_that_cannot_tell(broken, line):
    made, log = outgoing({**CHECKS, broken: BrokenTable()})
    content = asyncio.run(made.content(request("you@x.example", content=CONTENT)))
    with pytest.raises(TemporaryError):
        asyncio.run(read(content))
    assert line in log.lines


def test_no_address_is_shown_that_cannot_be_looked_up():
    made, _ = outgoing({**CHECKS, "hash:g": BrokenTable()})
    with pytest.raises(GenericFailed):
        asyncio.run(made.envelope(request("you@x.example"), []))
    content = asyncio.run(made.content(request("you@x.example", content=CONTENT)))
    with pytest.raises(GenericFailed):
        asyncio.run(read(content))


def test_nesting_is_bounded():
    made, log = outgoing(nesting=2)
    content = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(10))
    failed = asyncio.run(made.content(request("you@x.example", content=content)))
    with pytest.raises(TemporaryError):
        asyncio.run(read(failed))
    assert log.lines == ["warning C644620C013: MIME nesting exceeds safety limit"]


def test_settings_of_the_lmtp_client():
    settings = context({"lmtp_header_checks": "regexp:h", "mime_nesting_limit": "7"}).settings
    parameters = lmtp_outgoing_parameters(settings)
    assert bool(parameters) and parameters.header_checks == ("regexp:h",) and parameters.nesting == 7
    assert not lmtp_outgoing_parameters(context({}).settings)
