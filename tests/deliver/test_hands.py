"""Who does the work: worker processes with their own rights, connections to them, threads of this process."""

import asyncio
import errno
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from deliveries import BODY, CONTENT
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from mailer.deliver.command.command import Command
from mailer.deliver.hands import framing, worker
from mailer.deliver.hands.hands import Hands
from mailer.deliver.hands.identity import Identity, unprivileged
from mailer.deliver.hands.lane import Lane
from mailer.deliver.hands.limits import Limits
from mailer.deliver.hands.tasks import Tasks, make
from mailer.deliver.hands.workers import Workers, start_process
from mailer.deliver.mailbox.deposit import Deposit
from mailer.message.status import TemporaryError
from mailer.testing.log import RecordingLog
from mailer.testing.queue import MemoryContent

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def request(deposit, content=CONTENT):
    return framing.pack({"task": "deposit", "deposit": deposit.as_data()}, len(content)) + content


def reachable(path):
    """Let others pass through the directories that tests are given."""
    for directory in (path, path.parent, path.parent.parent):
        os.chmod(directory, 0o711)


def ask(path):
    return {"task": "deposit", "deposit": box(path).as_data()}


def box(path):
    return Deposit(str(path), "Return-Path: <>\n", "me@x", "host")


# -- framing


def test_headers_are_bounded():
    for nonsense in (b"\xff\xff\xff\xff", b"\0\0\0\2[]", b"\0\0\0\2xx", b"\0\0\0\2{}"):
        with pytest.raises(framing.LostConnection):
            framing.unpack(nonsense)
        rest = [nonsense]
        with pytest.raises(framing.LostConnection):
            framing.read_header(lambda size, rest=rest: _take(rest, size))


def _take(rest, size):
    piece, rest[0] = rest[0][:size], rest[0][size:]
    return piece


def test_headers_arrive_in_any_pieces():
    header = {"reason": "\udcff caf\u00e9"}
    whole = framing.pack(header, 3) + b"abc"
    for end in range(len(whole)):
        assert framing.unpack(whole[:end]) is None
    assert framing.unpack(whole) == ({**header, "size": 3}, b"abc")
    rest = [whole]
    assert framing.read_header(lambda size: _take(rest, 1)) == {**header, "size": 3}
    assert framing.read_header(lambda size: b"") is None


# -- the worker's side


@pytest.fixture
def served():
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=worker.serve, args=(theirs, Tasks()))
    thread.start()
    yield ours
    ours.close()
    thread.join(10)
    assert not thread.is_alive()


