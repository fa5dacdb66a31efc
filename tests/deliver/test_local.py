"""local(8): what recipients come to; log lines as Postfix 3.7 writes them."""

import asyncio
import os
import stat
import time

import pytest
from deliveries import BODY, CONTENT, Outcomes, context, request
from twisted.python.threadpool import ThreadPool
from zope.interface.verify import verifyObject

from mailer.config.errors import ConfigError
from mailer.deliver.command.command import Result
from mailer.deliver.hands.hands import FileText
from mailer.deliver.hands.identity import Identity
from mailer.deliver.local.run import Run
from mailer.deliver.local.spool import Spool as Spooling
from mailer.deliver.local.transport import LocalTransport, build
from mailer.deliver.local.users import User
from mailer.deliver.mailbox.deposit import WriteFailure
from mailer.interfaces.transport import ITransport
from mailer.message.delivery import Destination
from mailer.message.envelope import Client, Notify, Recipient
from mailer.message.status import Fate, Outcome, PermanentError, TemporaryError
from mailer.testing.queue import MemoryQueue
from mailer.testing.tables import BrokenTable
from mailer.testing.threads import ThreadedClock

NOBODY = Identity(65534, 65534, (65534,))
HERE = "mta.example.org"
REGULAR = stat.S_IFREG | 0o644


def rights(uid):
    return Identity(uid, uid, (uid,))


class Users:
    def __init__(self):
        self.accounts = {
            name: User(name, rights(uid), f"/home/{name}", "/bin/bash")
            for name, uid in (("alice", 2601), ("bob", 2602), ("carol", 2603))
        }

    async def find(self, name):
        found = self.accounts.get(name)
        if isinstance(found, Exception):
            raise found
        return found


class Hands:
    """``files`` are path -> FileText; ``deposits`` and ``commands`` remember what was asked for, and as whom."""

    def __init__(self):
        self.files = {}
        self.deposits = []
        self.commands = []
        self.result = Result()
        self.failure = None
        self.stopped = False

    async def deliver(self, identity, deposit, content):
        self.deposits.append((identity, deposit))
        if self.failure:
            raise self.failure

    async def run(self, identity, command, content):
        self.commands.append((identity, command))
        return self.result

    async def read(self, identity, path):
        return self.files.get(path, FileText(errno=2))

    async def stop(self):
        self.stopped = True


class Spool:
    async def rights(self, user, identity):
        return Identity(identity.uid, identity.gid, (*identity.groups, 8)), True


class Addressing:
    async def rewrite(self, address, context):
        return address if "@" in address else f"{address}@{HERE}"

    async def resolve(self, sender, recipient):
        domain = recipient.rpartition("@")[2]
        transport = "local" if domain == HERE else "smtp"
        return Destination(transport, domain, recipient)


class Other:
    """Another transport."""

    def __init__(self, outcome):
        self.outcome = outcome
        self.requests = []

    async def deliver(self, request, outcomes):
        self.requests.append(request)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        if self.outcome:
            outcomes.tell(request.recipients[0], self.outcome)


class Place:
    """A local transport and its surroundings."""

    def __init__(self, aliases=None, tables=None, transports=None, **settings):
        given = {
            "myhostname": HERE,
            "recipient_delimiter": "+",
            "alias_maps": "hash:aliases",
            "mail_spool_directory": "/spool/",
            "default_privs": "nobody",
            **settings,
        }
        self.queue = MemoryQueue(lambda: 1795534940.0)
        self.hands = Hands()
        self.users = Users()
        self.transports = transports or {}
        at = context(
            given,
            {"hash:aliases": aliases if aliases is not None else {}, **(tables or {})},
            name="local",
            sink=self.queue,
            addressing=Addressing(),
            transports=self.transports,
        )
        self.log = at.log
        self.transport = LocalTransport(at, self.hands, self.users, Spool())

    def file(self, path, text, uid=0, mode=REGULAR):
        self.hands.files[path] = FileText(0, uid, mode, len(text), text.encode())

    def forward(self, name, text):
        self.file(f"/home/{name}/.forward", text, self.users.accounts[name].identity.uid)

    def deliver(self, *recipients, **more):
        outcomes = Outcomes()
        given = [one if isinstance(one, Recipient) or "@" in one else f"{one}@{HERE}" for one in recipients]
        asyncio.run(self.transport.deliver(request(*given, nexthop=HERE, **more), outcomes))
        assert len(outcomes.told) == len(recipients)
        self.told = outcomes.told
        return [
            f"{address.replace('@' + HERE, '')}"
            f"{' (' + original.replace('@' + HERE, '') + ')' if original and original != address else ''}"
            f" {one.status} {one.fate.value} {one.text}"
            for address, original, one in outcomes.log
        ]

    @property
    def forwarded(self):
        """``sender -> addresses`` of the messages that went on."""
        return [
            (one.envelope.sender, [recipient.address.replace("@" + HERE, "") for recipient in one.everyone])
            for one in self.queue.entries.values()
        ]

    @property
    def paths(self):
        return [deposit.path for _, deposit in self.hands.deposits]


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    import pwd

    real = pwd.getpwnam

    def getpwnam(name):
        if name == "nobody":
            return pwd.struct_passwd(("nobody", "x", 65534, 65534, "", "/", "/bin/false"))
        return real(name)

    monkeypatch.setattr(pwd, "getpwnam", getpwnam)


