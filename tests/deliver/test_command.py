"""External commands: what they get, when they are ended, what their end means."""

import os
import signal
import sys
import time

import pytest

from mailer.deliver.command.command import Command, Result
from mailer.deliver.command.environment import exported
from mailer.deliver.command.running import run
from mailer.deliver.command.verdict import verdict, visible

CONTENT = b"Subject: x\r\n\r\nFrom me\r\n.dot\r\nlast\r\n"


def shell(script, **more):
    return Command(("/bin/sh", "-c", script), {"PATH": "/usr/bin:/bin"}, **more)


def test_the_message_comes_on_standard_input():
    result = run(shell("cat", head="Head: x\n", tail="\n"), [CONTENT[:5], CONTENT[5:]])
    assert result == Result(output="Head: x\nSubject: x\n\nFrom me\n.dot\nlast\n\n")


def test_marks_and_line_ends():
    result = run(
        shell("od -An -c", head="H\n", tail="\n", mark_from=True, dots=True, end_of_line="\r\n"), [b"From x\r\n.\r\n"]
    )
    assert result.output.replace(" ", "").replace("\n", "") == r"H\r\n>Fromx\r\n..\r\n\r\n"


def test_a_command_need_not_read():
    assert run(shell("exit 67"), [b"x" * 1000000]).code == 67
    assert run(shell("exec <&-; sleep 0.05"), [b"x" * 1000000]) == Result()


def test_a_talkative_command_is_not_blocked():
    result = run(shell("yes abcdefg | head -c 1000000; cat >/dev/null; exit 3"), [b"y" * 500000])
    assert (result.code, len(result.output)) == (3, 4096)


def test_both_outputs_are_kept():
    assert run(shell("echo out; echo err >&2"), [CONTENT]).output == "out\nerr\n"


def test_signals():
    assert run(shell("kill -TERM $$"), [CONTENT]).signal == signal.SIGTERM


@pytest.mark.parametrize(
    ("script", "size", "during"),
    [
        ("sleep 60", 1, "read"),
        ("sleep 60", 1000000, "write"),
        ("cat >/dev/null; exec >&- 2>&-; sleep 60", 1, "child wait"),
        ("(sleep 60)& exit 0", 1, "read"),
    ],
)
def test_a_command_that_takes_too_long_is_killed_with_its_children(script, size, during):
    begun = time.monotonic()
    result = run(shell(script, time_limit=0.2), [b"x" * size])
    assert result.expired == during
    assert time.monotonic() - begun < 10


def test_nobody_survives(tmp_path):
    script = f"sleep 60 & echo $! > {tmp_path}/pid; wait"
    assert run(shell(script, time_limit=0.3), [b""]).expired == "read"
    child = int((tmp_path / "pid").read_text())
    for _ in range(100):
        try:
            with open(f"/proc/{child}/stat") as file:
                if file.read().split()[2] == "Z":
                    return
        except FileNotFoundError:
            return
        time.sleep(0.01)
    pytest.fail("a child of the command is still there")


def test_content_that_breaks_off_ends_the_command(tmp_path):
    def pieces():
        yield b"x"
        raise LookupError

    with pytest.raises(LookupError):
        run(shell(f"cat; echo done > {tmp_path}/done"), pieces())


def test_surroundings(tmp_path):
    result = run(shell("pwd; umask; env | sort", directory=str(tmp_path)), [b""])
    lines = result.output.split("\n")
    assert lines[:2] == [str(tmp_path), "0077"]
    assert [line for line in lines[2:] if not line.startswith(("PWD=", "_=", "SHLVL=", "OLDPWD="))] == [
        "PATH=/usr/bin:/bin",
        "",
    ]


