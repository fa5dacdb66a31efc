"""The pickup: what it does with each kind of file and each answer of the sink. Threads run when the test says so: at once."""

import os

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailer.config.load import from_text
from mailer.interfaces.context import Context
from mailer.message.envelope import Recipient
from mailer.message.status import MailError, Reply
from mailer.receive.maildrop import Submission, drop
from mailer.receive.pickup import Pickup
from mailer.testing.log import RecordingLog


class Threads:
    """A reactor whose threads run what they are given at once; ``broken`` are functions that fail instead."""

    def __init__(self):
        self.broken = {}

    def getThreadPool(self):
        return self

    def callInThreadWithCallback(self, done, function, *arguments):
        if function in self.broken:
            done(False, Failure(self.broken[function]))
            return
        try:
            result = function(*arguments)
        except Exception:
            done(False, Failure())
        else:
            done(True, result)

    def callFromThread(self, function, *arguments):
        function(*arguments)


class Writer:
    queue_id = "ABC"

    def __init__(self, sink):
        self.sink = sink
        self.recipients = []
        self.content = b""
        self.aborted = False

    def recipient(self, recipient):
        self.recipients.append(recipient.address)

    def write(self, chunk):
        self.content += chunk

    async def commit(self):
        if self.sink.waiting is not None:
            await self.sink.waiting
        if self.sink.error is not None:
            raise self.sink.error
        self.sink.committed.append(self)
        return self.queue_id

    def abort(self):
        self.aborted = True


class Sink:
    def __init__(self):
        self.error = None
        self.waiting = None
        self.committed = []

    def open(self, envelope, producer=None):
        self.envelope = envelope
        return Writer(self)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


class Bench:
    def __init__(self, path):
        self.maildrop, self.corrupt = path / "maildrop", path / "corrupt"
        self.maildrop.mkdir()
        self.corrupt.mkdir()
        self.sink, self.log, self.threads, self.returned = Sink(), RecordingLog(), Threads(), []
        settings = from_text("myhostname = mx.test\n").settings
        context = Context(settings, self.threads, lambda: 1e9, self.log, "pickup", sink=self.sink)

        async def returns(envelope, queue_id, recipients, path, start, error):
            with open(path, "rb") as file:
                file.seek(start)
                self.returned.append((envelope.sender, [r.address for r in recipients], file.read(), str(error.reply)))

        self.pickup = Pickup(context, str(self.maildrop), str(self.corrupt), returns)

    def drop(self, **more):
        return drop(str(self.maildrop), Submission("me@x", [Recipient("you@y")], **more), [b"Subject: s\r\n\r\nb\r\n"])

    def left(self):
        return sorted(os.listdir(self.maildrop))


def test_a_message_is_submitted_and_its_file_removed(bench):
    bench.drop(fullname="Me", ret="HDRS")
    bench.pickup.poke()
    (writer,) = bench.sink.committed
    assert writer.recipients == ["you@y"]
    assert writer.content.startswith(
        f"Received: by mx.test (Postfix, from userid {os.getuid()})\r\n\tid ABC; ".encode()
    )
    assert writer.content.endswith(b"\r\nSubject: s\r\n\r\nb\r\n")
    envelope = bench.sink.envelope
    assert (envelope.source, envelope.context, envelope.fullname, envelope.ret) == ("local", "local", "Me", "HDRS")
    assert bench.left() == []
    assert f"info ABC: uid={os.getuid()} from=<me@x>" in bench.log.lines


def test_a_temporary_refusal_leaves_the_file_for_the_next_scan(bench):
    name = bench.drop()
    bench.sink.error = MailError(Reply(452, "4.3.1", "Insufficient system storage"))
    bench.pickup.poke()
    assert bench.left() == [name] and bench.returned == []
    bench.sink.error = None
    bench.pickup.poke()
    assert bench.left() == [] and len(bench.sink.committed) == 1


def test_a_final_refusal_goes_back_to_the_sender(bench):
    bench.drop()
    bench.sink.error = MailError(Reply(552, "5.3.4", "too big"))
    bench.pickup.poke()
    assert bench.returned == [("me@x", ["you@y"], b"Subject: s\r\n\r\nb\r\n", "552 5.3.4 too big")]
    assert bench.left() == []


def test_what_is_no_message_is_set_aside(bench):
    (bench.maildrop / "JUNK").write_text("hello\n")
    bench.pickup.poke()
    assert bench.left() == [] and os.listdir(bench.corrupt) == ["JUNK"]
    assert any(line.startswith("warning maildrop/JUNK: no envelope") for line in bench.log.lines)


def test_a_file_that_cannot_be_removed_is_not_submitted_twice(bench):
    name = bench.drop()
    bench.threads.broken[os.unlink] = PermissionError(13, "Permission denied")
    bench.pickup.poke()
    bench.threads.broken.clear()
    bench.pickup.poke()
    assert len(bench.sink.committed) == 1
    assert bench.left() == []
    assert f"warning maildrop/{name}: submitted, but cannot be removed: Permission denied" in bench.log.lines


def test_a_poke_during_a_scan_causes_another(bench):
    bench.drop()
    bench.sink.waiting = Deferred()
    bench.pickup.poke()
    second = bench.drop()
    bench.pickup.poke()
    assert second in bench.left()
    waiting, bench.sink.waiting = bench.sink.waiting, None
    waiting.callback(None)
    assert len(bench.sink.committed) == 2 and bench.left() == []
