"""The durable store beyond the contract: restarts, damage, full and busy disks, what is kept in memory."""

import errno
import os
import sqlite3

import pytest
from twisted.internet.defer import Deferred

from mailer.message.envelope import Envelope, Recipient
from mailer.message.status import MailError, Outcome, TemporaryError
from mailer.queue.disk import Disk
from mailer.queue.recovery import QueueInUse, is_running
from mailer.queue.schema import SchemaError
from mailer.queue.spool import _remove_orphan
from mailer.queue.store import SqliteQueue

BIG = b"Subject: big\r\n\r\n" + b"x" * 70 * 1024 + b"\r\n"


def contents(bench):
    return sorted(name for _, _, names in os.walk(os.path.join(bench.directory, "mailer", "content")) for name in names)


def database(bench):
    return sqlite3.connect(os.path.join(bench.directory, "mailer", "queue.sqlite"), isolation_level=None)


# -- restart


def test_after_a_restart_active_messages_are_incoming_again(bench):
    queue, _ = bench.queue()
    small, big = bench.put(queue, "a@example.org", "b@example.org"), bench.put(queue, content=BIG)
    deferred, held = bench.put(queue), bench.put(queue, hold="why")
    queue.record(small, [(1, Outcome.sent("ok"))])
    queue.record(deferred, [(1, Outcome.deferred("later"))])
    queue.defer(deferred, bench.now + 50)
    bench.stop(queue)
    queue, _ = bench.queue()
    assert bench.states(queue) == {small: "incoming", big: "incoming", deferred: "deferred", held: "hold"}
    first, second = bench.run(queue.claim(bench.now, 10))
    assert (first.queue_id, [r.address for r in first.recipients], first.pending, first.nrcpt) == (
        small, ["b@example.org"], 1, 2,
    )  # fmt: skip
    assert (second.queue_id, bench.read(second.content)) == (big, BIG)
    assert bench.run(queue.next_attempt()) == bench.now + 50


def test_a_bounce_that_a_crash_cut_short_is_still_owed(bench):
    queue, _ = bench.queue()
    queue_id = bench.put(queue)
    queue.record(queue_id, [(1, Outcome.bounced("no such user", "5.1.1"))])
    bench.stop(queue)
    queue, _ = bench.queue()
    (entry,) = bench.run(queue.claim(bench.now, 10))
    assert (entry.bounced, entry.pending, entry.recipients) == (1, 0, [])
    assert [outcome.text for _, outcome in bench.run(queue.failures(queue_id))] == ["no such user"]


def test_row_numbers_of_removed_messages_do_not_lend_their_status_to_new_ones(bench):
    queue, _ = bench.queue()
    bench.put(queue)
    bench.stop(queue)
    tool = database(bench)
    # As a tool and a server that dies leave it: the message is gone, what the server recorded of it is not.
    tool.execute("INSERT INTO status VALUES (1, 1, 0, NULL)")
    tool.execute("DELETE FROM message")
    tool.close()
    queue, consumer = bench.queue()
    queue_id = bench.put(queue)
    assert bench.run(queue.load(queue_id)).pending == 1


def test_stop_writes_what_was_noted(bench):
    queue, _ = bench.queue()
    queue_id = bench.put(queue)
    queue.remove(queue_id)
    bench.stop(queue)
    assert database(bench).execute("SELECT count(*) FROM message").fetchone() == (0,)


def test_notes_are_written_within_20_ms(bench):
    queue, _ = bench.queue()
    queue_id = bench.put(queue)
    queue.remove(queue_id)
    bench.reactor.advance(0.021)
    bench.run(queue.flushed())
    assert database(bench).execute("SELECT count(*) FROM message").fetchone() == (0,)


def test_after_stop_everything_is_refused(bench):
    queue, _ = bench.queue()
    writer = queue.open(Envelope())
    writer.write(b"x\r\n")
    bench.stop(queue)
    with pytest.raises(TemporaryError):
        bench.run(writer.commit())
    with pytest.raises(TemporaryError):
        queue.open(Envelope())
    with pytest.raises(TemporaryError):
        bench.run(queue.claim(bench.now, 1))


def test_one_server_at_a_time(bench):
    queue, _ = bench.queue()
    assert is_running(queue._layout)
    with pytest.raises(QueueInUse):
        bench.queue()
    bench.stop(queue)
    assert not is_running(queue._layout)


def test_a_queue_of_a_later_version_is_left_alone(bench):
    queue, _ = bench.queue()
    bench.stop(queue)
    database(bench).execute("PRAGMA user_version = 99")
    with pytest.raises(SchemaError, match="format 99.*format 1 only"):
        bench.queue()