def test_worker_answers(served, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for deposit, size in ((box(f"{tmp_path}/in/"), 1), (box(f"{tmp_path}/file/"), 0), (box(f"{tmp_path}/in/"), 2)):
        served.sendall(request(deposit))
        answer = framing.read_header(served.recv)
        if size:
            assert answer == {"size": 0}
            assert len(os.listdir(tmp_path / "in/new")) == size
        else:
            assert answer["status"] == "" and answer["reason"].endswith("Not a directory")
            assert not answer["denied"]


def test_worker_forgets_half_a_message(served, tmp_path):
    served.sendall(request(box(f"{tmp_path}/in/"))[:-1])
    served.shutdown(socket.SHUT_WR)
    assert served.recv(1) == b""
    assert os.listdir(tmp_path / "in/new") == os.listdir(tmp_path / "in/tmp") == []


@root
def test_worker_process_has_nobodys_rights_but_its_users(tmp_path):
    reachable(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 2500, 2501)
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    ours, theirs = socket.socketpair()
    # The place where tests are run need not be open to others; what the worker needs is imported before.
    process = start_process(Identity(2500, 2501, (2502,)), [theirs])
    theirs.close()
    ours.sendall(request(box(f"{home}/in/")))
    assert framing.read_header(ours.recv) == {"size": 0}
    status = Path(f"/proc/{process.pid}/status").read_text()
    assert "Uid:\t2500\t2500\t2500\t2500" in status and "Gid:\t2501\t2501\t2501\t2501" in status
    assert "Groups:\t2502 \n" in status
    assert "CapEff:\t0000000000000000" in status and "CapPrm:\t0000000000000000" in status
    (name,) = os.listdir(home / "in/new")
    assert (home / "in/new" / name).stat().st_uid == 2500
    ours.sendall(request(box(f"{private}/in/")))
    answer = framing.read_header(ours.recv)
    assert answer["denied"] and answer["reason"].endswith("Permission denied")
    ours.close()
    assert process.wait(10) == 0


@root
def test_root_writes_his_own_mailbox_and_runs_nothing(tmp_path):
    ours, theirs = socket.socketpair()
    process = start_process(Identity(0, 8), [theirs])
    theirs.close()
    ours.sendall(request(box(f"{tmp_path}/in/")))
    assert framing.read_header(ours.recv) == {"size": 0}
    (name,) = os.listdir(tmp_path / "in/new")
    about = (tmp_path / "in/new" / name).stat()
    assert (about.st_uid, about.st_gid) == (0, 8)
    status = Path(f"/proc/{process.pid}/status").read_text()
    assert "Uid:\t0\t0\t0\t0" in status and "Groups:\t8 \n" in status
    command = Command(("/bin/touch", f"{tmp_path}/touched")).as_data()
    ours.sendall(framing.pack({"task": "command", "command": command}, 0))
    assert framing.read_header(ours.recv)["failure"] == "commands do not run as root"
    assert not (tmp_path / "touched").exists()
    ours.close()
    assert process.wait(10) == 0


@root
def test_a_worker_may_be_confined(tmp_path):
    reachable(tmp_path)
    (tmp_path / "in").mkdir()
    os.chown(tmp_path / "in", 2500, 2500)
    ours, theirs = socket.socketpair()
    process = start_process(Identity(2500, 2500, (), str(tmp_path)), [theirs])
    theirs.close()
    ours.sendall(request(box("/in/")))
    assert framing.read_header(ours.recv) == {"size": 0}
    assert len(os.listdir(tmp_path / "in/new")) == 1
    assert os.readlink(f"/proc/{process.pid}/root") == str(tmp_path)
    ours.sendall(framing.pack({"task": "command", "command": Command(("/bin/true",)).as_data()}, 0))
    assert framing.read_header(ours.recv)["failure"] == "pipe_command: execvp /bin/true: No such file or directory"
    ours.close()
    assert process.wait(10) == 0


def test_who_cannot_confine_does_not_run_it_elsewhere():
    for start, own in ((None, 1000), (lambda *given: None, 1000), (lambda *given: None, 0)):
        log = RecordingLog()
        hands = Hands(None, log, 1.0, own, start=start)
        with pytest.raises(TemporaryError):
            asyncio.run(hands.run(Identity(1000, 5, (), "/jail"), Command(("/bin/true",)), MemoryContent(CONTENT)))
        assert log.lines == ["warning delivery as uid 1000 in /jail needs mailer_layout = single and root's rights"]


@root
def test_mailboxes_are_made_for_their_users(tmp_path):
    for _ in range(2):
        make(f"{tmp_path}/alice", 2601, 2602)
    about = (tmp_path / "alice").stat()
    assert (about.st_uid, about.st_gid, about.st_mode & 0o777) == (2601, 2602, 0o600)
    os.symlink(tmp_path / "target", tmp_path / "bob")
    make(f"{tmp_path}/bob", 2601, 2602)
    assert not (tmp_path / "target").exists()


LIMITS = Limits(("/var/mail/root",), ("/root/.forward",), "/var/mail", "/root")


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ({"task": "deposit", "deposit": {"path": "/var/mail/root"}}, True),
        ({"task": "deposit", "deposit": {"path": "/var/mail/alice"}}, False),
        ({"task": "deposit", "deposit": {"path": "/etc/cron.d/x"}}, False),
        ({"task": "read", "path": "/root/.forward"}, True),
        ({"task": "read", "path": "/root/.forward+ext"}, True),
        ({"task": "read", "path": "/root/.forward/../.ssh/key"}, False),
        ({"task": "read", "path": "/etc/shadow"}, False),
        ({"task": "read", "path": "/root"}, True),
        ({"task": "read", "path": "/root/.ssh/key"}, False),
        ({"task": "make", "path": "/var/mail/alice"}, True),
        ({"task": "make", "path": "/var/mail/../../etc/x"}, False),
        ({"task": "make", "path": "/etc/cron.d/x"}, False),
        ({"task": "command", "command": {}}, False),
    ],
)
def test_what_may_be_done_as_root_at_another_daemons_word(asked, allowed):
    limits = Limits.from_text(LIMITS.as_text())
    assert limits == LIMITS and limits.allow(asked) is allowed
    if not allowed:
        tasks = Tasks(limits)
        if asked["task"] == "read":
            assert tasks.perform(asked, ()) == ({"errno": errno.EACCES}, b"")
        else:
            with pytest.raises(framing.LostConnection):
                tasks.perform(asked, ())


