"""kill -9 at random moments under load: what was acknowledged arrives; what comes twice was in flight. And: synced, then 250.

``MAILER_CRASH_ROUNDS`` says how many times the server is killed (10 otherwise), ``MAILER_CRASH_SEED`` repeats a run's moments.
"""

import os
import random
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from peers import LAYOUTS, need, wait_until

ROUNDS = int(os.environ.get("MAILER_CRASH_ROUNDS", "10"))
SEED = int(os.environ.get("MAILER_CRASH_SEED", random.randrange(1 << 32)))
CLIENTS = 8
#: A fate is written with one of the next new messages (after 32 notes, two for each message) or 20 ms later; so many
#: messages that were acknowledged after a delivery are more than enough for it to be in the kernel's hands.
SETTLED = 50
#: Deliveries to one destination at a time (default_destination_concurrency_limit), and fates that may not be written yet.
UNDER_WAY = 20 + SETTLED


def content(tag):
    """Every tenth message is too big for the database and lies in a file."""
    number = int(tag.rpartition("-")[2])
    lines = 1100 if number % 10 == 0 else 5
    return f"Subject: {tag}\r\n\r\n".encode() + f"{tag} {'x' * 70}\r\n".encode() * lines


class Arrivals(list):
    """What a Sink has taken; notes each arrival among the events."""

    def __init__(self, events):
        super().__init__()
        self.events = events

    def append(self, message):
        super().append(message)
        self.events.append(("arrived", re.search(rb"Subject: (\S+)", message[2])[1].decode()))


class Client(threading.Thread):
    """Sends one message after the other until the server goes away; notes what is acknowledged."""

    def __init__(self, port, name, events):
        super().__init__(daemon=True)
        self.port = port
        self.prefix = name
        self.events = events
        self.acknowledged = 0

    def run(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 10) as sock, sock.makefile("rwb") as stream:
                self.expect(stream, b"220")
                self.say(stream, b"EHLO client.test\r\n")
                number = 0
                while True:
                    number += 1
                    self.send(stream, f"{self.prefix}-{number}")
        except ConnectionError:
            return

    def send(self, stream, tag):
        self.say(stream, b"MAIL FROM:<s@example.test>\r\n")
        self.say(stream, b"RCPT TO:<r@elsewhere.test>\r\n")
        self.say(stream, b"DATA\r\n", b"354")
        self.say(stream, content(tag) + b".\r\n")
        self.events.append(("acknowledged", tag))
        self.acknowledged += 1

    def say(self, stream, octets, code=b"250"):
        stream.write(octets)
        stream.flush()
        self.expect(stream, code)

    def expect(self, stream, code):
        while True:
            line = stream.readline()
            if not line.endswith(b"\r\n"):
                raise ConnectionError("the server is gone")
            assert line.startswith(code), line
            if line[3:4] == b" ":
                return


def one_life(server, number, events, moments):
    """Start, load, kill. Ends when the clients have noticed."""
    server.start()
    clients = [Client(server.port, f"{number}-{client}", events) for client in range(CLIENTS)]
    for client in clients:
        client.start()
    wait_until(lambda: any(client.acknowledged for client in clients), what="a first message")
    time.sleep(moments.uniform(0, 0.7))
    server.stop(kill=True)
    events.append(("killed", str(number)))
    for client in clients:
        client.join(20)
        assert not client.is_alive()


def missing(events):
    """:return: what has been acknowledged and has not arrived."""
    tags = {"acknowledged": set(), "arrived": set(), "killed": set()}
    for what, tag in list(events):
        tags.setdefault(what, set()).add(tag)
    return tags["acknowledged"] - tags["arrived"]


def repeated(events):
    """:return: tag -> places among the events where it arrived, of all that arrived more than once."""
    places = {}
    for place, (what, tag) in enumerate(events):
        if what == "arrived":
            places.setdefault(tag, []).append(place)
    return {tag: found for tag, found in places.items() if len(found) > 1}


def was_in_flight(events, first, second):
    """Whether the server was killed between two arrivals, soon after the first."""
    acknowledged = 0
    for what, _ in events[first:second]:
        if what == "killed":
            return acknowledged <= SETTLED
        acknowledged += what == "acknowledged"
    # The peer may have read the first one from its socket when the server that sent it was dead already.
    before = [what for what, _ in events[:first] if what != "arrived"]
    return before[-1:] == ["killed"]