def test_provides_the_interface():
    assert verifyObject(ITransport, Place().transport)


# -- mailboxes


@pytest.mark.parametrize(
    ("settings", "path", "what"),
    [
        ({}, "/spool/alice/", "maildir"),
        ({"mail_spool_directory": "/spool"}, "/spool/alice", "mailbox"),
        ({"home_mailbox": "Maildir/"}, "/home/alice/Maildir/", "maildir"),
        ({"home_mailbox": "mbox", "mail_spool_directory": "/spool"}, "/home/alice/mbox", "mailbox"),
        ({"home_mailbox": "mbox"}, "/spool/alice/", "maildir"),
    ],
)
def test_the_users_mailbox(settings, path, what):
    place = Place(**settings)
    assert place.deliver("Alice+Foo") == [f"Alice+Foo 2.0.0 sent delivered to {what}"]
    ((identity, deposit),) = place.hands.deposits
    assert (identity.uid, deposit.path) == (2601, path)
    assert deposit.head == (
        f"Return-Path: <sender@v.example>\nX-Original-To: Alice+Foo@{HERE}\nDelivered-To: Alice+Foo@{HERE}\n"
    )
    assert place.told[0][1].relay == "local"


def test_the_spool_directory_has_its_own_rights():
    place = Place(mail_spool_directory="/spool")
    place.deliver("alice")
    place.deliver("alice", probe=True)
    ((identity, deposit),) = place.hands.deposits
    assert identity.groups == (2601, 8) and deposit.dotlock_may_fail


def test_roots_mail():
    """As Postfix: the mailbox with root's rights; what he names, with those of default_privs."""
    place = Place(biff="yes")
    place.users.accounts["root"] = User("root", rights(0), "/root", "/bin/bash")
    place.deliver("root")
    ((identity, deposit),) = place.hands.deposits
    assert (identity, deposit.path, deposit.biff) == (rights(0), "/spool/root/", "root")
    place.file("/root/.forward", "|command\n/file\n\\root\n", 0)
    place.deliver("root")
    assert [identity for identity, _ in place.hands.deposits[1:]] == [NOBODY, rights(0)]
    assert [identity for identity, _ in place.hands.commands] == [NOBODY]
    place = Place(mailbox_command="procmail")
    place.users.accounts["root"] = User("root", rights(0), "/root", "/bin/bash")
    place.deliver("root")
    ((identity, command),) = place.hands.commands
    assert identity == NOBODY and command.environment["HOME"] == "/root"


def test_headers_may_be_left_out():
    place = Place(enable_original_recipient="no", prepend_delivered_header="command")
    place.deliver("alice")
    assert place.hands.deposits[0][1].head == "Return-Path: <sender@v.example>\n"


