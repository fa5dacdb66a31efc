"""postsuper: what it does, what it says, to the terminal and to the mail log."""

import io
import os
import sys

import pytest
from queues import Bench, Tools

from mailer.commands import postsuper
from mailer.message.envelope import Recipient
from mailer.receive.maildrop import Submission, drop, maildrop_directory


@pytest.fixture
def bench(tmp_path, capfd):
    (tmp_path / "q").mkdir()
    bench = Bench(tmp_path / "q")
    bench.tools = Tools(tmp_path, bench.directory, capfd)
    yield bench
    for queue in list(bench.queues):
        bench.stop(queue)


def run(bench, *arguments):
    """:return: what it says, line by line; it must succeed and print nothing."""
    status, out, error = bench.tools.run(postsuper.main, *arguments)
    assert (status, out) == (0, "")
    assert all(line.startswith("postsuper: ") for line in error.splitlines())
    return [line.removeprefix("postsuper: ") for line in error.splitlines()]


def failed(bench, *arguments):
    status, out, error = bench.tools.run(postsuper.main, *arguments)
    assert (status, out) == (1, "")
    return error


@pytest.fixture
def four(bench):
    """Messages active, incoming, deferred and on hold, and the queue."""
    queue, consumer = bench.queue(places=2)
    active, deferred = bench.put(queue), bench.put(queue)
    queue.defer(deferred, bench.now + 1000)
    incoming, held = bench.put(queue), bench.put(queue, hold="why")
    bench.run(queue.flushed())
    assert bench.states(queue) == {active: "active", deferred: "deferred", incoming: "incoming", held: "hold"}
    return queue, consumer, active, incoming, deferred, held


def test_deleting(bench, four):
    queue, consumer, active, incoming, deferred, held = four
    assert run(bench, "-d", deferred) == [f"{deferred}: removed", "Deleted: 1 message"]
    assert run(bench, "-d", deferred, "-d", active) == [f"{active}: removed", "Deleted: 1 message"]
    assert run(bench, "-d", "NOSUCH") == ["Deleted: 0 messages"]
    assert bench.states(queue) == {incoming: "incoming", held: "hold"}
    assert run(bench, "-d", "ALL", "hold") == ["Deleted: 1 message"]
    assert run(bench, "-d", "all") == ["Deleted: 0 messages"]
    assert run(bench, "-d", "ALL") == ["Deleted: 1 message"]
    assert bench.states(queue) == {}
    bench.reactor.until(lambda: consumer.gone)
    assert consumer.gone == [active]


def test_from_standard_input(bench, four, monkeypatch):
    queue, _, active, incoming, deferred, held = four
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{held}\n\nNOSUCH\nbad/id\n {active} \n"))
    assert run(bench, "-d", "-") == [
        "warning: invalid mail queue id: ",
        "warning: invalid mail queue id: bad/id",
        f"{held}: removed",
        f"{active}: removed",
        "Deleted: 2 messages",
    ]


def test_holding_and_releasing(bench, four):
    queue, consumer, active, incoming, deferred, held = four
    assert run(bench, "-h", deferred, "-h", held) == [f"{deferred}: placed on hold", "Placed on hold: 1 message"]
    assert run(bench, "-h", "ALL", "active", "incoming") == ["Placed on hold: 2 messages"]
    assert set(bench.states(queue).values()) == {"hold"}
    assert run(bench, "-H", incoming) == [f"{incoming}: released from hold", "Released from hold: 1 message"]
    assert run(bench, "-H", "ALL") == ["Released from hold: 3 messages"]
    assert set(bench.states(queue).values()) == {"deferred"}
    bench.reactor.until(lambda: consumer.gone and consumer.calls)
    assert consumer.gone == [active]


def test_expiring(bench, four):
    queue, _, active, incoming, deferred, held = four
    assert run(bench, "-e", held) == [f"{held}: expired", "Force-expired: 1 message"]
    assert run(bench, "-e", held) == ["Force-expired: 0 messages"]
    assert run(bench, "-f", held, "-f", deferred) == [
        f"{held}: released from hold",
        f"{deferred}: expired",
        "Force-expired: 1 message",
        "Released from hold: 1 message",
    ]
    assert run(bench, "-e", "ALL") == ["Force-expired: 2 messages"]
    assert bench.run(queue.load(held)).expired