@pytest.mark.parametrize("layout", LAYOUTS, indirect=True)
def test_everything_acknowledged_arrives_and_only_what_was_in_flight_comes_twice(mta, sink):
    moments = random.Random(SEED)
    print(f"MAILER_CRASH_SEED={SEED}")
    events = []
    peer = sink()
    peer.messages = Arrivals(events)
    server = mta(f"relayhost = [127.0.0.1]:{peer.port}\n", start=False)
    for number in range(ROUNDS):
        one_life(server, number, events, moments)
    server.start()
    acknowledged = {tag for what, tag in events if what == "acknowledged"}
    assert len(acknowledged) > 10 * ROUNDS
    try:
        wait_until(lambda: not missing(events), 60, "everything acknowledged")
    except AssertionError as error:
        queue = server.tool("postqueue", "-p").stdout.decode()[-4000:]
        lost = f"MAILER_CRASH_SEED={SEED}: {sorted(missing(events))}"
        raise AssertionError(f"{error}\n{lost}\n{queue}\n{server.log()[-4000:]}") from None
    wait_until(lambda: server.tool("postqueue", "-p").stdout == b"Mail queue is empty\n", 30, "the empty queue")
    arrived = {tag for what, tag in events if what == "arrived"}
    assert len(arrived - acknowledged) <= CLIENTS * ROUNDS  # taken, but killed before it could say so
    for _, _, octets in peer.messages:
        tag = re.search(rb"Subject: (\S+)", octets)[1].decode()
        assert octets.partition(b"\r\n\r\n")[2] == content(tag).partition(b"\r\n\r\n")[2], tag
    twice = repeated(events)
    print(f"{ROUNDS} kills, {len(acknowledged)} acknowledged, {len(twice)} delivered more than once")
    for tag, places in twice.items():
        for first, second in zip(places, places[1:], strict=False):
            assert was_in_flight(events, first, second), (tag, SEED)


class Insistent(Client):
    """Sends one message after the other until it is told to stop; calls again when a connection breaks or a message is not
    taken now."""

    def __init__(self, port, name, events, over):
        super().__init__(port, name, events)
        self.over = over
        self.number = 0

    def run(self):
        while not self.over.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.port), 10) as sock, sock.makefile("rwb") as stream:
                    self.expect(stream, b"220")
                    self.say(stream, b"EHLO client.test\r\n")
                    for _ in range(20):
                        if self.over.is_set():
                            return
                        self.number += 1
                        self.send(stream, f"{self.prefix}-{self.number}")
            except (OSError, AssertionError) as error:
                self.events.append(("failed", f"{self.prefix}-{self.number}: {error!r}"))