@pytest.mark.parametrize(
    ("failure", "spool", "told"),
    [
        (
            WriteFailure("", "cannot open file: Permission denied", True),
            "/spool",
            "5.2.0 bounced cannot update mailbox /spool/alice for user alice. cannot open file: Permission denied",
        ),
        (
            WriteFailure("4.2.0", "unable to create lock file /spool/alice.lock: File exists"),
            "/spool",
            "4.2.0 deferred cannot update mailbox /spool/alice for user alice. "
            "unable to create lock file /spool/alice.lock: File exists",
        ),
        (
            WriteFailure("5.2.2", "error writing message: File too large"),
            "/spool",
            "5.2.2 bounced cannot update mailbox /spool/alice for user alice. error writing message: File too large",
        ),
        (
            WriteFailure("", "create maildir file /spool/alice/tmp/1.P2.vm: Permission denied", True),
            "/spool/",
            "5.2.0 bounced maildir delivery failed: create maildir file /spool/alice/tmp/1.P2.vm: Permission denied",
        ),
        (TemporaryError("gone"), "/spool/", "4.3.0 deferred Error: try again later"),
    ],
)
def test_mailboxes_that_cannot_be_written(failure, spool, told):
    place = Place(mail_spool_directory=spool)
    place.hands.failure = failure
    assert place.deliver("alice") == [f"alice {told}"]
    if spool == "/spool/" and isinstance(failure, WriteFailure):
        assert place.log.lines == [
            f"warning maildir access problem for UID/GID=2601/2601: {failure.reason}",
            "warning perhaps you need to create the maildirs in advance",
        ]


def test_require_home_directory():
    place = Place(require_home_directory="yes")
    assert place.deliver("bob") == [
        "bob 4.3.0 deferred cannot access home directory /home/bob: No such file or directory"
    ]
    place.file("/home/bob", "", mode=stat.S_IFDIR | 0o755)
    assert place.deliver("bob") == ["bob 2.0.0 sent delivered to maildir"]


# -- aliases


def test_local_members_are_delivered_at_once():
    place = Place({"two": f"alice, bob, alice@{HERE}", "bob": "bob, carol"})
    assert place.deliver("two") == [
        "alice (two) 2.0.0 sent delivered to maildir",
        "bob (two) 2.0.0 sent delivered to maildir",
        "carol (two) 2.0.0 sent delivered to maildir",
    ]
    assert place.hands.deposits[0][1].head.endswith(f"Delivered-To: two@{HERE}\n")
    assert place.queue.entries == {}


def test_delivered_to_may_follow_the_expansion():
    place = Place({"one": "alice"}, frozen_delivered_to="no")
    place.deliver("one")
    assert place.hands.deposits[0][1].head.endswith(f"Delivered-To: alice@{HERE}\n")


def test_other_members_are_a_new_message():
    place = Place({"mixed": "alice, ok@peer.example, two@peer.example, ok@peer.example"})
    client = Client("h", "192.0.2.1", helo="x")
    asked = Recipient(f"mixed@{HERE}", "orig@v.example", Notify.SUCCESS, "rfc822;orig@v.example")
    lines = place.deliver(asked, envid="e", ret="HDRS", client=client, verp="+=", hold="x")
    ((queue_id, entry),) = place.queue.entries.items()
    assert lines == [
        "alice (orig@v.example) 2.0.0 sent delivered to maildir",
        f"mixed (orig@v.example) 2.0.0 sent forwarded as {queue_id}",
    ]
    envelope = entry.envelope
    assert (envelope.sender, envelope.source, envelope.client) == ("sender@v.example", "forward", client)
    assert (envelope.envid, envelope.ret, envelope.verp, envelope.hold) == ("e", "HDRS", "", "")
    first, second = entry.everyone
    assert (first.address, first.original, first.notify, first.orcpt) == (
        "ok@peer.example",
        "orig@v.example",
        Notify.NEVER,
        "rfc822;orig@v.example",
    )
    assert place.told[0][1].action == "expanded"
    assert second.address == "two@peer.example"
    head, rest = entry.content._content.split(b"Delivered-To: ", 1)
    assert head.startswith(f"Received: by {HERE} (Postfix)\r\n\tid {queue_id}; Tue, 24 Nov 2026 ".encode())
    assert rest == f"mixed@{HERE}\r\n".encode() + CONTENT


def test_nested_aliases_and_extensions():
    place = Place({"nest": "two, carol", "two": "alice", "plus+ext": "carol", "fan": "bob"})
    assert place.deliver("nest") == [
        "alice (nest) 2.0.0 sent delivered to maildir",
        "carol (nest) 2.0.0 sent delivered to maildir",
    ]
    assert place.deliver("PLUS+Ext") == ["carol (PLUS+Ext) 2.0.0 sent delivered to maildir"]
    assert place.deliver("fan+x") == ["bob (fan+x) 2.0.0 sent delivered to maildir"]
    assert place.deliver("plus+other") == ['plus+other 5.1.1 bounced unknown user: "plus"']