def test_a_database_of_something_else_is_left_alone(bench):
    os.makedirs(os.path.join(bench.directory, "mailer"))
    database(bench).execute("CREATE TABLE other (x)")
    with pytest.raises(SchemaError, match="not a mail queue"):
        bench.queue()


def test_a_file_that_is_no_database(bench):
    os.makedirs(os.path.join(bench.directory, "mailer"))
    with open(os.path.join(bench.directory, "mailer", "queue.sqlite"), "wb") as file:
        file.write(b"nonsense" * 1000)
    with pytest.raises(SchemaError, match="not a database"):
        bench.queue()


def test_mail_that_postfix_left_is_counted(bench):
    for place in ("deferred/A", "active", "hold", "pid"):
        os.makedirs(os.path.join(bench.directory, place))
        open(os.path.join(bench.directory, place, "A1"), "w").close()
    bench.queue()
    (line,) = bench.log.lines
    assert line.startswith("warning 3 queue files of Postfix are left below")
    bench.log.lines.clear()


def test_an_emptied_queue_gives_its_space_back(bench):
    queue, _ = bench.queue()
    for _ in range(40):
        queue_id = bench.put(queue, content=b"x" * 60_000 + b"\r\n")
        queue.remove(queue_id)
    bench.stop(queue)
    path = os.path.join(bench.directory, "mailer", "queue.sqlite")
    tool = database(bench)
    tool.execute("CREATE TABLE ballast (x)")
    tool.execute("INSERT INTO ballast VALUES (zeroblob(70000000))")
    tool.execute("DROP TABLE ballast")
    tool.close()
    assert os.path.getsize(path) > 64 * 1024 * 1024
    queue, _ = bench.queue()
    bench.stop(queue)
    assert os.path.getsize(path) < 1024 * 1024


# -- damage


def damaged(bench, statement):
    queue, _ = bench.queue()
    bad, good = bench.put(queue, *(f"r{n}@example.org" for n in range(150))), bench.put(queue)
    bench.stop(queue)
    database(bench).execute(statement)
    queue, _ = bench.queue()
    claimed = bench.run(queue.claim(bench.now, 10))
    assert [entry.queue_id for entry in claimed] == [good]
    assert bench.states(queue)[bad] == "corrupt"
    assert bench.log.lines[0].startswith(f"warning corrupted queue file: {bad}")
    assert bench.run(queue.claim(bench.now, 10)) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE message SET envelope = '{' WHERE id = 1",
        "UPDATE message SET first = 'x' WHERE id = 1",
        "DELETE FROM content WHERE id = 1",
        "UPDATE content SET data = x'00' WHERE id = 1",
        "DELETE FROM block WHERE message = 1",
    ],
)
def test_an_unreadable_message_is_set_aside(bench, statement):
    damaged(bench, statement)


@pytest.mark.parametrize("damage", [os.unlink, lambda path: os.truncate(path, 100)], ids=["gone", "cut"])
def test_a_message_without_its_content_file_is_set_aside(bench, damage):
    queue, _ = bench.queue()
    bad = bench.put(queue, content=BIG)
    bench.stop(queue)
    damage(queue._layout.content_file(bad))
    queue, _ = bench.queue()
    assert bench.run(queue.claim(bench.now, 10)) == []
    assert bench.states(queue) == {bad: "corrupt"}
    assert len(bench.log.lines) == 1


def test_content_that_vanishes_while_active_is_a_temporary_failure(bench):
    queue, consumer = bench.queue()
    bench.put(queue, content=BIG)
    (entry,) = consumer.entries
    os.truncate(queue._layout.content_file(entry.queue_id), 65536)
    with pytest.raises(TemporaryError):
        bench.read(entry.content)
    os.unlink(queue._layout.content_file(entry.queue_id))
    with pytest.raises(TemporaryError):
        bench.read(entry.content)


def test_content_files_without_a_message_are_tidied_at_start(bench):
    queue, _ = bench.queue()
    kept = bench.put(queue, content=BIG)
    bench.stop(queue)
    directory = os.path.join(bench.directory, "mailer", "content", "ab")
    os.makedirs(directory, exist_ok=True)
    for name in ("ORPHAN", kept[::-1]):
        with open(os.path.join(directory, name), "w") as file:
            file.write("x")
    queue, _ = bench.queue()
    bench.stop(queue)
    assert contents(bench) == [kept]


def test_content_that_is_being_written_is_not_tidied(bench):
    queue, _ = bench.queue()
    writer = queue.open(Envelope())
    writer.write(BIG)
    while not contents(bench):
        pass  # an I/O thread makes the file
    bench.run(queue.tidy())
    assert contents(bench) == [writer.queue_id]
    writer.recipient(Recipient("r@example.org"))
    assert bench.run(writer.commit()) == writer.queue_id