def test_no_limits_are_no_text():
    assert Limits.from_text("") is None
    assert not Limits().allow({"task": "make", "path": "/x"})
    assert not Limits().allow({"task": "read", "path": "/x"})


def test_rights_that_stand_in_for_roots():
    nobody, user = Identity(65534, 65534), Identity(1000, 0)
    assert unprivileged(Identity(0, 0), nobody) == nobody
    assert unprivileged(user, nobody) == user


# -- our side of a connection


def lane():
    ended = []
    one, transport = Lane(ended.append), StringTransport()
    transport.registerProducer = lambda producer, streaming: setattr(transport, "flow", producer)
    transport.unregisterProducer = lambda: None
    one.makeConnection(transport)
    return one, transport, ended


class Started:
    """A coroutine under way, without a reactor."""

    def __init__(self, coroutine):
        self.results = []
        Deferred.fromCoroutine(coroutine).addBoth(self.results.append)


def test_lane_sends_and_is_answered():
    one, transport, _ = lane()
    started = Started(one.ask(ask("/x/"), MemoryContent(CONTENT)))
    assert transport.value() == request(box("/x/"))
    answer = framing.pack({}, 2) + b"ok"
    for octet in answer[:-1]:
        one.dataReceived(bytes([octet]))
    assert started.results == []
    one.dataReceived(answer[-1:])
    assert started.results == [({"size": 2}, b"ok")]


def test_an_answer_that_never_ends_is_no_answer():
    one, transport, _ = lane()
    started = Started(one.ask(ask("/x/"), MemoryContent(CONTENT)))
    one.dataReceived(framing.pack({}, 1 << 40))
    one.dataReceived(bytes(1 << 24))
    assert transport.disconnected
    one.connectionLost()
    assert started.results[0].check(TemporaryError)


def test_lane_is_held_up():
    one, transport, _ = lane()
    content = MemoryContent(b"x" * 200_000, inline=False)
    registered = []

    def register(flow, streaming):
        registered.append(flow)
        flow.pauseProducing()

    transport.registerProducer = register
    Started(one.ask(ask("/x/"), content))
    sent = len(transport.value())
    assert sent < 70_000
    registered[0].resumeProducing()
    assert len(transport.value()) > 200_000


def test_lane_that_is_lost():
    one, _, ended = lane()
    started = Started(one.ask(ask("/x/"), MemoryContent(CONTENT)))
    one.connectionLost()
    (failure,) = started.results
    assert failure.check(TemporaryError) and ended == [one]
    with pytest.raises(TemporaryError):
        asyncio.run(one.ask(ask("/x/"), MemoryContent(CONTENT)))


def test_content_that_cannot_be_read_ends_the_connection():
    one, transport, _ = lane()

    class Broken(MemoryContent):
        async def chunks(self, start=0):
            yield b"half"
            raise TemporaryError("disk")

    started = Started(one.ask(ask("/x/"), Broken(b"longer", inline=False)))
    assert started.results[0].check(TemporaryError)
    assert transport.disconnected


# -- all together, with a real reactor