def test_extensions_go_on_if_asked_to():
    place = Place({"fan": "bob, x@peer.example"}, propagate_unmatched_extensions="alias")
    assert place.deliver("fan+x")[0] == "bob+x (fan+x) 2.0.0 sent delivered to maildir"
    assert place.forwarded == [("sender@v.example", ["x+x@peer.example"])]


def test_an_alias_that_names_itself_is_the_user():
    place = Place({"bob": "bob, carol", "self": "self, alice"})
    assert place.deliver("bob") == [
        "bob 2.0.0 sent delivered to maildir",
        "carol (bob) 2.0.0 sent delivered to maildir",
    ]
    lines = place.deliver("self")
    assert sorted(lines) == [
        "alice (self) 2.0.0 sent delivered to maildir",
        'self 5.1.1 bounced unknown user: "self"',
    ]
    assert place.told[0][1].fate is Fate.BOUNCED


def test_alias_loops():
    place = Place({"loopa": "loopb", "loopb": "loopa"})
    assert place.deliver("loopa") == ["loopb (loopa) 5.4.6 bounced alias database loop for loopb"]
    assert place.log.lines == ["warning alias database loop for loopb"]


def test_backslash_means_the_mailbox():
    place = Place({"back": "\\\\carol", "carol": "nobody@peer.example"})
    assert place.deliver("back") == ["carol (back) 2.0.0 sent delivered to maildir"]


def test_the_empty_address():
    place = Place({"empty": '""', "mailer-daemon": "carol"})
    assert place.deliver("empty") == ["carol (empty) 2.0.0 sent delivered to maildir"]


def test_commands_and_files_of_aliases():
    place = Place({"tool": '"|/bin/tool a $USER", /var/log/afile, /var/log/amd/, /dev/null, "|/bin/tool a $USER"'})
    assert place.deliver("Tool") == [
        "Tool 2.0.0 sent delivered to command: /bin/tool a $USER",
        "Tool 2.0.0 sent delivered to file: /var/log/afile",
        "Tool 2.0.0 sent delivered to maildir",
        "Tool 2.0.0 sent delivered to file: /dev/null",
    ]
    assert [identity for identity, _ in place.hands.deposits + place.hands.commands] == [NOBODY] * 4
    assert place.hands.deposits[0][1].dotlock_may_fail


def test_owner_takes_the_senders_place():
    place = Place({"list": "alice, ok@peer.example", "owner-list": "bob"})
    (line,) = place.deliver(Recipient(f"list@{HERE}", "", Notify.SUCCESS, "rfc822;x"), envid="e")
    assert line.startswith("list 2.0.0 sent forwarded as ")
    assert place.forwarded == [(f"owner-list@{HERE}", ["alice", "ok@peer.example"])]
    (entry,) = place.queue.entries.values()
    assert entry.envelope.envid == ""
    assert [(one.original, one.notify, one.orcpt) for one in entry.everyone] == [("", Notify.UNSET, "")] * 2


def test_expansion_is_a_lists_delivery():
    place = Place({"list": "ok@peer.example", "owner-list": "bob", "plain": "alice"})
    place.deliver("list", "plain", "alice")
    assert [outcome.action for _, outcome in place.told] == ["delivered", "expanded", "delivered"]


def test_owner_may_be_expanded_or_have_no_meaning():
    aliases = {"list": "ok@peer.example", "owner-list": "bob"}
    place = Place(aliases, expand_owner_alias="yes")
    place.deliver("list")
    assert place.forwarded[0][0] == f"bob@{HERE}"
    place = Place(aliases, owner_request_special="no")
    place.deliver("list")
    assert place.forwarded[0][0] == "sender@v.example"


def test_a_table_that_cannot_tell():
    place = Place(BrokenTable("hash:aliases"))
    assert place.deliver("alice") == ["alice 4.3.0 deferred alias database unavailable"]


# -- included lists


def test_included_lists_are_a_new_message():
    place = Place({"incl": ":include:/etc/list"})
    place.file("/etc/list", "# comment\nalice, bob\nok@peer.example (comment)\n:include:/etc/more\n")
    place.file("/etc/more", "carol\n")
    (line,) = place.deliver("incl")
    assert line.startswith("incl 2.0.0 sent forwarded as ")
    assert place.forwarded == [("sender@v.example", ["alice", "bob", "ok@peer.example", "carol"])]


