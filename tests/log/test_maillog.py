"""The mail log: format, batching, bounds, recovery."""

import io
import socket

import pytest
from twisted.internet.task import Clock

from mailer.log.destinations import FileDestination, StreamDestination, SyslogDestination
from mailer.log.maillog import MailLog


class Sink:
    def __init__(self):
        self.batches = []
        self.fail = None

    def write(self, lines):
        if self.fail:
            raise self.fail
        self.batches.append(lines)

    def reopen(self):
        self.batches.append("reopened")


class Thread:
    """Runs what is deferred when the test says so."""

    def __init__(self):
        self.waiting = []

    def __call__(self, function, done):
        self.waiting.append((function, done))

    def run(self):
        function, done = self.waiting.pop(0)
        try:
            function()
        except OSError as error:
            done(error)
        else:
            done(None)


@pytest.fixture
def clock():
    return Clock()


def make(clock, sink, thread=None, complaints=None):
    log = MailLog(
        sink,
        lambda: 1e9,
        lambda: 42,
        later=clock.callLater,
        defer=thread,
        complain=(complaints if complaints is not None else []).append,
    )
    return log, log.service("smtpd")


def test_lines_of_one_turn_go_together(clock):
    sink = Sink()
    _, smtpd = make(clock, sink)
    smtpd.info("one")
    smtpd.info("two")
    assert sink.batches == []
    clock.advance(0)
    assert [[line[3] for line in batch] for batch in sink.batches] == [["one", "two"]]


def test_under_load_lines_wait_a_tenth_of_a_second(clock):
    sink = Sink()
    _, smtpd = make(clock, sink)
    for _ in range(50):
        smtpd.info("prompt")
        clock.advance(0)
    sink.batches.clear()
    smtpd.info("one")
    clock.advance(0.05)
    smtpd.info("two")
    assert sink.batches == []
    clock.advance(0.05)
    assert [[line[3] for line in batch] for batch in sink.batches] == [["one", "two"]]


def test_two_hundred_lines_do_not_wait(clock):
    sink = Sink()
    _, smtpd = make(clock, sink)
    for number in range(200):
        smtpd.info(str(number))
    assert [len(batch) for batch in sink.batches] == [200]


def test_a_warning_goes_at_once_and_says_so(clock):
    sink = Sink()
    _, smtpd = make(clock, sink)
    smtpd.warning("odd")
    assert sink.batches == [[(1e9, "warning", "postfix/smtpd[42]", "warning: odd")]]


def test_batches_keep_their_order_while_the_destination_is_slow(clock):
    sink, thread = Sink(), Thread()
    log, smtpd = make(clock, sink, thread)
    smtpd.warning("first")
    smtpd.warning("second")
    assert len(thread.waiting) == 1
    thread.run()
    log.flush()
    thread.run()
    assert [batch[0][3] for batch in sink.batches] == ["warning: first", "warning: second"]


def test_a_stuck_destination_costs_bounded_memory_and_the_loss_is_logged(clock):
    sink, thread = Sink(), Thread()
    log, smtpd = make(clock, sink, thread)
    smtpd.warning("stuck")
    for number in range(100_007):
        smtpd.info(str(number))
    thread.run()
    thread.run()
    assert sink.batches[1][-1][3] == "7 log lines lost"


def test_a_failing_destination_is_reported_once_and_so_is_its_recovery(clock):
    sink, thread, complaints = Sink(), Thread(), []
    log, smtpd = make(clock, sink, thread, complaints)
    sink.fail = OSError("no space")
    for _ in range(2):
        smtpd.warning("x")
        thread.run()
    sink.fail = None
    smtpd.warning("y")
    thread.run()
    assert complaints == ["mail log: cannot write: no space", "mail log: writing again"]


def test_format_and_no_forged_lines():
    stream = io.BytesIO()
    StreamDestination(stream, "host").write([(1e9, "info", "postfix/smtpd[1]", "a\nb\x1bc \udcff é")])
    stamp, rest = stream.getvalue()[:15], stream.getvalue()[15:]
    assert len(stamp) == 15
    assert rest.decode() == " host postfix/smtpd[1]: a?b?c ? é\n"


def test_file_is_reopened_after_rotation(tmp_path):
    path = tmp_path / "mail.log"
    destination = FileDestination(str(path), "h")
    destination.write([(1e9, "info", "t", "one")])
    path.rename(tmp_path / "mail.log.1")
    destination.reopen()
    destination.write([(1e9, "info", "t", "two")])
    assert path.read_bytes().endswith(b" h t: two\n")
    assert (tmp_path / "mail.log.1").read_bytes().endswith(b" h t: one\n")
    assert path.stat().st_mode & 0o777 == 0o600


def test_syslog_datagrams_and_a_restarted_syslogd(tmp_path):
    path = str(tmp_path / "log")

    def listen():
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        server.bind(path)
        server.settimeout(5)
        return server

    first = listen()
    destination = SyslogDestination("mail", path)
    destination.write([(1e9, "info", "postfix/qmgr[1]", "ABC: removed")])
    assert first.recv(1000).startswith(b"<22>")
    first.close()
    (tmp_path / "log").unlink()
    second = listen()
    destination.write([(1e9, "warning", "postfix/qmgr[1]", "warning: x")])
    received = second.recv(1000)
    assert received.startswith(b"<20>") and received.endswith(b" postfix/qmgr[1]: warning: x")
    second.close()


def test_what_comes_while_a_slow_batch_is_written_goes_out_without_waiting_for_more(clock):
    sink, thread = Sink(), Thread()
    _, service = make(clock, sink, thread)
    service.warning("first")
    service.info("second")
    clock.advance(0.2)  # its time is over, but the first batch is still being written
    assert len(thread.waiting) == 1
    thread.run()
    thread.run()
    assert [[line[3] for line in batch] for batch in sink.batches] == [["warning: first"], ["second"]]


def test_a_rotation_waits_for_the_batch_that_is_being_written(clock):
    sink, thread = Sink(), Thread()
    log, service = make(clock, sink, thread)
    service.warning("before")
    log.reopen()
    service.warning("after")
    thread.run()
    thread.run()
    assert [batch if batch == "reopened" else batch[0][3] for batch in sink.batches] == [
        "warning: before",
        "reopened",
        "warning: after",
    ]


def test_a_rotation_that_fails_goes_on_in_the_old_file(tmp_path, clock):
    complaints = []
    directory = tmp_path / "d"
    directory.mkdir()
    log, service = make(clock, FileDestination(str(directory / "log"), "mx"), None, complaints)
    directory.rename(tmp_path / "elsewhere")
    log.reopen()
    service.warning("still here")
    assert "still here" in (tmp_path / "elsewhere/log").read_text()
    assert len(complaints) == 1 and complaints[0].startswith("mail log: cannot reopen: ")


def test_lines_that_are_held_back_are_written_when_they_are_old_enough_and_in_order(clock):
    sink = Sink()
    log = MailLog(sink, clock.seconds, lambda: 42, later=clock.callLater)
    log.hold_back(0.15)
    service = log.service("qmgr")
    for _ in range(10):
        service.info("line")
        before = len(sink.batches)
        clock.advance(0.05)
        for batch in sink.batches[before:]:
            assert all(line[0] <= clock.seconds() - 0.15 for line in batch)
    clock.pump([0.05] * 10)
    written = [line for batch in sink.batches for line in batch]
    assert len(written) == 10 and written == sorted(written)
    service.info("before it")
    service.warning("at once")
    assert [line[3] for line in sink.batches[-1]] == ["before it", "warning: at once"]
    assert clock.seconds() - written[-1][0] < 1
