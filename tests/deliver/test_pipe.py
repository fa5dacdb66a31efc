"""pipe(8): attributes, macros, and what becomes of mail; as Postfix 3.7 does it."""

import asyncio
import grp
import pwd

import pytest
from deliveries import CONTENT, Outcomes, context, request
from zope.interface.verify import verifyObject

from mailer.config.errors import ConfigError
from mailer.deliver.command.command import Result
from mailer.deliver.hands.identity import Identity
from mailer.deliver.pipe import PipeTransport, build
from mailer.deliver.pipe_arguments import expand
from mailer.deliver.pipe_settings import parse
from mailer.interfaces.transport import ITransport
from mailer.message.envelope import Client, Recipient
from mailer.message.status import TemporaryError

USERS = {"nobody": (65534, 65534), "root": (0, 0), "postfix": (102, 105), "wheelie": (70, 0), "twin": (71, 105)}
GROUPS = {"daemon": 1, "root": 0, "postdrop": 106}


def user(name):
    uid, gid = USERS[name]
    return pwd.struct_passwd((name, "x", uid, gid, "", "/", "/bin/sh"))


def group(name):
    return grp.struct_group((name, "x", GROUPS[name], []))


class Hands:
    """Remembers commands; ``result`` is what they come to."""

    def __init__(self):
        self.ran = []
        self.result = Result()
        self.stopped = False

    async def run(self, identity, command, content):
        self.ran.append((identity, command))
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    async def stop(self):
        self.stopped = True


def settings(**given):
    return context({"recipient_delimiter": "+", "p1_destination_recipient_limit": "1", **given}, name="p1").settings


def attributes(line, **given):
    return parse(line.split(" ") if isinstance(line, str) else line, settings(**given), "p1", user, group)


def service(line, **given):
    at = context({"recipient_delimiter": "+", "p1_destination_recipient_limit": "1", **given}, name="p1")
    transport = PipeTransport(at, parse(line.split(" "), at.settings, "p1", user, group), Hands())
    transport.hands, transport.log = transport._hands, at.log
    return transport


def deliver(transport, *recipients, **more):
    outcomes = Outcomes()
    asyncio.run(transport.deliver(request(*recipients, **more), outcomes))
    return outcomes


# -- attributes


def test_attributes():
    pipe = attributes(
        [
            "flags=DRhu",
            "user=nobody:daemon",
            "eol=\\r\\n",
            "null_sender=",
            "size=300",
            "directory=/tmp",
            "argv=/x",
            "a b",
            "$c",
        ]
    )
    assert pipe.identity == Identity(65534, 1, (1,))
    assert pipe.flags == set("DRhu")
    assert (pipe.end_of_line, pipe.null_sender, pipe.size_limit, pipe.directory) == ("\r\n", "", 300, "/tmp")
    assert pipe.arguments == ("/x", "a b", "$c")


@pytest.mark.parametrize(("text", "meant"), [(r"\r\n", "\r\n"), (r"\012", "\n"), (r"\\x\q", "\\xq"), (r"\t\0", "\t\0")])
def test_escapes(text, meant):
    assert attributes(["user=nobody", f"eol={text}", "argv=/x"]).end_of_line == meant


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("argv=/x", "missing user= command-line attribute"),
        ("user=nobody", "missing argv= command-line attribute"),
        ("user=nobody argv=", "missing argv= command-line attribute"),
        ("user=nobody color=red argv=/x", "p1: unknown attribute name: color=red"),
        ("user=nobody flags=qZ argv=/x", "unknown flag: Z (ignored)"),
        ("user=nobody size=big argv=/x", "p1: bad size= value: big"),
        ("user=nosuch argv=/x", "p1: unknown username: nosuch"),
        ("user=nobody:nosuch argv=/x", "p1: unknown group: nosuch"),
        ("user=root argv=/x", "user= command-line attribute specifies root privileges"),
        ("user=wheelie argv=/x", "user= command-line attribute specifies privileged group id 0"),
        ("user=postfix argv=/x", "user= command-line attribute specifies mail system owner postfix"),
        ("user=twin argv=/x", "user= command-line attribute specifies mail system owner postfix group id 105"),
        ("user=nobody:postdrop argv=/x", "user= command-line attribute specifies mail system postdrop group id 106"),
        ("user=nobody chroot=x argv=/x", "p1: chroot=x is no absolute path"),
    ],
)
def test_attributes_that_do_not_do(line, problem):
    with pytest.raises(ConfigError) as caught:
        attributes(line)
    assert caught.value.problem == problem


@pytest.mark.parametrize("flag", "DO")
def test_headers_for_one_recipient_need_a_limit(flag):
    transport = service(f"user=nobody flags={flag} argv=/x")
    outcomes = deliver(transport, "a@p.test", "b@p.test")
    assert [(outcome.status, outcome.text) for _, outcome in outcomes.told] == [
        ("4.3.5", "mail system configuration error")
    ] * 2
    assert transport.log.lines == [f"warning pipe flag `{flag}' requires p1_destination_recipient_limit = 1"]
    assert not transport.hands.ran