def test_included_commands_and_files_are_restricted():
    place = Place({"incl": ":include:/etc/list"})
    place.file("/etc/list", 'alice\n"|/bin/true"\n/tmp/file\n')
    assert sorted(line[: line.rfind(" ")] for line in place.deliver("incl")) == [
        "incl 2.0.0 sent forwarded as",
        "incl 5.7.1 bounced mail to command is",
        "incl 5.7.1 bounced mail to file is",
    ]
    place = Place({"incl": ":include:/etc/list"}, allow_mail_to_commands="include", allow_mail_to_files="include")
    place.file("/etc/list", '"|/bin/true"\n/tmp/file\n', uid=0)
    assert place.deliver("incl") == [
        "incl 2.0.0 sent delivered to command: /bin/true",
        "incl 2.0.0 sent delivered to file: /tmp/file",
    ]


@pytest.mark.parametrize(
    ("path", "file", "warning"),
    [
        ("/no", None, "unable to lookup :include: file /no: No such file or directory"),
        ("relative", None, ":include:relative uses a relative path"),
        ("/l", FileText(0, 0, stat.S_IFDIR | 0o755), ":include: file /l is not a regular file"),
        ("/l", FileText(0, 0, stat.S_IFREG | 0o666, 2, b"x\n"), ":include: file /l is world writable"),
        ("/l", FileText(0, 0, REGULAR, 9999999), ":include: file /l is too long (9999999 bytes)"),
    ],
)
def test_lists_that_cannot_be_used(path, file, warning):
    place = Place({"incl": f":include:{path}"})
    if file:
        place.hands.files[path] = file
    assert place.deliver("incl") == ["incl 5.3.5 bounced mail system configuration error"]
    assert place.log.lines == [f"warning {warning}"]


# -- forwarding files


def test_forwarding():
    place = Place()
    place.forward("alice", 'bob, ok@peer.example, \\alice\n"|/bin/tool fw"\n/home/alice/mine\n')
    lines = place.deliver("alice")
    (queue_id,) = place.queue.entries
    assert lines == [
        "alice 2.0.0 sent delivered to maildir",
        "alice 2.0.0 sent delivered to command: /bin/tool fw",
        "alice 2.0.0 sent delivered to file: /home/alice/mine",
        f"alice 2.0.0 sent forwarded as {queue_id}",
    ]
    assert place.forwarded == [("sender@v.example", ["bob", "ok@peer.example"])]
    assert {identity.uid for identity, _ in place.hands.deposits + place.hands.commands} == {2601}


@pytest.mark.parametrize("text", ["alice\n", "", "# nothing\n\n", f"ALICE@{HERE}\n", "alice+box\n"])
def test_forwarding_to_oneself_or_to_nobody_is_the_mailbox(text):
    place = Place()
    place.forward("alice", text)
    (line,) = place.deliver("alice")
    assert line.endswith("2.0.0 sent delivered to maildir")
    assert place.queue.entries == {}


def test_a_forwarding_file_is_used_once():
    place = Place({"both": f"alice, alice+x@{HERE}"})
    place.forward("alice", "ok@peer.example\n")
    assert len(place.deliver("both")) == 1
    assert place.forwarded == [("sender@v.example", ["ok@peer.example"])]


def test_forwarding_by_extension():
    place = Place()
    place.file("/home/alice/.forward+foo", "ok@peer.example\n", 2601)
    place.forward("alice", "two@peer.example\n")
    place.deliver("alice+foo")
    place.deliver("alice+bar")
    assert [addresses for _, addresses in place.forwarded] == [["ok@peer.example"], ["two@peer.example"]]


@pytest.mark.parametrize(
    ("file", "warning"),
    [
        (FileText(0, 2601, stat.S_IFREG | 0o666, 4, b"bob\n"), "file /home/alice/.forward is world writable"),
        (FileText(0, 2602, REGULAR, 4, b"bob\n"), "file /home/alice/.forward has bad owner uid 2602"),
        (FileText(0, 2601, stat.S_IFDIR | 0o755), "file /home/alice/.forward is not a regular file"),
        (FileText(13), "cannot open file /home/alice/.forward: Permission denied"),
    ],
)
def test_forwarding_files_that_are_not_trusted(file, warning):
    place = Place()
    place.hands.files["/home/alice/.forward"] = file
    assert place.deliver("alice") == ["alice 2.0.0 sent delivered to maildir"]
    assert place.log.lines == [f"warning {warning}"]


