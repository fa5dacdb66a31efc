"""The relay of etc/ldap-relay over a real slapd: what senders see while all is well, and while the directory is gone, hangs
and comes back."""

import re
import smtplib
import threading
import time
from collections import Counter

import pytest
from peers import wait_until
from slapd import SAMPLE, Slapd, sample_ldif

PEOPLE = 3000


RULES = 'access to * by dn.exact="cn=relay,ou=services,dc=example,dc=com" read by anonymous auth'


@pytest.fixture
def slapd(directory):
    place = directory / "slapd"
    place.mkdir()
    server = Slapd(place, sample_ldif(PEOPLE), "", RULES).start()
    yield server
    server.stop()


@pytest.fixture
def relay(directory, slapd, mta, sink):
    """The sample's tables with this directory, and ``peer`` in place of the mail stores; further lines of main.cf and of all
    tables as arguments."""
    peer = sink()

    def start(main="", table=""):
        place = directory / "ldap"
        place.mkdir()
        for path in (SAMPLE / "ldap").glob("*.cf"):
            text = re.sub("(?m)^server_host.*$", f"server_host = {slapd.url}", path.read_text())
            assert slapd.url in text
            text = text.replace("result_format = relay:[%s]", f"result_format = relay:[127.0.0.1]:{peer.port}")
            (place / path.name).write_text(text + table)
        server = mta(
            f"""\
mydestination = mx.example.test
local_recipient_maps = $alias_maps
alias_maps = ldap:{place}/local-aliases.cf
relay_domains = example.com
relay_recipient_maps = ldap:{place}/recipients.cf
virtual_alias_maps = ldap:{place}/aliases.cf, ldap:{place}/groups.cf
virtual_alias_expansion_limit = 20000
transport_maps = ldap:{place}/transport.cf
smtpd_sender_login_maps = ldap:{place}/senders.cf
smtpd_recipient_restrictions = check_recipient_access ldap:{place}/access.cf, permit_mynetworks, reject_unauth_destination
smtpd_junk_command_limit = 100000
smtpd_hard_error_limit = 100000
smtpd_soft_error_limit = 100000
minimal_backoff_time = 1s
queue_run_delay = 1s
{main}"""
        )
        server.peer = peer
        return server

    return start


def ask(client, recipient, sender="x@elsewhere.test"):
    client.rset()
    client.mail(sender)
    code, text = client.rcpt(recipient)
    return code, text.decode()


def arrived(peer):
    """Recipients at the mail stores, in lower case, and how often."""
    return Counter(re.search(rb"<(.*?)>", rcpt)[1].decode() for _, rcpts, _ in peer.messages for rcpt in rcpts)


def test_who_receives_what(relay):
    server = relay()
    with server.smtp() as client:
        client.ehlo()
        assert ask(client, "user5@example.com")[0] == 250
        assert ask(client, "USER5+tag@Example.COM")[0] == 250
        assert ask(client, "felix.fuchs5@example.com")[0] == 250
        assert ask(client, "team3@example.com")[0] == 250
        for unknown in ("nobody@example.com", "user19@example.com", "user*@example.com"):
            code, text = ask(client, unknown)
            assert (code, text.split()[0]) == (550, "5.1.1"), (unknown, text)
            assert "User unknown in relay recipient table" in text
        code, text = ask(client, "user2@example.com")
        assert code == 554 and "this mailbox sends only" in text
    # Its owner, whom he lets, and the members of the team that he lets; disabled accounts have logins, too.
    logins = server.tool("postmap", "-q", "user1@example.com", f"ldap:{server.directory.parent}/ldap/senders.cf")
    assert set(logins.stdout.decode().strip().split(",")) == {f"user{number}" for number in range(20)}
    server.send(["felix.fuchs5@example.com", "user7+tag@example.com"])
    server.send(["operator@mx.example.test"])
    wait_until(lambda: sum(arrived(server.peer).values()) >= 3, what="mail at the stores")
    assert arrived(server.peer) == Counter(["user5@example.com", "user7+tag@example.com", "user3@example.com"])


def test_groups_of_groups_that_contain_themselves(relay):
    server = relay()
    server.send(["team3@example.com"])
    members = [f"user{number}@example.com" for number in range(60, 80) if number % 20 != 19]
    wait_until(lambda: sum(arrived(server.peer).values()) >= 19, what="the team's mail")
    assert arrived(server.peer) == Counter(members)
    server.peer.messages.clear()
    server.send(["department1@example.com"])
    members = [f"user{number}@example.com" for number in range(200, 400) if number % 20 != 19]
    wait_until(lambda: sum(arrived(server.peer).values()) >= len(members), 30, "the department's mail")
    assert arrived(server.peer) == Counter(members)
    # department0 contains everybody-in-charge, which contains all departments, department0 among them.
    table = f"ldap:{server.directory.parent}/ldap/groups.cf"
    found = server.tool("postmap", "-q", "department0@example.com", table).stdout.decode().strip().split(",")
    assert set(found) == {f"user{number}@example.com" for number in range(PEOPLE) if number % 20 != 19}