def daemons(server):
    """Process ids of the daemons, by name such as ``smtpd.0``."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            title = (process / "cmdline").read_bytes().rstrip(b"\0").decode()
            directory = os.readlink(process / "cwd")
        except OSError:
            continue
        if title.startswith("mailer: ") and directory == f"{server.directory}/queue":
            found[title.removeprefix("mailer: ")] = int(process.name)
    return found


def was_under_way(events, first):
    """Whether somebody died shortly before a message arrived: a process that delivers goes on without its queue manager,
    and the next queue manager knows nothing of it."""
    acknowledged = 0
    for what, _ in reversed(events[:first]):
        if what == "killed":
            return True
        acknowledged += what == "acknowledged"
        if acknowledged > SETTLED:
            return False
    return False


def kill_one(server, moments, events):
    """Kill any daemon. :return: which, and how many seconds it took until mail was taken again that came after."""
    running = wait_until(lambda: daemons(server), what="daemons")
    name = moments.choice(sorted(running))
    os.kill(running[name], signal.SIGKILL)
    events.append(("killed", name))
    place, began = len(events), time.monotonic()
    wait_until(lambda: any(what == "acknowledged" for what, _ in events[place:]), 20, f"mail after the death of {name}")
    wait_until(lambda: name in daemons(server), 20, f"another {name}")
    return name, time.monotonic() - began


@pytest.mark.parametrize("layout", ["processes"], indirect=True)
def test_any_daemon_may_die_under_load(mta, sink):
    moments = random.Random(SEED)
    print(f"MAILER_CRASH_SEED={SEED}")
    events, over = [], threading.Event()
    peer = sink()
    peer.messages = Arrivals(events)
    soon = "minimal_backoff_time = 1s\nmaximal_backoff_time = 1s\nqueue_run_delay = 1s\nnotify_classes =\n"
    server = mta(f"relayhost = [127.0.0.1]:{peer.port}\n{soon}")
    clients = [Insistent(server.port, str(client), events, over) for client in range(CLIENTS)]
    for client in clients:
        client.start()
    deaths = []
    for _ in range(ROUNDS):
        time.sleep(moments.uniform(0.1, 0.5))
        deaths.append(kill_one(server, moments, events))
    over.set()
    for client in clients:
        client.join(30)
        assert not client.is_alive()
    print(*(f"{name} {seconds:.1f}s" for name, seconds in deaths))
    acknowledged = {tag for what, tag in events if what == "acknowledged"}
    assert len(acknowledged) > 10 * ROUNDS
    try:
        wait_until(lambda: not missing(events), 60, "everything acknowledged")
        empty = b"Mail queue is empty\n"
        wait_until(lambda: server.tool("postqueue", "-p").stdout == empty, 60, "the empty queue")
    except AssertionError as error:
        lost = f"MAILER_CRASH_SEED={SEED}: {sorted(missing(events))}, killed {deaths}"
        queue = server.tool("postqueue", "-p").stdout.decode()[-4000:]
        raise AssertionError(f"{error}\n{lost}\n{queue}\n{server.log()[-4000:]}\n{server.output()[-4000:]}") from None
    contents = server.directory / "queue/mailer/content"
    wait_until(lambda: not list(contents.glob("*/*")), 20, "no content left")
    arrived = {tag for what, tag in events if what == "arrived"}
    assert len(arrived - acknowledged) <= CLIENTS * ROUNDS  # taken, but somebody died before it was said
    for tag, places in repeated(events).items():
        for first, second in zip(places, places[1:], strict=False):
            assert was_in_flight(events, first, second) or was_under_way(events, first), (tag, SEED, deaths)
    assert len(repeated(events)) <= ROUNDS * UNDER_WAY
    assert "Traceback" not in server.output()


def trace(server, path):
    """strace on all threads of a running server, from when it is attached."""
    calls = "trace=fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg"
    process = subprocess.Popen(
        [need("strace"), "-f", "-y", "-s", "20000", "-e", calls, "-o", path, "-p", str(server.process.pid)],
        stderr=subprocess.PIPE,
    )
    first = process.stderr.readline().decode()
    if "attached" not in first:
        process.wait(10)
    return process, first


def test_synced_then_250(mta, sink, tmp_path):
    """Watched from outside: what a client is told leaves after the disk has said that it has the message."""
    need("strace")
    server = mta(f"relayhost = [127.0.0.1]:{sink().port}\n")
    path = tmp_path / "trace"
    tracer, first = trace(server, path)
    if tracer.returncode is not None:
        pytest.skip(f"strace cannot attach: {first.strip()}")
    small, large = "TAGSMALL", "TAGLARGE"
    server.send(["r@elsewhere.test"], f"Subject: small\r\n\r\n{small}\r\n")
    server.send(["r@elsewhere.test"], f"Subject: large\r\n\r\n{large}\r\n" + f"{'y' * 70}\r\n" * 2000)
    tracer.terminate()
    tracer.wait(20)
    calls = Calls(path.read_text(errors="replace").splitlines())
    replies = calls.begin(r"sendto\(.*250 2\.0\.0 Ok: queued as")
    assert len(replies) == 2
    written = calls.begin(rf"pwrite64\(\d+<[^>]*queue\.sqlite-wal>.*{small}")[0]
    synced = calls.end("fdatasync", r"queue\.sqlite-wal", after=written)
    assert written < synced < replies[0]
    written = calls.begin(rf"writev?\(\d+<[^>]*/content/[^>]*>.*{large}")[0]
    content_synced = calls.end("fsync", r"/content/../", after=written)
    directory_synced = calls.end("fsync", r"/content/..>", after=content_synced)
    row_synced = calls.end("fdatasync", r"queue\.sqlite-wal", after=directory_synced)
    assert written < content_synced < directory_synced < row_synced < replies[1]


class Calls:
    """The lines of a trace of several threads, in the order in which calls begin and end."""

    def __init__(self, lines):
        self.lines = lines

    def begin(self, pattern):
        return [place for place, line in enumerate(self.lines) if re.search(pattern, line)]

    def end(self, name, path, after):
        """The place where the first call on a path that began after a place has succeeded."""
        for place in range(after + 1, len(self.lines)):
            line = self.lines[place]
            if not re.search(rf"\b{name}\(\d+<[^>]*{path}", line):
                continue
            if "<unfinished" not in line:
                assert line.endswith("= 0"), line
                return place
            thread = line.split()[0]
            for end in range(place + 1, len(self.lines)):
                if self.lines[end].startswith(thread) and f"{name} resumed" in self.lines[end]:
                    assert self.lines[end].endswith("= 0"), self.lines[end]
                    return end
        raise AssertionError(f"no {name} of {path} has ended after line {after}")