SCRIPT = """
import os, sys
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from mailer.deliver.mailbox.deposit import Deposit
from mailer.deliver.hands.hands import Hands
from mailer.deliver.hands.identity import Identity
from mailer.testing.log import RecordingLog
from mailer.testing.queue import MemoryContent

base, uid = sys.argv[1], int(sys.argv[2])
log = RecordingLog()
hands = Hands(reactor, log, 0.2)
started, start = [], hands._workers._start
hands._workers._start = lambda *arguments: started.append(1) or start(*arguments)
small = MemoryContent(b"Subject: small\\r\\n\\r\\n")
large = MemoryContent(b"Subject: large\\r\\n\\r\\n" + b"x" * 78 * 20000 + b"\\r\\n", inline=False)

async def one(content):
    await hands.deliver(Identity(uid, uid), Deposit(base + "/in/", "", host="host"), content)

async def everything():
    await gatherResults([Deferred.fromCoroutine(one(large if i % 10 == 0 else small)) for i in range(50)])
    print(len(os.listdir(base + "/in/new")), len(started), flush=True)
    idle = Deferred()
    reactor.callLater(0.7, idle.callback, None)
    await idle
    print(len(hands._workers._workers), flush=True)
    await hands.stop()

def over(result):
    if result is not None:
        print(result)
    reactor.stop()

reactor.callWhenRunning(lambda: Deferred.fromCoroutine(everything()).addBoth(over))
reactor.run()
"""


def run_script(base, uid):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(base), str(uid)], env=environment, capture_output=True, text=True, timeout=60
    )
    return done.stdout.split("\n"), done.stderr


@root
def test_workers_are_started_used_and_ended(tmp_path):
    os.chown(tmp_path, 2500, 2500)
    reachable(tmp_path)
    out, errors = run_script(tmp_path, 2500)
    assert (out, errors) == (["50 1", "0", ""], "")
    sizes = sorted({os.stat(f"{tmp_path}/in/new/{name}").st_size for name in os.listdir(tmp_path / "in/new")})
    assert sizes == [16, 1560017]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes nothing itself")
def test_threads_of_this_process(tmp_path):
    out, errors = run_script(tmp_path, os.geteuid())
    assert (out, errors) == (["50 0", "0", ""], "")


def test_no_command_runs_as_root():
    log = RecordingLog()
    hands = Hands(None, log, 1.0, 0)
    with pytest.raises(TemporaryError):
        asyncio.run(hands.run(Identity(0, 0), Command(("/bin/true",)), MemoryContent(CONTENT)))
    assert log.lines == ["warning delivery as uid 0 is refused"]


class DirectPool:
    """A thread pool without threads."""

    def callInThreadWithCallback(self, result, function, *arguments, **keywords):
        result(True, function(*arguments, **keywords))

    def callInThread(self, function):
        function()


class Process:
    pid = 77
    killed = False

    def kill(self):
        self.killed = True

    def wait(self):
        return 0


def test_a_worker_that_hangs_is_killed():
    clock, log, process = Clock(), RecordingLog(), Process()
    clock.adoptStreamConnection = lambda descriptor, family, factory: factory.buildProtocol(None).makeConnection(
        StringTransport()
    )
    clock.callFromThread = lambda function, *arguments: function(*arguments)
    workers = Workers(clock, DirectPool(), 100.0, 300.0, log, lambda identity, sockets: succeed(process))
    started = Started(workers.ask(Identity(1000, 1000), ask("/x/")))
    for _ in range(3):
        clock.advance(100)
        assert not process.killed
    clock.advance(100)
    assert process.killed and not started.results
    assert log.lines == ["warning delivery worker process 77 of uid 1000: watchdog timeout"]
    for lane in workers._workers[Identity(1000, 1000)].lanes[:]:
        lane.connectionLost()
    assert started.results[0].check(TemporaryError)


@pytest.mark.parametrize(("own", "wanted"), [(1000, 1001), (1000, 0)])
def test_who_cannot_be_become(own, wanted):
    log = RecordingLog()
    hands = Hands(None, log, 1.0, own)
    with pytest.raises(TemporaryError) as caught:
        asyncio.run(hands.deliver(Identity(wanted, 5), box("/x/"), MemoryContent(CONTENT)))
    assert caught.value.reply.text == "mail system configuration error"
    assert len(log.lines) == 1


def test_content_of_the_message_is_what_the_mailbox_gets(served, tmp_path):
    served.sendall(request(box(f"{tmp_path}/in/")))
    assert framing.read_header(served.recv) == {"size": 0}
    (name,) = os.listdir(tmp_path / "in/new")
    assert (tmp_path / "in/new" / name).read_bytes() == b"Return-Path: <>\n" + BODY
    assert time.time() - os.stat(tmp_path / "in/new" / name).st_mtime < 60
