"""Mailboxes as files: what is written, what is left after a failure, locks, and sharing of flushes."""

import errno
import fcntl
import os
import socket
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.deliver.mailbox import biff, maildir, mbox, syncing
from mailer.deliver.mailbox.content import mark_from, unix_lines
from mailer.deliver.mailbox.deposit import Deposit, WriteFailure, status_of
from mailer.deliver.mailbox.locking import dotlock
from mailer.deliver.mailbox.mbox import Mboxes
from mailer.deliver.mailbox.syncing import DirectorySyncs
from mailer.deliver.mailbox.writing import MailboxWriter

CONTENT = b"Subject: x\r\n\r\nFrom me\r\nlast\r\n"


def cut(data, marks):
    edges = [0, *sorted(mark % (len(data) + 1) for mark in marks), len(data)]
    return [data[start:end] for start, end in zip(edges, edges[1:], strict=False)]


lines = st.lists(
    st.sampled_from([b"From x", b"From", b"From ", b"Fro", b">From y", b"", b"a\rb", b"\r", b"F", b"text"])
)


@given(lines, st.lists(st.integers(0, 200)))
def test_conversion_does_not_depend_on_the_pieces(parts, marks):
    whole = b"".join(line + b"\r\n" for line in parts)
    wanted = whole.replace(b"\r\n", b"\n")
    assert b"".join(unix_lines(cut(whole, marks))) == wanted
    marked = (b"\n" + wanted).replace(b"\nFrom ", b"\n>From ")[1:]
    assert b"".join(mark_from(unix_lines(cut(whole, marks)))) == marked
    assert b"".join(mark_from(unix_lines(whole[at : at + 1] for at in range(len(whole))))) == marked


def box(path, **more):
    return Deposit(str(path), "Return-Path: <>\n", "me@x", "host", **more)


def reason(function, *arguments):
    with pytest.raises(WriteFailure) as caught:
        function(*arguments)
    return caught.value.status, caught.value.reason


# -- maildir


def test_maildir_names_and_place(tmp_path):
    MailboxWriter().deliver(box(f"{tmp_path}/in/"), [CONTENT])
    (name,) = os.listdir(tmp_path / "in" / "new")
    status = os.stat(tmp_path / "in" / "new" / name)
    seconds, unique, host = name.split(".")
    assert abs(int(seconds) - time.time()) < 10
    assert unique.startswith(f"V{status.st_dev:x}I{status.st_ino:x}M") and unique.split("M")[1].isdigit()
    assert host == "host"
    assert status.st_mode & 0o777 == 0o600
    assert (tmp_path / "in/new" / name).read_bytes() == b"Return-Path: <>\nSubject: x\n\nFrom me\nlast\n"
    assert os.listdir(tmp_path / "in/tmp") == []


@pytest.mark.parametrize("step", ["write", "fsync", "fstat", "rename", "directory"])
def test_maildir_leaves_nothing_behind(tmp_path, monkeypatch, step):
    writer = MailboxWriter()
    writer.deliver(box(f"{tmp_path}/in/"), [CONTENT])
    before = os.listdir(tmp_path / "in" / "new")

    def failing(*arguments, **named):
        raise OSError(errno.ENOSPC, "x")

    if step == "directory":
        monkeypatch.setattr(syncing, "sync_directory", failing)
    else:
        monkeypatch.setattr(maildir.os, step, failing)
    status, text = reason(writer.deliver, box(f"{tmp_path}/in/"), [CONTENT])
    monkeypatch.undo()
    assert status == "4.3.0" and text.endswith(": No space left on device")
    assert os.listdir(tmp_path / "in" / "new") == before
    assert os.listdir(tmp_path / "in" / "tmp") == []


def test_maildir_order_of_steps(tmp_path, monkeypatch):
    """Nothing is in ``new`` that is not on the disk, and nothing is done before its name is."""
    writer = MailboxWriter()
    writer.deliver(box(f"{tmp_path}/in/"), [CONTENT])
    steps = []
    for name in ("write", "fsync", "rename"):
        real = getattr(os, name)

        def noted(*arguments, _real=real, _name=name):
            directory = _name == "fsync" and os.path.isdir(f"/proc/self/fd/{arguments[0]}")
            steps.append(_name + " directory" * directory)
            return _real(*arguments)

        monkeypatch.setattr(os, name, noted)
    writer.deliver(box(f"{tmp_path}/in/"), [CONTENT])
    assert steps == ["write", "fsync", "rename", "fsync directory"]