def test_a_content_file_that_is_tidied_before_it_is_locked_is_made_again(bench, monkeypatch):
    """What went wrong: a server that tidies at start removed files that had just been made, and mail with them."""
    queue, consumer = bench.queue()
    opened = []
    open_new = Disk._open_new

    def open_and_be_overtaken(path):
        descriptor = open_new(path)
        opened.append(path)
        if len(opened) < 3:
            assert _remove_orphan(path, os.path.basename(path), Disk(), lambda name: False)
        return descriptor

    monkeypatch.setattr(Disk, "_open_new", staticmethod(open_and_be_overtaken))
    bench.put(queue, content=BIG)
    assert len(opened) == 3
    assert bench.read(consumer.entries[0].content) == BIG


# -- a disk that fails


class FailingDisk(Disk):
    """Fails at the operations named in ``broken`` with the error given."""

    def __init__(self):
        super().__init__()
        self.broken = {}

    def _check(self, name):
        if name in self.broken:
            raise self.broken[name]

    def write(self, descriptor, chunks):
        self._check("write")
        super().write(descriptor, chunks)

    def sync(self, descriptor):
        self._check("sync")
        super().sync(descriptor)

    def commit(self, connection):
        self._check("commit")
        super().commit(connection)

    def commit_alone(self, connection, write):
        self._check("commit")
        super().commit_alone(connection, write)


def refused(bench, queue, content):
    writer = queue.open(Envelope())
    writer.recipient(Recipient("r@example.org"))
    writer.write(content)
    with pytest.raises(MailError) as caught:
        bench.run(writer.commit())
    return str(caught.value.reply)


NO_SPACE = "452 4.3.1 Insufficient system storage"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("step", ["write", "sync"])
def test_a_content_file_that_cannot_be_written(bench, step, number):
    disk = FailingDisk()
    queue, consumer = bench.queue(disk=disk)
    disk.broken[step] = OSError(number, os.strerror(number))
    assert refused(bench, queue, BIG) == NO_SPACE
    disk.broken.clear()
    bench.put(queue, content=BIG)
    bench.stop(queue)
    assert contents(bench) == [consumer.entries[0].queue_id]


@pytest.mark.parametrize("text", ["database or disk is full", "disk I/O error", "attempt to write a readonly database"])
def test_a_database_that_cannot_be_written(bench, text):
    disk = FailingDisk()
    queue, consumer = bench.queue(disk=disk)
    active = bench.put(queue)
    disk.broken["commit"] = sqlite3.OperationalError(text)
    disk.broken["commit"].sqlite_errorcode = {"d": 13, "a": 8}[text[0]] if "I/O" not in text else 10
    assert refused(bench, queue, BIG) == NO_SPACE
    assert refused(bench, queue, b"x\r\n") == NO_SPACE
    queue.remove(active)
    with pytest.raises(MailError):
        bench.run(queue.flushed())
    disk.broken.clear()
    bench.run(queue.flushed())
    assert bench.states(queue) == {}, "what was noted while the disk was broken is written when it works again"
    assert len(bench.log.lines) == 1
    bench.log.lines.clear()
    bench.stop(queue)
    assert contents(bench) == []


def test_any_other_failure_is_a_queue_file_write_error(bench):
    disk = FailingDisk()
    queue, _ = bench.queue(disk=disk)
    disk.broken["commit"] = sqlite3.OperationalError("something else")
    assert refused(bench, queue, b"x\r\n") == "451 4.3.0 Error: queue file write error"


def test_one_message_that_cannot_be_stored_does_not_spoil_the_others(bench):
    queue, consumer = bench.queue()
    replies = []
    for number in range(5):
        writer = queue.open(Envelope())
        writer.recipient(Recipient("r@example.org"))
        writer.write(b"x\r\n")
        if number == 2:
            queue._number = 1  # a row number that is taken
        elif number == 3:
            queue._number = 100
        replies.append(Deferred.fromCoroutine(writer.commit()))
        if number == 0:
            bench.reactor.wait(replies[0])
            replies[0] = Deferred.fromCoroutine(_value(consumer.entries[0].queue_id))
    results = []
    for reply in replies:
        reply.addBoth(results.append)
    bench.reactor.until(lambda: len(results) == 5)
    assert [isinstance(result, str) for result in results] == [True, True, False, True, True]
    bench.run(queue.flushed())
    assert len(bench.states(queue)) == 4


async def _value(value):
    return value