def test_values_in_forward_path_are_cleaned():
    place = Place(forward_path="/fw/${user}/$extension")
    place.file("/fw/alice/a_b", "ok@peer.example\n", 2601)
    place.deliver("alice+a;b")
    assert place.forwarded == [("sender@v.example", ["ok@peer.example"])]


def test_forwarding_loops_end():
    place = Place()
    for address, content, told in (
        ("alice", f"Delivered-To: Alice@{HERE}\r\n", "5.4.6 bounced mail forwarding loop for alice@mta.example.org"),
        ("alice+x", f"Delivered-To: alice@{HERE}\r\n", "2.0.0 sent delivered to maildir"),
    ):
        assert place.deliver(address, content=content.encode() + CONTENT) == [f"{address} {told}"]


def test_what_cannot_be_sent_on():
    place = Place({"ext": "ok@peer.example"})
    place.queue.failure = TemporaryError("disk full")
    assert place.deliver("ext") == ["ext 4.3.0 deferred unable to forward message"]
    place.queue.failure = PermanentError("too many hops", "5.4.0")
    assert place.deliver("ext") == ["ext 5.4.0 bounced too many hops"]
    assert place.queue.entries == {}


# -- commands


def test_what_a_command_is_told():
    place = Place(mailbox_command='/bin/tool "$EXTENSION"; true', command_time_limit="7s", queue_directory="/q")
    client = Client("localhost", "127.0.0.1", helo="client;example", protocol="ESMTP")
    assert place.deliver(Recipient(f"Alice+Ext@{HERE}", "o@x"), client=client) == [
        'Alice+Ext (o@x) 2.0.0 sent delivered to command: /bin/tool "$EXTENSION"; true'
    ]
    ((identity, command),) = place.hands.commands
    assert identity == rights(2601)
    assert command.arguments == ("/bin/sh", "-c", '/bin/tool "$EXTENSION"; true')
    environment = {name: value for name, value in command.environment.items() if name not in ("TZ", "LANG")}
    environment.pop("MAIL_CONFIG")
    assert environment == {
        "PATH": "/usr/bin:/bin",
        "HOME": "/home/alice",
        "LOGNAME": "alice",
        "USER": "alice",
        "SENDER": "sender@v.example",
        "RECIPIENT": f"Alice+Ext@{HERE}",
        "LOCAL": "alice+ext",
        "SHELL": "/bin/bash",
        "DOMAIN": HERE,
        "EXTENSION": "ext",
        "ORIGINAL_RECIPIENT": "o@x",
        "CLIENT_HOSTNAME": "localhost",
        "CLIENT_ADDRESS": "127.0.0.1",
        "CLIENT_HELO": "client_example",
        "CLIENT_PROTOCOL": "ESMTP",
    }
    assert command.head == (
        f"From sender@v.example  {time.asctime()}\nReturn-Path: <sender@v.example>\nX-Original-To: o@x\n"
        f"Delivered-To: Alice+Ext@{HERE}\n"
    )
    assert (command.directory, command.anywhere, command.time_limit) == ("/q", True, 7.0)
    assert (command.tail, command.mark_from) == ("", False)


def test_commands_of_aliases_know_no_home():
    place = Place({"tool": "|/bin/tool"}, command_execution_directory="/run/$user")
    place.deliver("tool", sender="")
    ((_, command),) = place.hands.commands
    assert "HOME" not in command.environment and "SHELL" not in command.environment
    assert command.environment["USER"] == "tool" and command.environment["SENDER"] == ""
    assert command.head.startswith("From MAILER-DAEMON  ")
    assert (command.directory, command.anywhere) == ("/run/tool", False)


@pytest.mark.parametrize(
    ("command", "settings", "arguments"),
    [
        ("/bin/tool a b", {}, ("/bin/tool", "a", "b")),
        ("cat", {}, ("cat",)),
        ("exit 75", {}, ("/bin/sh", "-c", "exit 75")),
        ("/bin/tool $USER", {}, ("/bin/sh", "-c", "/bin/tool $USER")),
        ("/bin/tool a", {"local_command_shell": "/bin/smrsh"}, ("/bin/smrsh", "-c", "/bin/tool a")),
    ],
)
def test_when_a_shell_is_needed(command, settings, arguments):
    place = Place(mailbox_command=command, **settings)
    place.deliver("alice")
    assert place.hands.commands[0][1].arguments == arguments


