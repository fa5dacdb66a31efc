"""postqueue and mailq: with and without a server, as owner and as somebody else."""

import json
import os
import socket
import threading
import time

import pytest
from queues import Bench, Tools

from mailer.commands import postqueue
from mailer.message.envelope import Recipient
from mailer.message.status import Outcome
from mailer.receive.maildrop import Submission, drop, maildrop_directory

DOWN = (
    "postqueue: warning: Mail system is down -- accessing queue directly"
    " (Connect to the Postfix showq service: No such file or directory)\n"
)
USAGE = (
    "postqueue: fatal: usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site\n"
)


@pytest.fixture
def bench(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    (tmp_path / "q").mkdir()
    bench = Bench(tmp_path / "q")
    bench.tools = Tools(tmp_path, bench.directory, capfd)
    yield bench
    for queue in list(bench.queues):
        bench.stop(queue)
    monkeypatch.undo()
    time.tzset()


def run(bench, *arguments):
    return bench.tools.run(postqueue.main, *arguments)


def deferred(bench, queue, *addresses):
    queue_id = bench.put(queue, *addresses)
    queue.record(queue_id, [(1, Outcome.deferred("connection refused", "4.4.1"))])
    queue.defer(queue_id, bench.now + 1000)
    bench.run(queue.flushed())
    return queue_id


def test_listing_beside_a_server(bench):
    queue, _ = bench.queue(serial=0)
    deferred(bench, queue)
    assert run(bench, "-p") == (0, """\
-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------
0000000000001      25 Tue Nov 14 22:13:20  s@example.com
                                                          (connection refused)
                                         r@example.org

-- 0 Kbytes in 1 Request.
""", "")  # fmt: skip


def test_listing_without_a_server(bench):
    queue, _ = bench.queue()
    queue_id = deferred(bench, queue)
    bench.stop(queue)
    status, out, error = run(bench, "-j")
    assert (status, error) == (0, DOWN)
    assert json.loads(out)["queue_id"] == queue_id


def test_listing_what_has_never_been_started(bench):
    assert run(bench, "-p") == (0, "Mail queue is empty\n", DOWN)
    assert run(bench, "-j") == (0, "", DOWN)


def test_the_maildrop_is_listed(bench):
    maildrop = maildrop_directory(bench.directory)
    os.makedirs(maildrop)
    name = drop(maildrop, Submission("me", [Recipient("you@example.org")]), [b"x\r\n"])
    with open(os.path.join(maildrop, "NONSENSE"), "w") as file:
        file.write("{")
    status, out, _ = run(bench, "-j")
    row = json.loads(out)
    assert (row["queue_id"], row["queue_name"], row["sender"]) == (name, "maildrop", "me")
    assert row["recipients"] == [{"address": "you@example.org"}]


def test_mailq_is_the_same_list(bench):
    queue, _ = bench.queue()
    deferred(bench, queue)

    from mailer.commands import mailq

    def main(arguments):
        try:
            mailq.main(["-C" if word == "-c" else word for word in arguments])
        except SystemExit as end:
            return end.code

    assert bench.tools.run(main)[:2] == run(bench, "-p")[:2]


def test_what_is_flushed_is_due(bench):
    bench.now = time.time()
    queue, consumer = bench.queue()
    one, two, three = (deferred(bench, queue, f"x@{name}.example") for name in ("a", "b", "sub.b"))
    bench.tools.settings("fast_flush_domains = b.example")

    def due():
        bench.now = time.time()
        return [entry.queue_id for entry in bench.run(queue.claim(bench.now, 10))]

    assert run(bench, "-s", "B.example") == (0, "", "")
    assert due() == [two]
    assert run(bench, "-i", one) == (0, "", "")
    assert due() == [one]
    assert run(bench, "-i", "NOSUCH") == (0, "", "")
    assert due() == []
    assert run(bench, "-f") == (0, "", "")
    assert due() == [three]
    bench.reactor.until(lambda: consumer.calls)
    assert set(consumer.calls) == {True}


def test_flushing_without_a_server(bench):
    fatal = "postqueue: fatal: Cannot flush mail queue - mail system is down\n"
    warning = "postqueue: warning: connect to public/flush: No such file or directory\n"
    assert run(bench, "-f") == (69, "", fatal)
    assert run(bench, "-i", "ABC") == (69, "", warning + fatal)
    queue, _ = bench.queue()
    bench.stop(queue)
    assert run(bench, "-f") == (69, "", fatal)
    assert run(bench, "-s", "example.org") == (69, "", warning + fatal)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["-i", "bad/id"], 'Cannot flush queue ID - invalid name: "bad/id"'),
        (["-s", "bad site"], 'Cannot flush mail queue - invalid destination: "bad site"'),
        (["-s", "1.2.3.4"], 'Cannot flush mail queue - invalid destination: "1.2.3.4"'),
        (["-s", ""], 'Cannot flush mail queue - invalid destination: ""'),
        (["-s", "example.net"], 'Flush service is not configured for destination "example.net"'),
        (["-s", "[1.2.3.4]"], 'Flush service is not configured for destination "[1.2.3.4]"'),
    ],
)
def test_wrong_arguments(bench, arguments, complaint):
    bench.queue()
    assert run(bench, *arguments) == (69, "", f"postqueue: fatal: {complaint}\n")