def test_a_database_that_another_process_keeps_locked_is_waited_for(bench):
    queue, _ = bench.queue()
    tool = database(bench)
    tool.execute("BEGIN IMMEDIATE")
    writer = queue.open(Envelope())
    writer.write(b"x\r\n")
    reply = Deferred.fromCoroutine(writer.commit())
    tool.execute("COMMIT")
    assert bench.reactor.wait(reply) == writer.queue_id


def test_a_lock_that_is_never_released_ends_in_a_temporary_failure(bench, monkeypatch):
    monkeypatch.setattr("mailer.queue.schema._BUSY_SECONDS", 0.05)
    queue, _ = bench.queue()
    tool = database(bench)
    tool.execute("BEGIN IMMEDIATE")
    assert refused(bench, queue, b"x\r\n") == "451 4.3.0 Error: queue file write error"
    tool.execute("ROLLBACK")
    bench.put(queue)


# -- room


def test_minfree(bench):
    class Roomy(Disk):
        octets = 5_000_000

        def free(self, path):
            return self.octets

    queue, _ = bench.queue(disk=Roomy(), minfree=1_000_000, size_limit=2_000_000)
    queue.open(Envelope(size=1_000_000)).abort()
    with pytest.raises(MailError, match=NO_SPACE):
        queue.open(Envelope(size=5_000_000))
    queue.open(Envelope(size=5_000_000, source="local")).abort()
    Roomy.octets = 2_999_999
    bench.run(queue._space.refresh())
    with pytest.raises(MailError, match=NO_SPACE):
        queue.open(Envelope())
    assert bench.log.lines[-1] == (
        "warning not enough free space in mail queue: 2999999 bytes < 1.5*message size limit"
    )
    Roomy.octets = 1_000_000
    bench.run(queue._space.refresh())
    with pytest.raises(MailError, match=NO_SPACE):
        queue.open(Envelope())


def test_free_space_that_cannot_be_told_refuses_nothing(bench):
    class Blind(Disk):
        def free(self, path):
            raise OSError(errno.EIO, "broken")

    queue, _ = bench.queue(disk=Blind(), minfree=10**15)
    bench.put(queue)
    assert bench.log.lines == ["warning cannot find out free space in mail queue: broken"]


# -- memory


def test_inline_content_stays_within_its_budget(bench):
    queue, consumer = bench.queue(inline_budget=100)
    content = b"x" * 58 + b"\r\n"
    ids = [bench.put(queue, content=content) for _ in range(3)]
    assert [entry.content.inline for entry in consumer.entries] == [content, None, None]
    assert [bench.read(entry.content) for entry in consumer.entries] == [content] * 3
    queue.remove(ids[0])
    bench.put(queue, content=content)
    assert consumer.entries[3].content.inline == content
    queue.defer(ids[1], 0.0)
    (entry,) = bench.run(queue.claim(bench.now, 1))
    assert entry.content.inline is None and bench.read(entry.content) == content


def test_a_removed_message_s_content_is_a_temporary_failure(bench):
    queue, consumer = bench.queue(inline_budget=0)
    queue_id = bench.put(queue)
    queue.remove(queue_id)
    bench.run(queue.flushed())
    with pytest.raises(TemporaryError):
        bench.read(consumer.entries[0].content)


def test_a_consumer_s_fault_keeps_nobody_from_the_answer(bench, capfd):
    queue, consumer = bench.queue()
    consumer.arrived = lambda entry: 1 / 0
    bench.put(queue)
    bench.put(queue)


def test_a_message_without_recipients_is_stored(bench):
    queue, consumer = bench.queue()
    writer = queue.open(Envelope())
    writer.write(b"x\r\n")
    bench.run(writer.commit())
    bench.run(queue.flushed())
    assert (consumer.entries[0].recipients, consumer.entries[0].pending) == ([], 0)


def test_explicit_queue_ids(bench):
    queue, _ = bench.queue(long_ids=True, serial=5)
    assert len(bench.put(queue)) == 16


def test_no_file_is_open_to_others(bench):
    queue, _ = bench.queue()
    bench.put(queue, content=BIG)
    for place, directories, files in os.walk(os.path.join(bench.directory, "mailer")):
        for name in (*directories, *files):
            assert os.stat(os.path.join(place, name)).st_mode & 0o077 == 0, name


def test_the_class_is_built_from_a_context(bench):
    class Settings:
        queue_directory = bench.directory
        enable_long_queue_ids = False
        queue_minfree = 0
        message_size_limit = 1000

    class Context:
        settings = Settings
        queue_directory = Settings.queue_directory
        reactor = bench.reactor
        seconds = staticmethod(lambda: bench.now)
        log = bench.log

    queue = SqliteQueue.for_context(Context)
    bench.run(queue.start())
    bench.queues.append(queue)
    bench.put(queue)