def test_it_leads_a_session_of_its_own():
    result = run(Command((sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid())"), {}), [b""])
    assert result.output == "True\n"


def test_no_descriptor_of_ours_is_left_open():
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    result = run(shell("ls /proc/self/fd | wc -l"), [b""])
    os.close(reading)
    os.close(writing)
    assert int(result.output) == 4  # input, output, error, and ls' own


def test_what_cannot_be_started(tmp_path):
    (tmp_path / "plain").write_text("no program")
    for path, why in (("/nonexistent/x", "No such file or directory"), (tmp_path / "plain", "Permission denied")):
        assert run(Command((str(path),)), [b""]) == Result(failure=f"pipe_command: execvp {path}: {why}")
    result = run(shell("true", directory="/nonexistent"), [b""])
    ids = f"uid={os.geteuid()} gid={os.getegid()}"
    assert result == Result(
        failure=f'cannot change directory to "/nonexistent" for {ids}: No such file or directory', hidden=True
    )
    assert run(shell("pwd", directory="/nonexistent", anywhere=True), [b""]).output == "/\n"


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (Result(), ("2.0.0", "")),
        (Result(output="a\nb\n"), ("2.0.0", "a b ")),
        (Result(1), ("5.3.0", 'Command died with status 1: "/x/cmd"')),
        (
            Result(1, output="err text\nhello  world\x01\nsecond \u00e9 line\n"),
            (
                "5.3.0",
                'Command died with status 1: "/x/cmd". Command output: err text hello  world_ second \u00e9 line ',
            ),
        ),
        (Result(67), ("5.1.1", "user unknown")),
        (Result(75, output="busy\n"), ("4.3.0", "temporary failure. Command output: busy ")),
        (Result(75, output="5.1.9 perm output\n"), ("5.1.9", "perm output ")),
        (Result(1, output="4.7.9 some output\nsecond line\n"), ("4.7.9", "some output second line ")),
        (Result(1, output="2.1.9 wrong output\n"), ("2.1.9", "wrong output ")),
        (Result(1, output="5.7.1\n"), ("5.7.1", "")),
        (Result(75, output="  5.7.1 leading\n"), ("4.3.0", "temporary failure. Command output:   5.7.1 leading ")),
        (Result(0, output="5.1.9 perm output\n"), ("2.0.0", "5.1.9 perm output ")),
        (Result(signal=15), ("4.3.0", 'Command died with signal 15: "/x/cmd"')),
        (Result(expired="read"), ("5.3.0", 'Command time limit exceeded: "/x/cmd"')),
        (
            Result(failure="pipe_command: execvp /x/cmd: No such file or directory"),
            (
                "4.3.0",
                "temporary failure. Command output: pipe: fatal: pipe_command: execvp /x/cmd: No such file or directory ",
            ),
        ),
        (Result(failure="cannot change directory", hidden=True), ("4.3.0", "temporary failure")),
    ],
)
def test_verdict(result, expected):
    """As Postfix 3.7 says it."""
    assert verdict("/x/cmd", result, "pipe") == expected


def test_every_sysexit():
    codes = {code: verdict("c", Result(code), "p")[0] for code in range(64, 79)}
    assert codes == {
        64: "5.3.0",
        65: "5.6.0",
        66: "5.3.0",
        67: "5.1.1",
        68: "5.1.2",
        69: "5.3.0",
        70: "5.3.0",
        71: "4.3.0",
        72: "5.3.0",
        73: "5.2.0",
        74: "5.3.0",
        75: "4.3.0",
        76: "5.5.0",
        77: "5.7.0",
        78: "5.3.5",
    }


def test_output_is_made_visible():
    assert visible("a\r\n\t\udcff\u00e9") == "a_ __\u00e9"


def test_environment():
    class Settings:
        export_environment = ("TZ", "MAIL_CONFIG", "LANG=C", "{ A = b c }", "NOT")
        config_directory = "/etc/x"

    assert exported(Settings, {"TZ": "UTC", "SECRET": "x"}) == {
        "PATH": "/usr/bin:/bin",
        "TZ": "UTC",
        "MAIL_CONFIG": "/etc/x",
        "LANG": "C",
        "A": "b c",
    }


def test_a_command_travels():
    command = shell("x", head="\udcff", time_limit=3.5, mark_from=True)
    assert Command.from_data(command.as_data()) == command
