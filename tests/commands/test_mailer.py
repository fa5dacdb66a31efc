"""``mailer check`` and ``mailer status``."""

import json
import os
import socket
import threading

import pytest

from mailer.commands.mailer import main

MAIN = """\
compatibility_level = 3.6
queue_directory = {0}/queue
data_directory = {0}/var/data
myhostname = mx.example.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mailer_layout = single
"""
MASTER = "127.0.0.1:2525 inet n - n - - smtpd\n"


@pytest.fixture
def configured(tmp_path):
    (tmp_path / "main.cf").write_text(MAIN.format(tmp_path))
    (tmp_path / "master.cf").write_text(MASTER)
    return tmp_path


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code


def test_a_good_configuration(configured, capsys):
    assert run("check", "-c", str(configured)) == 0
    told = capsys.readouterr()
    assert told.out == "mailer: layout single\n" and "error" not in told.err
    assert not (configured / "queue").exists()  # it only looks


def test_what_a_start_would_refuse(configured, capsys):
    (configured / "main.cf").write_text(MAIN.format(configured) + "message_size_limit = lots\n")
    assert run("check", "-c", str(configured)) == 1
    assert "message_size_limit" in capsys.readouterr().err


def test_directories_are_made_and_mended(configured, capsys):
    assert run("check", "-c", str(configured), "--fix") == 0
    assert (configured / "queue/mailer/maildrop").is_dir()
    if os.geteuid() == 0:
        (configured / "queue").chmod(0o777)
        assert run("check", "-c", str(configured)) == 1
        assert f"error: {configured}/queue: everybody may write there" in capsys.readouterr().err
        assert run("check", "-c", str(configured), "--fix") == 0
        assert run("check", "-c", str(configured)) == 0


DOCUMENT = {
    "layout": "processes",
    "processes": [
        {"name": "master", "kind": "master", "pid": 7, "uid": 0, "state": "serving", "restarts": 0, "uptime": 90061.0,
         "memory": 52428800},
        {"name": "smtpd.0", "kind": "smtpd", "pid": 8, "uid": 102, "state": "serving", "restarts": 2, "uptime": 3.2,
         "memory": 41943040, "sessions": 12, "broken": {}},
        {"name": "deliver", "kind": "deliver", "pid": 0, "state": "waiting", "restarts": 4, "trouble": "no such user"},
    ],
}  # fmt: skip


@pytest.fixture
def running(configured, tmp_path_factory):
    """Something that answers as a running instance does."""
    (configured / "queue/public").mkdir(parents=True)
    place = os.open(configured / "queue/public", os.O_RDONLY)
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"/proc/self/fd/{place}/status")  # pytest's paths are too long for a socket
    server.listen()

    def serve():
        connection, _ = server.accept()
        with connection:
            connection.sendall(json.dumps(DOCUMENT).encode())

    threading.Thread(target=serve, daemon=True).start()
    yield configured
    server.close()
    os.close(place)


def test_status_in_words_and_as_json(running, capsys, monkeypatch):
    monkeypatch.chdir(running)
    (running / "main.cf").write_text(MAIN.format(running).replace(f"{running}/queue", "queue"))
    assert run("status", "-c", ".") == 2  # something is in trouble
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["name", "pid", "uid", "state", "restarts", "uptime", "memory", "sessions", "deliveries", "notes"],
        ["master", "7", "0", "serving", "0", "1d01:01:01", "50.0M", "-", "-"],
        ["smtpd.0", "8", "102", "serving", "2", "00:00:03", "40.0M", "12", "-"],
        ["deliver", "-", "-", "waiting", "4", "-", "-", "-", "-", "no", "such", "user"],
    ]


def test_json(running, capsys, monkeypatch):
    monkeypatch.chdir(running)
    (running / "main.cf").write_text(MAIN.format(running).replace(f"{running}/queue", "queue"))
    assert run("status", "-c", ".", "--json") == 2
    assert json.loads(capsys.readouterr().out) == DOCUMENT


def test_nothing_runs(configured, capsys):
    assert run("status", "-c", str(configured)) == 1
    assert "the mail system is not running" in capsys.readouterr().err


def test_an_unknown_command(capsys):
    assert run("chek") == 2
