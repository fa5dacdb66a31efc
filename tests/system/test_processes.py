"""The processes layout from outside, as root sees it: who runs as whom, what each can reach, what happens when one dies."""

import json
import os
import pwd
import signal
import smtplib
import socket
import subprocess
import sys
import time

import pytest
from certificates import both
from peers import free_port, wait_until

pytestmark = [
    pytest.mark.parametrize("layout", ["processes"], indirect=True),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start daemons that give up root's rights"),
    pytest.mark.skipif(
        not any(user.pw_name == "postfix" for user in pwd.getpwall()), reason="there is no account postfix (mail_owner)"
    ),
]


def status_of(pid):
    with open(f"/proc/{pid}/status") as lines:
        return dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)


def descendants(pid):
    """pid -> name of all living processes below one."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                values = status_of(int(entry))
            except OSError:
                continue
            parents[int(entry)] = int(values["PPid"]), values["Name"], values["State"][0]
    found = {}
    for one, (_, name, state) in parents.items():
        above = one
        while above in parents and above != pid:
            above = parents[above][0]
        if above == pid and one != pid and state != "Z":
            found[one] = name
    return found


def daemons(server):
    """name -> pid. Waits until all have given up root's rights."""

    def settled():
        found = descendants(server.process.pid)
        try:
            return found and all(status_of(pid)["Uid"].split()[0] != "0" for pid in found) and found
        except OSError:
            return None

    return {name: pid for pid, name in wait_until(settled, what="daemons without root's rights").items()}


def read_as(pid, uid, gid, path):
    """Whether a process with these ids, in the same root, may read a file. :return: 0, or errno."""
    code = (
        "import os, sys; root, uid, gid, path = sys.argv[1:]\n"
        "os.chroot(root); os.setgroups([]); os.setgid(int(gid)); os.setuid(int(uid))\n"
        "try: open(path, 'rb').read(1)\n"
        "except OSError as error: sys.exit(error.errno)\n"
    )
    command = [sys.executable, "-S", "-c", code, f"/proc/{pid}/root", str(uid), str(gid), path]
    return subprocess.run(command, check=False).returncode


def mailer(server, *arguments):
    command = [sys.executable, "-m", "mailer.commands.mailer", *arguments]
    return subprocess.run(command, env=server.environment(), capture_output=True, timeout=60, check=False)


def reported(server):
    return json.loads(mailer(server, "status", "--json").stdout)


def test_exactly_one_process_keeps_roots_rights(mta):
    server = mta()
    found = daemons(server)
    assert {name.partition(".")[0] for name in found} == {"proxymap", "qmgr", "deliver", "smtp", "smtpd"}
    owner = pwd.getpwnam("postfix")
    for name, pid in found.items():
        values = status_of(pid)
        assert values["Uid"].split() == [str(owner.pw_uid)] * 4, name
        assert values["Gid"].split() == [str(owner.pw_gid)] * 4, name
        assert "0" not in values["Groups"].split(), name
        for which in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(values[which], 16) == 0, (name, which)
        assert values["NoNewPrivs"] == "1", name
        with open(f"/proc/{pid}/limits") as limits:
            (core,) = (line.split() for line in limits if line.startswith("Max core file size"))
        assert core[4:6] == ["0", "0"], name
        # Not dumpable: /proc/PID belongs to root, so no other daemon can trace it or read its memory.
        assert os.stat(f"/proc/{pid}/mem").st_uid == 0, name
    assert status_of(server.process.pid)["Uid"].split()[0] == "0"


def test_a_delivery_is_the_recipients_and_ends(mta):
    server = mta("max_idle = 2s\n")
    before = daemons(server)
    server.send(["you@example.test"])
    server.wait_for_mail("you")
    workers = {pid for pid in descendants(server.process.pid) if pid not in before.values()}
    assert all(status_of(pid)["Uid"].split()[0] == str(server.uid) for pid in workers) and workers
    (message,) = server.messages("you")
    assert (message.stat().st_uid, message.stat().st_gid) == (server.uid, server.gid)
    wait_until(lambda: not workers & set(descendants(server.process.pid)), what="the end of an idle worker")


