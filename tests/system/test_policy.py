"""Policy delegation with other people's servers: Debian's postgrey, and Debian's SPF policy server."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from peers import Mta, free_port, need, wait_until

sys.path.append(str(Path(__file__).parent.parent / "interop"))
from access_dialogue import NameServer, read_zone

NAME_SERVER = "127.0.0.154"


def _ask(server, client, sender, recipient="u@example.test"):
    """RCPT as a client that XCLIENT names. :return: code and text."""
    with server.smtp() as session:
        session.ehlo()
        assert session.docmd(f"XCLIENT ADDR={client} NAME=client.example HELO=client.example")[0] == 220
        session.ehlo()
        assert session.mail(sender)[0] == 250
        code, text = session.rcpt(recipient)
        if code == 250:
            session.data(b"Subject: x\r\n\r\nx\r\n")
    return code, text.decode()


@pytest.fixture
def postgrey(directory):
    program = need("postgrey")
    if os.getuid() != 0:
        pytest.skip("postgrey takes on another user's rights")
    home = directory / "grey"
    home.mkdir()
    account = pwd.getpwnam("postgrey")
    os.chown(home, account.pw_uid, account.pw_gid)
    port = free_port()
    process = subprocess.Popen(
        [program, f"--inet=127.0.0.1:{port}", "--delay=2", f"--dbdir={home}", f"--pidfile={home}/pid",
         "--auto-whitelist-clients=0", "--greylist-text=Greylisted, come again"],
        stdout=(directory / "postgrey.log").open("wb"),
        stderr=subprocess.STDOUT,
    )  # fmt: skip

    def answers():
        assert process.poll() is None, (directory / "postgrey.log").read_text()
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True

    wait_until(answers, what="the start of postgrey")
    yield port
    process.terminate()
    process.wait(10)


def _server(directory, rule):
    place = directory / "mta"
    place.mkdir()
    main = f"smtpd_recipient_restrictions = {rule}\nsmtpd_authorized_xclient_hosts = 127.0.0.1\nsmtpd_peername_lookup = no\n"
    return Mta(place, main=main).start()


def test_greylisting_round_trip(directory, postgrey):
    server = _server(directory, f"check_policy_service inet:127.0.0.1:{postgrey}")
    try:
        code, text = _ask(server, "203.0.113.5", "joe@sender.example")
        assert (code, text) == (450, "4.2.0 <u@example.test>: Recipient address rejected: Greylisted, come again")
        assert _ask(server, "203.0.113.5", "joe@sender.example")[0] == 450
        time.sleep(2.2)  # postgrey has a clock of its own
        assert _ask(server, "203.0.113.5", "joe@sender.example")[0] == 250
        content = server.wait_for_mail("u")[0]
        assert b"X-Greylist: delayed" in content.partition(b"\n\n")[0]
        assert _ask(server, "203.0.113.99", "joe@sender.example")[0] == 250  # the same network
        assert _ask(server, "198.51.100.7", "joe@sender.example")[0] == 450
    finally:
        server.stop()


def test_a_policy_server_that_goes_away_costs_a_refusal_for_now(directory):
    server = _server(directory, f"check_policy_service inet:127.0.0.1:{free_port()}")
    try:
        code, text = _ask(server, "203.0.113.5", "joe@sender.example")
        assert (code, text) == (451, "4.3.5 <u@example.test>: Recipient address rejected: Server configuration problem")
        server.wait_for_log("warning: problem talking to server 127.0.0.1:", "Connection refused")
    finally:
        server.stop()


@pytest.fixture
def spf(directory):
    """Debian's policyd-spf behind a port, as spawn(8) would run it, with a name server that knows three domains."""
    program = need("policyd-spf")
    if os.getuid() != 0:
        pytest.skip("a name server and a mount need root")
    try:
        names = NameServer(NAME_SERVER)
    except OSError as error:
        pytest.skip(f"no port 53 to be had: {error}")
    names.serve(
        read_zone(
            [
                "good.example TXT v=spf1 ip4:203.0.113.5 -all",
                "bad.example TXT v=spf1 ip4:192.0.2.1 -all",
                "none.example A 192.0.2.9",
                "client.example A 203.0.113.5",
            ]
        )
    )
    names.start()
    (directory / "resolv.conf").write_text(f"nameserver {NAME_SERVER}\noptions timeout:2 attempts:1\n")
    (directory / "spf.conf").write_text(
        "debugLevel = 1\nTestOnly = 1\nHELO_reject = False\nMail_From_reject = Fail\nPermError_reject = False\n"
        "TempError_Defer = False\nskip_addresses = 127.0.0.0/8\n"
    )
    script = f"mount --bind {directory}/resolv.conf /etc/resolv.conf && exec {program} {directory}/spf.conf"
    listening = socket.create_server(("127.0.0.1", 0))
    processes = []

    def serve():
        with suppress(OSError):
            while True:
                peer, _ = listening.accept()
                with peer, (directory / "spf.log").open("ab") as log:
                    words = ["unshare", "-m", "sh", "-c", script]
                    processes.append(subprocess.Popen(words, stdin=peer, stdout=peer, stderr=log))

    threading.Thread(target=serve, daemon=True).start()
    yield listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    names.socket.close()
    for process in processes:
        process.kill()
        process.wait(10)


def test_spf(directory, spf):
    server = _server(directory, f"check_policy_service inet:127.0.0.1:{spf}")
    try:
        code, text = _ask(server, "203.0.113.5", "joe@bad.example")
        assert code == 550 and "SPF fail" in text and text.startswith("5.7."), (
            text,
            (directory / "spf.log").read_text(),
        )
        assert _ask(server, "203.0.113.5", "joe@good.example")[0] == 250
        assert b"Received-SPF: Pass" in server.wait_for_mail("u")[0]
        assert _ask(server, "203.0.113.5", "joe@none.example")[0] == 250
    finally:
        server.stop()