def test_maildir_when_content_ends_early(tmp_path):
    def pieces():
        yield b"Subject: x\r\n"
        raise LookupError

    with pytest.raises(LookupError):
        MailboxWriter().deliver(box(f"{tmp_path}/in/"), pieces())
    assert os.listdir(tmp_path / "in/new") == os.listdir(tmp_path / "in/tmp") == []


def test_maildir_limit(tmp_path):
    fits = len(b"Return-Path: <>\n") + len(CONTENT.replace(b"\r\n", b"\n"))
    MailboxWriter().deliver(box(f"{tmp_path}/in/", limit=fits), [CONTENT])
    assert reason(MailboxWriter().deliver, box(f"{tmp_path}/in/", limit=fits - 1), [CONTENT]) == (
        "5.2.2",
        "error writing message: File too large",
    )


def test_a_maildir_without_new(tmp_path):
    (tmp_path / "in/tmp").mkdir(parents=True)
    MailboxWriter().deliver(box(f"{tmp_path}/in/"), [CONTENT])
    assert len(os.listdir(tmp_path / "in/new")) == 1


def test_many_threads_one_maildir(tmp_path):
    writer = MailboxWriter()

    def some():
        for _ in range(20):
            writer.deliver(box(f"{tmp_path}/in/"), [CONTENT])

    threads = [threading.Thread(target=some) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(os.listdir(tmp_path / "in/new")) == 160


# -- fsync of directories


def test_an_fsync_that_began_before_does_not_count(monkeypatch):
    syncs, begun, release, done = DirectorySyncs(), [], threading.Semaphore(0), []

    def slow(path):
        begun.append(path)
        release.acquire()

    monkeypatch.setattr(syncing, "sync_directory", slow)

    def ask(number):
        syncs.sync("/x")
        done.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(5)]
    threads[0].start()
    while len(begun) < 1:
        time.sleep(0.001)
    for thread in threads[1:]:
        thread.start()
    while syncs._rounds["/x"].users < 5:
        time.sleep(0.001)
    release.release()
    while len(begun) < 2:
        time.sleep(0.001)
    assert done in ([], [0])
    release.release()
    for thread in threads:
        thread.join()
    assert len(begun) == 2 and sorted(done) == [0, 1, 2, 3, 4]
    assert syncs._rounds == {}


def test_a_failed_fsync_is_nobodys_success(monkeypatch):
    syncs, calls = DirectorySyncs(), []

    def failing(path):
        calls.append(path)
        raise OSError(errno.EIO, "x")

    monkeypatch.setattr(syncing, "sync_directory", failing)
    failed = []

    def ask():
        try:
            syncs.sync("/x")
        except OSError:
            failed.append(1)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failed) == 4


# -- mbox


def test_mbox_appends(tmp_path):
    path = tmp_path / "mbox"
    for _ in range(2):
        MailboxWriter().deliver(box(path, locks=("fcntl", "flock", "dotlock")), [CONTENT])
    message = b"Return-Path: <>\nSubject: x\n\n>From me\nlast\n\n"
    first, rest = path.read_bytes().split(b"\n", 1)
    assert first.startswith(b"From me@x  ") and len(first) == len("From me@x  Tue Nov 24 16:14:31 2026")
    assert rest == message + first + b"\n" + message
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["mbox"]