def test_chroot_is_what_master_cf_says(mta, sink):
    peer = sink()
    server = mta(f"relayhost = [127.0.0.1]:{peer.port}\n", start=False)
    other = free_port()
    path = server.directory / "master.cf"
    text = path.read_text().replace(f"127.0.0.1:{server.port} inet n - n", f"127.0.0.1:{server.port} inet n - y")
    path.write_text(
        text.replace("smtp unix - - n", "smtp unix - - y")
        + f"127.0.0.1:{other} inet n - n - 1 smtpd -o smtpd_banner=x\n"
    )
    server.start()
    wait_until(lambda: len(daemons(server)) == 10, what="all daemons")
    queue = str(server.directory / "queue")
    rows = {row["name"]: row for row in reported(server)["processes"]}
    for name, pid in daemons(server).items():
        root = os.readlink(f"/proc/{pid}/root")
        assert root == (queue if rows[name]["chroot"] else "/"), name
    assert {name for name, row in rows.items() if row.get("chroot")} == {"smtp.2", "smtp.3", "smtpd.1", "smtpd.2"}
    server.send(["a@elsewhere.test"])
    wait_until(lambda: peer.messages, what="mail from one chroot through another")
    with smtplib.SMTP("127.0.0.1", other, timeout=20) as client:
        client.sendmail("me@example.test", ["you@example.test"], "Subject: x\r\n\r\nx\r\n")
    server.wait_for_mail("you")
    assert "Traceback" not in server.output()


def test_secrets_are_out_of_smtpds_reach_and_used_all_the_same(mta):
    server = mta(start=False)
    pki = server.directory / "pki"
    pki.mkdir()
    key = pki / "key.pem"
    key.write_bytes(both("mx.example.test"))
    key.chmod(0o600)
    table = server.directory / "ldap.cf"
    table.write_text("server_host = ldap://127.0.0.1:9\nsearch_base = dc=x\nbind_dn = cn=x\nbind_pw = secret\n")
    table.chmod(0o600)
    with (server.directory / "main.cf").open("a") as main:
        main.write(f"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {key}\n")
        main.write(f"local_recipient_maps = ldap:{table}\nmydestination = ldap.test\n")
    server.start()
    owner = pwd.getpwnam("postfix")
    for name, pid in daemons(server).items():
        for path in (key, table, "/etc/shadow"):
            assert read_as(pid, owner.pw_uid, owner.pw_gid, str(path)) == 13, (name, path)
        # Nor is one of them left open.
        opened = {os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")}
        assert not opened & {str(key), str(table), "/etc/shadow"}, name
    with smtplib.SMTP("127.0.0.1", server.port, timeout=20) as client:
        assert client.starttls()[0] == 220


def test_a_service_that_is_broken_does_not_take_the_others_down(mta):
    other = free_port()
    server = mta(
        "",
        f"127.0.0.1:{other} inet n - n - - smtpd -o cleanup_service_name=nowhere\n",
    )
    server.wait_for_log("postfix/master[", f"service 127.0.0.1:{other}/inet is not served")
    server.send(["you@example.test"])
    server.wait_for_mail("you")
    rows = [row for row in reported(server)["processes"] if row["kind"] == "smtpd"]
    assert all(f"127.0.0.1:{other}/inet" in row["broken"] and row["state"] == "serving" for row in rows)


def test_each_is_started_again_within_a_second_and_no_mail_is_lost(mta, sink):
    peer = sink()
    server = mta(f"relayhost = [127.0.0.1]:{peer.port}\n")
    count = 0
    for name in sorted(daemons(server)):
        pid = daemons(server)[name]
        os.kill(pid, signal.SIGKILL)
        begin = time.monotonic()
        wait_until(lambda name=name, pid=pid: daemons(server).get(name, pid) != pid, what=f"another {name}")
        while True:
            try:
                server.send(["a@elsewhere.test", "you@example.test"])
                break
            except (OSError, smtplib.SMTPException):
                time.sleep(0.02)
        took = time.monotonic() - begin
        count += 1
        server.wait_for_log(f"process {name} pid {pid} killed by signal 9")
        wait_until(lambda count=count: len(peer.messages) >= count, what=f"mail after the end of {name}")
        server.wait_for_mail("you", count)
        assert took < 5, (name, took)  # usually below one; the machine may be busy
    assert [len(peer.messages), len(server.messages("you"))] == [count, count]
    restarts = {row["name"]: row["restarts"] for row in reported(server)["processes"]}
    assert restarts.pop("master") == 0 and set(restarts.values()) == {1}
    assert "Traceback" not in server.output()


def test_nobody_survives_master(mta):
    server = mta()
    pids = set(daemons(server).values())
    server.stop(kill=True)
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), 5, "the end of the daemons")
    server.start()  # ports and queue are free
    server.send(["you@example.test"])
    server.wait_for_mail("you")