# -- macros


MACROS = (
    "p1 s=${sender} r=${recipient} u=${user} e=${extension} m=${mailbox} n=${nexthop} d=${domain} z=${size} "
    "q=${queue_id} o=${original_recipient} ${client_address} ${client_helo} ${client_hostname} ${client_port} "
    "${client_protocol} ${sasl_method} ${sasl_username} ${sasl_sender} $$x $(user)"
)
EXPANDED = (
    "p1 s=Sen.Der@V.x r=user+ext@p1.example u=user e=ext m=user+ext n=nexthop.example d=p1.example z=354 "
    "q=C644620C013 o=orig@p1.example 127.0.0.1 client.example localhost 35588 ESMTP PLAIN u s@x $x user"
)


def line(arguments, *recipients, flags="", null_sender="MAILER-DAEMON", **more):
    given = request(*recipients, **more)
    given.size = 354
    return list(expand(tuple(arguments), frozenset(flags), null_sender, "+", given))


def test_macros():
    client = Client("localhost", "127.0.0.1", "35588", "unknown", "client.example", "ESMTP")
    client.sasl_method, client.sasl_username, client.sasl_sender = "PLAIN", "u", "s@x"
    words = [
        "p1",
        "s=${sender}",
        "r=${recipient}",
        "u=${user}",
        "e=${extension}",
        "m=${mailbox}",
        "n=${nexthop}",
        "d=${domain}",
        "z=${size}",
        "q=${queue_id}",
        "o=${original_recipient}",
        "${client_address}",
        "${client_helo}",
        "${client_hostname}",
        "${client_port}",
        "${client_protocol}",
        "${sasl_method}",
        "${sasl_username}",
        "${sasl_sender}",
        "$$x",
        "$(user)",
    ]
    recipient = Recipient("User+Ext@P1.Example", "Orig@P1.Example")
    assert line(
        words, recipient, flags="hu", nexthop="NextHop.Example", sender="Sen.Der@V.x", client=client
    ) == EXPANDED.split(" ")


def test_several_recipients():
    words = ["p2", "${sender}", "--", "${recipient}", "a b $user c", "$user/$extension", "$nexthop"]
    got = line(words, "a+b@p2.example", "c@p2.example", "q u@p2.example", flags="q", sender="", null_sender="NULLS")
    assert got == (
        ["p2", "NULLS", "--", "a+b@p2.example", "c@p2.example", '"q u"@p2.example', "a b a c", "a b c c", "a b q u c"]
        + ["a/b", "c/", "q u/", "v.example"]
    )


def test_domains_are_the_recipients_own():
    words = ["$domain", "${sender}", "${extension}"]
    got = line(words, "b+c@d1.x", "a@x", sender="s@v.example")
    assert got == ["d1.x", "x", "s@v.example", "c", ""]


@pytest.mark.parametrize(("flags", "shown"), [("", "s p@v.x"), ("q", '"s p"@v.x')])
def test_quoting(flags, shown):
    assert line(["$sender"], "a@x", sender="s p@v.x", flags=flags) == [shown]


def test_the_null_sender_may_stay_empty():
    assert line(["-f", "$sender"], "a@x", sender="", flags="q", null_sender="") == ["-f", ""]


# -- deliveries


def test_provides_the_interface():
    assert verifyObject(ITransport, service("user=nobody argv=/x"))


def test_the_command_and_its_input():
    transport = service("flags=FDORXB.> user=nobody directory=/tmp eol=\\r\\n argv=/x $recipient", p1_time_limit="7s")
    told = deliver(transport, Recipient("A@p1.example", "Orig@p1.example"), sender="")
    assert told.lines() == ["A@p1.example sent 2.0.0 delivered via p1 service"]
    assert (told.told[0][1].relay, told.told[0][1].action) == ("p1", "delivered")
    ((identity, command),) = transport.hands.ran
    assert identity == Identity(65534, 65534, (65534,))
    assert command.arguments == ("/x", "A@p1.example")
    first, rest = command.head.split("\n", 1)
    assert first.startswith("From MAILER-DAEMON  ")
    assert rest == ("Return-Path: <MAILER-DAEMON>\nX-Original-To: Orig@p1.example\nDelivered-To: A@p1.example\n")
    assert (command.tail, command.mark_from, command.dots, command.end_of_line) == ("\n", True, True, "\r\n")
    assert (command.directory, command.anywhere, command.time_limit) == ("/tmp", False, 7.0)
    assert command.environment["PATH"] == "/usr/bin:/bin"