def test_requeueing(bench, four):
    queue, consumer, active, incoming, deferred, held = four
    assert run(bench, "-r", deferred) == [f"{deferred}: requeued", "Requeued: 1 message"]
    bench.reactor.until(lambda: bench.states(queue)[deferred] == "incoming")


def test_options_are_carried_out_in_order_and_summed_up_together(bench, four):
    queue, _, active, incoming, deferred, held = four
    bench.stop(queue)
    assert run(bench, "-h", deferred, "-d", deferred, "-e", held, "-H", held, "-r", active) == [
        f"{deferred}: placed on hold",
        f"{deferred}: removed",
        f"{held}: expired",
        f"{held}: released from hold",
        f"{active}: requeued",
        "Requeued: 1 message",
        "Deleted: 1 message",
        "Force-expired: 1 message",
        "Placed on hold: 1 message",
        "Released from hold: 1 message",
    ]
    assert run(bench, "-d", active) == [f"{active}: removed", "Deleted: 1 message"], "from the maildrop queue as well"


def test_the_maildrop(bench):
    maildrop = maildrop_directory(bench.directory)
    os.makedirs(maildrop)
    names = [drop(maildrop, Submission("me", [Recipient("you@example.org")]), [b"x\r\n"]) for _ in range(3)]
    assert run(bench, "-h", names[0]) == ["Placed on hold: 0 messages"]
    assert run(bench, "-d", names[0]) == [f"{names[0]}: removed", "Deleted: 1 message"]
    assert run(bench, "-d", "ALL", "deferred") == ["Deleted: 0 messages"]
    assert run(bench, "-d", "ALL", "maildrop") == ["Deleted: 2 messages"]
    assert os.listdir(maildrop) == []


def test_wrong_ids_are_warned_of_for_each_thing_to_do(bench):
    bench.queue()
    assert run(bench, "-f", "../x", "-d", "") == [
        "warning: invalid mail queue id: ../x",
        "warning: invalid mail queue id: ../x",
        "warning: invalid mail queue id: ",
        "Deleted: 0 messages",
        "Force-expired: 0 messages",
        "Released from hold: 0 messages",
    ]


def test_before_the_first_server(bench):
    assert run(bench) == []
    assert run(bench, "-d", "ALL") == ["Deleted: 0 messages"]


def test_structure_and_leftovers(bench, four):
    queue = four[0]
    assert run(bench) == []
    orphan = queue._layout.content_file("ORPHAN")
    os.makedirs(os.path.dirname(orphan), exist_ok=True)
    open(orphan, "w").close()
    assert run(bench, "-p") == []
    assert not os.path.exists(orphan)


def test_the_mail_log_is_told(bench, four):
    deferred = four[4]
    run(bench, "-d", deferred)
    pid = os.getpid()
    text = bench.tools.log.read_text()
    assert f"postfix/postsuper[{pid}]: {deferred}: removed\n" in text
    assert f"postfix/postsuper[{pid}]: Deleted: 1 message\n" in text


def test_complaints(bench):
    bench.queue()
    assert failed(bench, "-d", "ALL", "bogus") == "postsuper: fatal: invalid directory name: bogus\n"
    usage = (
        "postsuper: fatal: usage: postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)]"
        " [-f queue_id (expire and/or un-hold)] [-h queue_id (hold)] [-H queue_id (un-hold)]"
        " [-p (purge temporary files)] [-r queue_id (requeue)] [-s (structure fix)]"
        " [-S (redundant structure fix)][-v (verbose)] [queue...]\n"
    )
    assert failed(bench, "-z") == "postsuper: invalid option -- 'z'\n" + usage
    assert failed(bench, "-d") == "postsuper: option requires an argument -- 'd'\n" + usage


def test_a_stranger_is_refused(bench, monkeypatch):
    monkeypatch.setattr("mailer.commands.queuetool.Tool.owns_queue", lambda tool: False)
    complaint = "postsuper: fatal: use of this command is reserved for the superuser\n"
    assert failed(bench, "-d", "ALL") == complaint


def test_many_at_once(bench):
    queue, _ = bench.queue()
    ids = [bench.put(queue) for _ in range(1203)]
    assert run(bench, "-h", "ALL") == ["Placed on hold: 1203 messages"]
    assert run(bench, "-d", "ALL") == ["Deleted: 1203 messages"]
    assert len(ids) == 1203