def test_fates_of_commands():
    place = Place({"tool": '"|/bin/tool x"'})
    for result, told in (
        (Result(67), "5.1.1 bounced user unknown"),
        (Result(75), "4.3.0 deferred temporary failure"),
        (Result(1), '5.3.0 bounced Command died with status 1: "/bin/tool x"'),
        (Result(1, output="4.7.9 later\n"), "4.7.9 deferred later "),
        (Result(1, output="2.1.9 odd\n"), "5.0.0 bounced odd "),
        (Result(expired="read"), '5.3.0 bounced Command time limit exceeded: "/bin/tool x"'),
    ):
        place.hands.result = result
        assert place.deliver("tool") == [f"tool {told}"]
    assert place.log.lines == [
        'warning bounce_append: ignoring dsn code "2.1.9"',
        "warning pipe_command_read: read time limit exceeded",
    ]


def test_a_command_for_some_users():
    place = Place(
        tables={"hash:commands": {"bob": "/bin/bobs"}}, mailbox_command_maps="hash:commands", mailbox_command="/bin/all"
    )
    place.deliver("bob+x")
    place.deliver("alice")
    assert [command.arguments[0] for _, command in place.hands.commands] == ["/bin/bobs", "/bin/all"]


# -- the unknown, and other transports


def test_unknown_users():
    place = Place()
    assert place.deliver("NoSuch+foo") == ['NoSuch+foo 5.1.1 bounced unknown user: "nosuch"']
    assert place.deliver("Postmaster") == ["Postmaster 2.0.0 sent discarded"]
    assert place.log.lines == ["warning required alias not found: postmaster"]
    place.users.accounts["x"] = TemporaryError("error looking up passwd info for x: down")
    assert place.deliver("x") == ["x 4.3.0 deferred Error: try again later"]


def test_luser_relay():
    place = Place(luser_relay="ok+$user+$extension+$local+${domain}@peer.example")
    (line,) = place.deliver("NoSuch+Ext")
    assert line.startswith("NoSuch+Ext 2.0.0 sent forwarded as ")
    assert place.forwarded == [("sender@v.example", ["ok+nosuch+ext+nosuch+ext+mta.example.org@peer.example"])]
    place = Place(luser_relay="alice+lu")
    assert place.deliver("NoSuch") == ["alice+lu (NoSuch) 2.0.0 sent delivered to maildir"]
    place = Place(luser_relay="$user.also")
    assert place.deliver("nosuch") == ['nosuch.also (nosuch) 5.1.1 bounced unknown user: "nosuch.also"']
    place = Place(luser_relay="$local")
    assert place.deliver("nosuch") == ['nosuch 5.1.1 bounced unknown user: "nosuch"']


def test_passing_to_another_transport():
    other = Other(Outcome.sent("250 2.0.0 queued", relay="h[192.0.2.1]:25"))
    place = Place(fallback_transport="smtp:[h]", transports={"smtp": other})
    lines = place.deliver("NoSuch+Ext")
    assert lines == ["NoSuch+Ext 2.0.0 sent 250 2.0.0 queued"]
    assert place.log.lines == [f"info C644620C013: passing <NoSuch+Ext@{HERE}> to transport=smtp"]
    (request,) = other.requests
    assert (request.transport, request.nexthop, request.recipients[0].address) == ("smtp", "[h]", f"NoSuch+Ext@{HERE}")
    assert place.deliver("alice") == ["alice 2.0.0 sent delivered to maildir"]
    place = Place(mailbox_transport="smtp", transports={"smtp": other})
    place.deliver("alice", "nosuch")
    assert [request.nexthop for request in other.requests[1:]] == [HERE, HERE]


def test_transports_by_table():
    one, two = Other(Outcome.sent("one")), Other(Outcome.sent("two"))
    place = Place(
        tables={"hash:m": {"alice": "one:"}, "hash:f": {"nosuch": "two:"}},
        mailbox_transport_maps="hash:m",
        fallback_transport_maps="hash:f",
        transports={"one": one, "two": two},
    )
    assert place.deliver("alice+x", "nosuch", "bob", "other") == [
        "alice+x 2.0.0 sent one",
        "nosuch 2.0.0 sent two",
        "bob 2.0.0 sent delivered to maildir",
        'other 5.1.1 bounced unknown user: "other"',
    ]