def test_without_flags_the_message_is_as_it_was():
    transport = service("user=nobody argv=/x", queue_directory="/var/spool/x")
    told = deliver(transport, "a@x")
    assert told.told[0][1].action == "relayed"
    ((_, command),) = transport.hands.ran
    assert (command.head, command.tail, command.mark_from, command.dots) == ("", "", False, False)
    assert (command.directory, command.anywhere, command.time_limit) == ("/var/spool/x", True, 1000.0)


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (Result(output="4.7.9 some\nmore\n"), "sent 2.0.0 delivered via p1 service (4.7.9 some more)"),
        (Result(output="x" * 300), f"sent 2.0.0 delivered via p1 service ({'x' * 100})"),
        (Result(67), "bounced 5.1.1 user unknown"),
        (Result(75), "deferred 4.3.0 temporary failure"),
        (Result(75, output="5.1.9 no\n"), "bounced 5.1.9 no "),
        (Result(1, output="4.7.9 later\n"), "deferred 4.7.9 later "),
        (Result(signal=15), 'deferred 4.3.0 Command died with signal 15: "/x"'),
        (Result(expired="read"), 'bounced 5.3.0 Command time limit exceeded: "/x"'),
        (TemporaryError("gone"), "deferred 4.3.0 Error: try again later"),
    ],
)
def test_fates(result, told):
    transport = service("user=nobody argv=/x")
    transport.hands.result = result
    assert deliver(transport, "a@x", "b@x").lines() == [f"a@x {told}", f"b@x {told}"]


def test_what_the_log_is_told():
    transport = service("user=nobody argv=/x")
    for result in (
        Result(1, output="2.1.9 wrong output\n"),
        Result(expired="child wait"),
        Result(failure="pipe_command: execvp /x: No such file or directory"),
    ):
        transport.hands.result = result
        told = deliver(transport, "a@x")
    assert told.lines() == [
        "a@x deferred 4.3.0 temporary failure. Command output: pipe: fatal: pipe_command: execvp /x: "
        "No such file or directory "
    ]
    assert transport.log.lines == [
        'warning bounce_append: ignoring dsn code "2.1.9"',
        "warning pipe_command_child_wait: child wait time limit exceeded",
        "fatal pipe_command: execvp /x: No such file or directory",
    ]


def test_size_limit():
    transport = service("user=nobody size=300 argv=/x")
    outcomes = Outcomes()
    big = request("a@x")
    big.size = 301
    asyncio.run(transport.deliver(big, outcomes))
    assert outcomes.lines() == ["a@x bounced 5.2.3 message too large"]
    big.size = 300
    asyncio.run(transport.deliver(big, outcomes))
    assert outcomes.lines()[1] == "a@x sent 2.0.0 delivered via p1 service"


@pytest.mark.parametrize(
    ("header", "loops"),
    [
        (b"Delivered-To: Plus@P1.example\r\n", True),
        (b"X: y\r\ndelivered-to:\r\n  plus@p1.example \r\n", True),
        (b"X-Delivered-To: plus@p1.example\r\n", False),
        (b"Delivered-To: other@p1.example\r\n", False),
        (b"X: y\r\n\r\nDelivered-To: plus@p1.example\r\n", False),
    ],
)
def test_loops(header, loops):
    transport = service("flags=D user=nobody argv=/x")
    (told,) = deliver(transport, "plus@p1.example", content=header + CONTENT).lines()
    expected = (
        "bounced 5.4.6 mail forwarding loop for plus@p1.example" if loops else "sent 2.0.0 delivered via p1 service"
    )
    assert told == f"plus@p1.example {expected}"
    assert len(transport.hands.ran) == (not loops)
    other = service("user=nobody argv=/x")
    assert deliver(other, "plus@p1.example", content=header + CONTENT).told[0][1].status == "2.0.0"


def test_a_macro_that_does_not_exist():
    transport = service("user=nobody argv=/x $nosuch $recipient")
    assert deliver(transport, "a@x").lines() == ["a@x deferred 4.3.5 mail system configuration error"]
    assert transport.log.lines == ['warning file master.cf: service p1: unknown macro name: "nosuch"']


def test_a_recipient_without_domain():
    transport = service("user=nobody argv=/x $domain")
    assert deliver(transport, "a").lines() == ["a deferred 4.3.5 mail system configuration error"]
    assert transport.log.lines == ["warning no @ in recipient address: a"]


def test_probe():
    transport = service("user=nobody argv=/x")
    assert deliver(transport, "a@x", probe=True).lines() == ["a@x deliverable 2.0.0 delivers to command: /x"]
    assert transport.hands.ran == []


def test_stop():
    transport = service("user=nobody argv=/x")
    asyncio.run(transport.stop())
    assert transport.hands.stopped


def test_master_cf_is_checked_when_the_service_is_built():
    with pytest.raises(ConfigError, match="missing user="):
        build(("argv=/x",), context({}, name="p1"))


def test_a_root_directory_of_its_own():
    found = parse(["user=nobody", "chroot=/jail", "directory=/in", "argv=/x"], settings(), "p1", user, group)
    assert (found.identity.root, found.directory) == ("/jail", "/in")
    assert parse(["user=nobody", "argv=/x"], settings(), "p1", user, group).identity.root == ""