class Senders:
    """Threads that send, each to its own kind of recipient, and note how it went: ``(time, seconds, code, recipient)``."""

    def __init__(self, server):
        self._server = server
        self._over = threading.Event()
        self._threads = []
        self.notes = {}

    def start(self, kind, recipients, pause=0.0, content="x\r\n"):
        self.notes[kind] = []
        thread = threading.Thread(target=self._work, args=(self.notes[kind], recipients, pause, content))
        self._threads.append(thread)
        thread.start()

    def _work(self, notes, recipients, pause, content):
        client = smtplib.SMTP("127.0.0.1", self._server.port, timeout=60)
        client.ehlo()
        for recipient in recipients:
            if self._over.is_set():
                break
            started = time.monotonic()
            notes.append((started, *self._one(client, recipient, content), recipient))
            time.sleep(pause)
        client.quit()

    def _one(self, client, recipient, content):
        started = time.monotonic()
        if recipient is None:
            code, _ = client.noop()
        else:
            client.rset()
            client.mail("x@elsewhere.test")
            code, _ = client.rcpt(recipient)
            if code == 250 and content:
                code, _ = client.data(content)
        return time.monotonic() - started, code

    def stop(self):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def between(self, kind, start, end):
        """Those that both began and ended in that time."""
        return [note for note in self.notes[kind] if start <= note[0] and note[0] + note[1] < end]


def forever(*recipients):
    while True:
        yield from recipients


def fresh():
    """Active people of whom nobody has heard."""
    return (f"user{number}@example.com" for number in range(1000, PEOPLE) if number % 20 != 19)


def test_the_directory_is_stopped_hung_and_started_again(relay, slapd):
    server = relay(table="answer_ttl = 1\nabsence_ttl = 1\nstall_time_limit = 1\n")
    senders = Senders(server)
    times = [time.monotonic()]

    def phase(seconds, action):
        time.sleep(seconds)
        action()
        times.append(time.monotonic())

    known = [f"user{number}@example.com" for number in (5, 6, 7, 8)]
    senders.start("known", forever(*known), 0.01)
    senders.start("fresh", fresh(), 0.05)
    senders.start("absent", forever("nobody@example.com", "user39@example.com"), 0.05)
    senders.start("other", forever("you@example.test"), 0.01)
    senders.start("turns", forever(None), 0.02)
    try:
        phase(4, slapd.stop)
        phase(4, slapd.start)
        phase(6, slapd.hang)
        phase(7, slapd.go_on)
        phase(6, lambda: None)
    finally:
        senders.stop()
        slapd.go_on()
    begun, stopped, started, hung, went_on, over = times

    # Nobody was refused for good who exists, and who does not exist was so only while the directory said it.
    for kind in ("known", "fresh", "other"):
        assert {note[2] for note in senders.notes[kind]} <= {250, 451}, kind
    assert {note[2] for note in senders.notes["absent"]} == {550, 451}
    for away, back in ((stopped + 1.2, started), (hung + 1.2 + 2.2, went_on)):
        told = senders.between("absent", away, back)
        assert {note[2] for note in told} == {451}, [(note[0] - away, *note[1:3]) for note in told if note[2] != 451]
        assert {note[2] for note in senders.between("fresh", away, back)} == {451}
        # Those whose mail went through before are served from what was kept.
        assert Counter(note[2] for note in senders.between("known", away, back))[250] > 20
        assert {note[2] for note in senders.between("known", away, back)} == {250}

    # It is back in use within seconds.
    for since, until in ((started, hung), (went_on, over)):
        recovered = [note for note in senders.between("fresh", since, until) if note[2] == 250]
        assert recovered and recovered[0][0] - since < 5.5

    # Other mail does not notice, and no turn of the reactor takes long.
    usual = _rate(senders, "other", begun, stopped)
    for since, until in ((stopped, started), (hung, went_on)):
        assert _rate(senders, "other", since, until) > usual * 0.6
    assert all(note[2] == 250 for note in senders.notes["other"])
    turns = sorted(note[1] for note in senders.notes["turns"])
    assert turns[len(turns) * 95 // 100] < 0.05, turns[-20:]

    # All that was taken arrives, and nothing came back.
    taken = Counter(note[3] for kind in ("known", "fresh") for note in senders.notes[kind] if note[2] == 250)
    try:
        wait_until(lambda: sum(arrived(server.peer).values()) >= sum(taken.values()), 30, "the rest of the mail")
    except AssertionError as error:
        raise AssertionError(f"{error}: {taken - arrived(server.peer)}\n{server.log()[-3000:]}") from None
    assert arrived(server.peer) == taken
    log = server.log()
    assert "status=bounced" not in log
    assert "is away: " in log and "answers again" in log and "stale" not in log
    assert "no sign of life" in log


def _rate(senders, kind, since, until):
    return len(senders.between(kind, since, until)) / (until - since)