def test_passing_that_fails():
    for outcome, told in (
        (None, "4.3.0 deferred unknown mail transport error"),
        (TemporaryError("x"), "4.3.0 deferred Error: try again later"),
    ):
        place = Place(mailbox_transport="other", transports={"other": Other(outcome)})
        assert place.deliver("alice") == [f"alice {told}"]
    place = Place(mailbox_transport="nosuch")
    assert place.deliver("alice") == ["alice 4.3.5 deferred mail system configuration error"]


# -- probes, fates, settings


def test_probes(monkeypatch):
    place = Place({"al": "alice", "tool": "|/bin/x"}, mailbox_command_maps="hash:c", tables={"hash:c": {"bob": "/b"}})
    place.forward("carol", "ok@peer.example\n")
    asked = ("alice", "al", "bob", "carol", "nosuch")
    assert place.deliver(*asked, probe=True) == [
        "alice 2.0.0 deliverable delivers to maildir",
        "alice (al) 2.0.0 deliverable delivers to maildir",
        "bob 2.0.0 deliverable delivers to command: /b",
        f"ok@peer.example (carol@{HERE}) 2.0.0 deliverable forwards to ok@peer.example".replace("@" + HERE, ""),
        'nosuch 5.1.1 undeliverable unknown user: "nosuch"',
    ]
    monkeypatch.setattr(Run, "verification", True)
    assert place.deliver(*asked, probe=True) == [
        "alice 2.0.0 deliverable delivers to maildir",
        "al 2.0.0 deliverable aliased to alice",
        "bob 2.0.0 deliverable delivers to command: /b",
        "carol 2.0.0 deliverable forward via file: /home/carol/.forward",
        'nosuch 5.1.1 undeliverable unknown user: "nosuch"',
    ]
    assert not place.hands.deposits and not place.hands.commands and not place.queue.entries


def test_what_has_to_wait_decides():
    place = Place({"mix": "nosuch, tool, alice", "tool": "|/bin/x"})
    place.hands.result = Result(75)
    lines = place.deliver("mix")
    assert len(lines) == 3
    ((_, outcome),) = place.told
    assert (outcome.fate, outcome.text) == (Fate.DEFERRED, "temporary failure")


def test_stop():
    place = Place()
    asyncio.run(place.transport.stop())
    assert place.hands.stopped


@pytest.mark.parametrize(
    "settings",
    [
        {"default_privs": "root"},
        {"default_privs": "no such user"},
        {"mailbox_size_limit": "1000"},
        {"mailbox_size_limit": "1000", "message_size_limit": "0"},
    ],
)
def test_settings_that_cannot_be(settings):
    with pytest.raises(ConfigError):
        Place(**settings)
    with pytest.raises(ConfigError, match="unexpected command-line argument: -x"):
        build(("-x",), context({}))


class Rooted:
    """Hands that make mailboxes; ``becomes`` as Hands says it."""

    def __init__(self, becomes=True):
        self.becomes = becomes
        self.made = []

    async def make(self, path, owner):
        self.made.append((path, owner))


def test_the_spool_directory(tmp_path):
    identity, path = rights(2601), tmp_path / "spool"
    reactor = ThreadedClock()
    pool = ThreadPool(1, 1)
    pool.start()
    reactor.getThreadPool = lambda: pool
    hands = Rooted()
    spool = Spooling(str(path), reactor, hands)

    def ask(user, identity=identity):
        return reactor.finish(spool.rights(user, identity))

    try:
        assert ask("alice") == (identity, False)  # there is none
        path.mkdir()
        os.chmod(path, 0o1777)
        assert ask("alice") == (identity, False)
        os.chmod(path, 0o2775)
        group = path.stat().st_gid
        assert ask("alice") == (Identity(2601, 2601, (2601, group)), False)
        assert hands.made == []
        os.chmod(path, 0o755)
        if path.stat().st_uid == 0:
            assert ask("alice") == (identity, True)
            assert hands.made == [(f"{path}/alice", identity)]
            assert ask("root", rights(0)) == (rights(0), True)
            assert len(hands.made) == 1
        hands.becomes = False
        assert asyncio.run(spool.rights("alice", identity)) == (identity, False)
    finally:
        pool.stop()


def test_body_is_untouched_by_all_this():
    assert BODY.count(b"\r") == 0