def test_no_daemon_can_look_into_another(mta):
    server = mta()
    owner = pwd.getpwnam("postfix")
    for target in (server.process.pid, *daemons(server).values()):
        for file in ("mem", "environ"):
            assert read_as(target, owner.pw_uid, owner.pw_gid, f"/proc/{target}/{file}") == 13


def test_submission_by_an_ordinary_user(mta):
    server = mta()
    # The interpreter may lie where only root may go: become the user when all is imported.
    code = (
        "import os; from mailer.commands import sendmail, submission; import mailer.receive.maildrop\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "sendmail.main(['you@example.test'])\n"
    )
    message = b"Subject: hello\n\nIt works.\n"
    subprocess.run([sys.executable, "-c", code], env=server.environment(), input=message, check=True, timeout=60)
    (content,) = server.wait_for_mail("you")
    assert b"from userid 65534" in content
    server.wait_for_log("uid=65534 from=")
    maildrop = server.directory / "queue/mailer/maildrop"
    assert list(maildrop.iterdir()) == []


def test_status_in_words(mta):
    server = mta()
    with socket.create_connection(("127.0.0.1", server.port)) as session:
        session.recv(100)
        text = mailer(server, "status").stdout.decode()
    lines = [line.split() for line in text.splitlines()]
    assert [line[0] for line in lines[1:]] == [
        "master", "proxymap", "qmgr", "deliver", "smtp.0", "smtp.1", "smtpd.0", "smtpd.1",
    ]  # fmt: skip
    sessions = [line for line in lines if line[0].startswith("smtpd")]
    assert sorted(line[7] for line in sessions) == ["0", "1"]


@pytest.mark.parametrize("closed", [False, True])
def test_root_gets_processes_where_that_can_work(mta, closed):
    server = mta(start=False)
    server.layout = "auto"
    if closed:
        server.directory.chmod(0o700)
    server.start()
    server.send(["you@example.test"])
    server.wait_for_log("to=<you@example.test>")  # a closed directory is closed for mailboxes as well
    assert reported(server)["layout"] == ("single" if closed else "processes")
    warning = f"everything runs in one process as root: queue_directory is below {server.directory}, which postfix"
    assert (warning in server.output(), warning in server.log()) == (closed, closed)


def test_a_queue_changes_hands_with_the_layout(mta):
    server = mta("defer_transports = smtp\n", start=False)
    server.layout = "single"
    server.start()
    server.send(["first@elsewhere.test"], "Subject: x\r\n\r\n" + "long\r\n" * 20000)
    server.stop()
    server.layout = "processes"
    server.start()
    daemons(server)
    server.send(["second@elsewhere.test"])
    server.stop()
    server.layout = "single"
    server.start()
    server.tool("sendmail", "third@elsewhere.test", input=b"Subject: x\n\nx\n")
    wait_until(lambda: b"third" in server.tool("mailq").stdout, what="the third message")
    listed = server.tool("mailq").stdout
    assert b"first" in listed and b"second" in listed


def test_a_service_manager_is_told(mta, monkeypatch):
    server = mta(start=False)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(server.directory / "notify"))
        manager.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(server.directory / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        server.start(wait=False)
        assert manager.recv(1000).startswith(b"READY=1\n")
        assert server.answers()
        assert manager.recv(1000) == b"WATCHDOG=1"
        server.process.send_signal(signal.SIGHUP)
        while not (said := manager.recv(1000)).startswith(b"RELOADING=1\nMONOTONIC_USEC="):
            assert said == b"WATCHDOG=1"
        while not (said := manager.recv(1000)).startswith(b"READY=1\n"):
            assert said == b"WATCHDOG=1"
        server.process.send_signal(signal.SIGTERM)
        while not (said := manager.recv(1000)).startswith(b"STOPPING=1\n"):
            assert said == b"WATCHDOG=1"