def test_the_comsat_service_is_told(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as comsat:
        comsat.bind(("127.0.0.1", 0))
        comsat.settimeout(10)
        biff.announce("alice", 474, comsat.getsockname()[1])
        assert comsat.recv(100) == b"alice@474\0"


def test_who_is_told_of_which_message(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(mbox, "announce", lambda *arguments: told.append(arguments))
    path = tmp_path / "box"
    for user in ("alice", "alice", ""):
        Mboxes().deliver(Deposit(str(path), "", "me@x", biff=user), [b"hello\r\n"])
    first = path.read_bytes().index(b"hello\n\n") + 7
    assert told == [("alice", 0), ("alice", first)]


def test_mbox_is_cut_back_after_a_failure(tmp_path):
    path = tmp_path / "mbox"
    path.write_bytes(b"before\n")

    def pieces():
        yield b"Subject: x\r\n" * 1000
        raise LookupError

    with pytest.raises(LookupError):
        MailboxWriter().deliver(box(path, locks=("dotlock",)), pieces())
    assert path.read_bytes() == b"before\n"
    assert os.listdir(tmp_path) == ["mbox"]


def test_mbox_files_that_are_refused(tmp_path):
    writer = MailboxWriter()
    directory = tmp_path / "dir"
    directory.mkdir()
    assert reason(writer.deliver, box(directory), [CONTENT]) == ("", "cannot open file: Is a directory")
    one = tmp_path / "one"
    one.write_bytes(b"")
    os.link(one, tmp_path / "two")
    assert reason(writer.deliver, box(one), [CONTENT]) == ("", "file has 2 hard links")
    os.chmod(tmp_path, 0o777)
    os.symlink(directory, tmp_path / "link")
    assert reason(writer.deliver, box(tmp_path / "link"), [CONTENT]) == ("", "file is a symbolic link")
    os.mkfifo(tmp_path / "fifo")
    assert reason(writer.deliver, box(tmp_path / "fifo"), [CONTENT])[1] == "cannot open file: No such device or address"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_mbox_of_somebody_else(tmp_path):
    path = tmp_path / "mbox"
    path.write_bytes(b"")
    os.chown(path, 2600, 2600)
    with pytest.raises(WriteFailure) as caught:
        MailboxWriter().deliver(box(path), [CONTENT])
    assert caught.value.reason == f"destination {path} is not owned by recipient"
    assert caught.value.advice == 'specify "strict_mailbox_ownership = no" to ignore mailbox ownership mismatch'
    MailboxWriter().deliver(box(path, strict_owner=False), [CONTENT])
    assert path.read_bytes()


def test_a_dotlock_that_somebody_holds(tmp_path):
    path = tmp_path / "mbox"
    (tmp_path / "mbox.lock").write_bytes(b"")
    held = box(path, locks=("dotlock",), lock_attempts=3, lock_delay=0.01)
    expected = ("4.2.0", f"unable to create lock file {path}.lock: File exists")
    assert reason(MailboxWriter().deliver, held, [CONTENT]) == expected
    assert (tmp_path / "mbox.lock").exists() and not path.exists()


def test_a_dotlock_that_was_left_over(tmp_path):
    path = tmp_path / "mbox"
    (tmp_path / "mbox.lock").write_bytes(b"")
    MailboxWriter().deliver(
        box(path, locks=("dotlock",), lock_attempts=2, lock_delay=0.01, stale_lock_time=-1.0), [CONTENT]
    )
    assert path.exists() and not (tmp_path / "mbox.lock").exists()


def test_waiting_for_a_dotlock(tmp_path):
    path = tmp_path / "mbox"
    lock = tmp_path / "mbox.lock"
    lock.write_bytes(b"")
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        lock.unlink()

    with dotlock(str(path), box(path, locks=("dotlock",), lock_delay=7.0), sleep):
        assert lock.exists()
    assert slept == [7.0] and not lock.exists()


def test_an_fcntl_lock_that_another_process_holds(tmp_path):
    path = tmp_path / "mbox"
    path.write_bytes(b"")
    code = f"import fcntl,sys; f=open({str(path)!r},'a'); fcntl.lockf(f,fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        held = box(path, locks=("fcntl",), lock_attempts=2, lock_delay=0.01)
        expected = ("4.2.0", "unable to lock for exclusive access: Resource temporarily unavailable")
        assert reason(MailboxWriter().deliver, held, [CONTENT]) == expected
        holder.stdin.close()
    MailboxWriter().deliver(held, [CONTENT])


def test_a_flock_that_another_file_holds(tmp_path):
    path = tmp_path / "mbox"
    with open(path, "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        held = box(path, locks=("flock",), lock_attempts=1)
        assert reason(MailboxWriter().deliver, held, [CONTENT])[1].startswith("unable to lock for exclusive access")


def test_threads_take_turns_at_an_mbox(tmp_path):
    writer = MailboxWriter()

    def slowly():
        yield b"Subject: x\r\n"
        time.sleep(0.01)
        yield b"\r\nend\r\n"

    def one():
        writer.deliver(box(tmp_path / "mbox", locks=("fcntl",), lock_attempts=1), slowly())

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "mbox").read_bytes().count(b"\nReturn-Path: <>\nSubject: x\n\nend\n\n") == 8


def test_status_of_an_errno():
    assert [status_of(number) for number in (errno.EDQUOT, errno.EFBIG, errno.ENOSPC, errno.EEXIST, errno.EACCES)] == [
        "5.2.2",
        "5.2.2",
        "4.3.0",
        "4.2.0",
        "",
    ]


def test_a_deposit_travels():
    deposit = box("/x/\udcff/", locks=("fcntl", "dotlock"), limit=7)
    assert Deposit.from_data(deposit.as_data()) == deposit
