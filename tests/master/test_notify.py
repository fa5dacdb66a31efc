"""What a service manager is told, and what it hands over."""

import os
import socket
import subprocess
import sys

import pytest
from twisted.internet.task import Clock

from mailer.config.load import from_text
from mailer.master.binding import Binding
from mailer.master.notify import Notifier, inherited
from mailer.master.plan import make_plan
from mailer.testing.log import RecordingLog


@pytest.fixture
def manager(tmp_path):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(tmp_path / "notify"))
    sock.setblocking(False)
    yield sock
    sock.close()


def told(manager):
    found = []
    while True:
        try:
            found.append(manager.recv(1000).decode().split("\n"))
        except BlockingIOError:
            return found


def test_the_life_of_a_service(manager, tmp_path):
    clock = Clock()
    notifier = Notifier(clock, {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "4000000"})
    notifier.ready("serving mail")
    clock.pump([2, 2])
    assert told(manager) == [
        ["READY=1", "STATUS=serving mail", f"MAINPID={os.getpid()}"], *[["WATCHDOG=1"]] * 3,
    ]  # fmt: skip
    notifier.reloading()
    ((first, second),) = told(manager)
    assert first == "RELOADING=1" and second.startswith("MONOTONIC_USEC=")
    notifier.stopping()
    clock.pump([2, 2])
    assert told(manager) == [["STOPPING=1", "STATUS=ending"]]


def test_nobody_to_tell(manager, tmp_path):
    Notifier(Clock(), {}).ready("x")
    Notifier(Clock(), {"NOTIFY_SOCKET": str(tmp_path / "nowhere")}).ready("x")
    other = Notifier(
        Clock(), {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}
    )
    other.ready("x")
    assert len(told(manager)) == 1  # the watchdog is for somebody else


def test_an_abstract_address():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0mailer-test-notify")
        Notifier(Clock(), {"NOTIFY_SOCKET": "@mailer-test-notify"}).say("X=1")
        assert sock.recv(10) == b"X=1"


HANDED = """
import os, socket, sys
from mailer.master.notify import inherited
os.environ["LISTEN_PID"] = str(os.getpid())
found = inherited(sys.argv[1])
print(sorted(found), [sock.getblocking() or os.get_inheritable(sock.fileno()) for sock in found.values()])
"""


def test_sockets_that_were_bound_before(tmp_path):
    queue = tmp_path / "queue"
    queue.mkdir()
    with socket.socket(socket.AF_UNIX) as unix, socket.create_server(("127.0.0.1", 0)) as tcp:
        unix.bind(str(queue / "in"))
        unix.listen()
        port = tcp.getsockname()[1]
        code = f"import os; os.dup2({tcp.fileno()}, 113); os.dup2({unix.fileno()}, 114); os.dup2(113, 3); os.dup2(114, 4)\n"
        result = subprocess.run(
            [sys.executable, "-c", code + HANDED, str(queue)],
            env={**os.environ, "LISTEN_FDS": "2"},
            pass_fds=(tcp.fileno(), unix.fileno()),
            capture_output=True,
            check=True,
            text=True,
        )
    assert result.stdout == f"['127.0.0.1:{port}', 'in'] [False, False]\n"


def test_handed_over_to_somebody_else():
    assert inherited("/q", {"LISTEN_FDS": "1", "LISTEN_PID": "1"}) == {}
    assert inherited("/q", {}) == {}


def test_what_was_handed_over_is_not_bound_again():
    with socket.create_server(("127.0.0.1", 0)) as given, socket.create_server(("127.0.0.1", 0)) as odd:
        name, other = (f"127.0.0.1:{sock.getsockname()[1]}" for sock in (given, odd))
        binding = Binding(RecordingLog(), {name: given, other: odd})
        text = "inet_protocols = ipv4\n"
        binding.bind(make_plan(from_text(text, f"{name} inet n - n - - smtpd"), [], lambda host: []))
        assert binding.sockets == {name: given} and binding.given == {other: odd}


def test_a_socket_for_both_families_leaves_nothing_to_bind():
    given = socket.socket(socket.AF_INET6)
    given.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    given.bind(("::", 0))
    given.listen()
    port = given.getsockname()[1]
    binding = Binding(RecordingLog(), {f"[::]:{port}": given})
    plan = make_plan(
        from_text("inet_protocols = all\ninet_interfaces = all\n", f"{port} inet n - n - - smtpd"), [], list
    )
    binding.bind(plan)
    assert binding.sockets == {f"[::]:{port}": given}
    given.close()
