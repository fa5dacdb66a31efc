"""A message to report on, a reporter at work, and a reader of its notices."""

from dataclasses import dataclass

from mailer.message.envelope import Envelope, Recipient
from mailer.report.reporter import Reporter
from mailer.testing.log import RecordingLog
from mailer.testing.queue import MemoryContent, MemoryEntry, MemoryQueue

NOW = 1795534940.0
CONTENT = (
    b"Received: from client.example\r\n\tby mta.example.org; now\r\n"
    b"From: S <sender@v.example>\r\nSubject: test subject\r\nMessage-ID: <orig1@v.example>\r\n"
    b"\r\nline one\r\n>From x\r\nlast\r\n"
)
HEADER = CONTENT[: CONTENT.index(b"\r\n\r\n") + 2]


@dataclass
class Desk:
    """``notices`` are the MemoryEntries of what has been sent."""

    reporter: Reporter
    queue: MemoryQueue
    log: RecordingLog

    @property
    def notices(self):
        return list(self.queue.entries.values())


def entry(sender="sender@v.example", content=CONTENT, queue_id="C644620C013", **more):
    size = more.pop("size", content.count(b"\n") + len(content) - 2 * content.count(b"\r\n"))
    envelope = {key: more.pop(key) for key in list(more) if key in Envelope.__slots__}
    return MemoryEntry(
        queue_id,
        Envelope(sender, **envelope),
        MemoryContent(content, inline=False),
        size,
        NOW,
        [Recipient("x@y.example", id=1)],
        **more,
    )


def read(notice):
    """``headers, parts``: each part is ``(its headers, its text)``; all with bare newlines."""
    text = b"".join([notice.content._content]).decode("utf-8", "surrogateescape")
    assert "\n" not in text.replace("\r\n", "")
    assert text.endswith("\r\n")
    text = text.replace("\r\n", "\n")
    headers, body = text.split("\n\n", 1)
    boundary = headers.split('boundary="')[1].split('"')[0]
    preamble, *parts, last = body.split(f"\n--{boundary}")
    assert preamble == "This is a MIME-encapsulated message.\n"
    assert last == "--\n"
    return headers, [part[1:].split("\n\n", 1) for part in parts]