@pytest.mark.parametrize("arguments", [[], ["-p", "-j"], ["-f", "-p"], ["-p", "extra"]])
def test_usage(bench, arguments):
    assert run(bench, *arguments) == (69, "", USAGE)


def test_unknown_options(bench):
    assert run(bench, "-z") == (69, "", "postqueue: invalid option -- 'z'\n" + USAGE)
    assert run(bench, "-s") == (69, "", "postqueue: option requires an argument -- 's'\n" + USAGE)


def test_no_configuration(bench, capfd):
    assert postqueue.main(["-c", "/nonexistent", "-p"]) == 69
    error = capfd.readouterr().err
    assert error.startswith("postqueue: fatal: open /nonexistent/main.cf: No such file or directory")


# -- as somebody else


@pytest.fixture
def stranger(monkeypatch):
    monkeypatch.setattr("mailer.commands.queuetool.Tool.owns_queue", lambda tool: False)


class Server:
    """Answers one connection on a UNIX socket."""

    def __init__(self, bench, name, answer):
        os.makedirs(os.path.join(bench.directory, "public"), exist_ok=True)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(os.path.join(bench.directory, "public", name))
        self._socket.listen(1)
        self._answer = answer
        self.asked = b""
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        connection, _ = self._socket.accept()
        with connection:
            self.asked = connection.makefile("rb").readline()
            connection.sendall(self._answer)

    def close(self):
        self._thread.join(20)
        self._socket.close()


def test_a_stranger_asks_the_server_for_the_list(bench, stranger):
    row = {
        "queue_name": "active", "queue_id": "ABC", "arrival_time": 1700000000, "message_size": 2048,
        "forced_expire": False, "sender": "MAILER-DAEMON", "recipients": [{"address": "a@b", "delay_reason": "why"}],
    }  # fmt: skip
    server = Server(bench, "showq", json.dumps(row).encode() + b"\n")
    status, out, error = run(bench, "-p")
    server.close()
    assert (status, error, server.asked) == (0, "", b"list\n")
    assert out.splitlines()[1] == "ABC*           2048 Tue Nov 14 22:13:20  MAILER-DAEMON"


def test_a_stranger_asks_the_server_to_flush(bench, stranger):
    server = Server(bench, "qmgr", b"ok\n")
    assert run(bench, "-f") == (0, "", "")
    server.close()
    assert server.asked == b"flush\n"
    server = Server(bench, "flush", b"ok\n")
    assert run(bench, "-i", "ABC") == (0, "", "")
    server.close()
    assert server.asked == b"flush-id ABC\n"


def test_a_stranger_without_a_server(bench, stranger):
    assert run(bench, "-p") == (
        69,
        "",
        "postqueue: fatal: Queue report unavailable - mail system is down"
        " (Connect to the Postfix showq service: No such file or directory)\n",
    )
    assert run(bench, "-f") == (69, "", "postqueue: fatal: Cannot flush mail queue - mail system is down\n")


def test_who_may(bench, stranger):
    bench.tools.settings("authorized_mailq_users = !static:anyone\nauthorized_flush_users = somebody-else")
    status, _, error = run(bench, "-p")
    assert status == 77
    assert error.startswith("postqueue: fatal: User ") and error.endswith(" is not allowed to view the mail queue\n")
    status, _, error = run(bench, "-f")
    assert status == 77
    assert error.endswith(" is not allowed to flush the mail queue\n")
