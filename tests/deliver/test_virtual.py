"""virtual(8): which mailbox, as whom, and what is said when it does not work; texts as Postfix 3.7 has them."""

import asyncio
import os

import pytest
from deliveries import BODY, InlineHands, Outcomes, context, request
from zope.interface.verify import verifyObject

from mailer.config.errors import ConfigError
from mailer.deliver.hands.identity import Identity
from mailer.deliver.virtual import VirtualTransport, build
from mailer.interfaces.transport import ITransport
from mailer.message.envelope import Recipient
from mailer.message.status import TemporaryError
from mailer.testing.tables import BrokenTable

BOXES = {
    "plus@v.example": "plus/",
    "mbox@v.example": "mbox",
    "ext+one@v.example": "extone/",
    "deep@v.example": "a/b/Maildir/",
    "@catch.example": "catch/",
    "escape@v.example": "../x/",
}


@pytest.fixture
def virtual(tmp_path):
    def make(uids=None, gids=None, boxes=BOXES, base=str(tmp_path), **settings):
        given = {
            "virtual_mailbox_base": base,
            "virtual_mailbox_maps": "hash:boxes",
            "virtual_uid_maps": "hash:uids",
            "virtual_gid_maps": "hash:gids",
            "recipient_delimiter": "+",
            "deliver_lock_attempts": "1",
            **settings,
        }
        default = {"@v.example": "2500", "@catch.example": "2500"}
        tables = {"hash:boxes": boxes, "hash:uids": uids or default, "hash:gids": gids or default}
        at = context(given, tables)
        hands = InlineHands()
        transport = VirtualTransport(at, hands)
        transport.hands, transport.log = hands, at.log
        return transport

    return make


def deliver(transport, *recipients, **more):
    outcomes = Outcomes()
    asyncio.run(transport.deliver(request(*recipients, **more), outcomes))
    return outcomes


def messages(path):
    return [(path / "new" / name).read_bytes() for name in sorted(os.listdir(path / "new"))]


def test_provides_the_interface(virtual):
    assert verifyObject(ITransport, virtual())


def test_maildir(virtual, tmp_path):
    transport = virtual()
    told = deliver(transport, Recipient("plus@v.example", "orig@v.example"))
    assert told.lines() == ["plus@v.example sent 2.0.0 delivered to maildir"]
    assert told.told[0][1].relay == "virtual"
    (message,) = messages(tmp_path / "plus")
    head = b"Return-Path: <sender@v.example>\nX-Original-To: orig@v.example\nDelivered-To: plus@v.example\n"
    assert message == head + BODY
    assert transport.hands.identities == [Identity(2500, 2500)]
    assert os.listdir(tmp_path / "plus" / "tmp") == []
    assert (tmp_path / "plus").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "plus" / "cur").is_dir()


def test_mbox(virtual, tmp_path):
    told = deliver(virtual(), "mbox@v.example", sender="")
    assert told.lines() == ["mbox@v.example sent 2.0.0 delivered to mailbox"]
    first, rest = (tmp_path / "mbox").read_bytes().split(b"\n", 1)
    assert first.startswith(b"From MAILER-DAEMON  ")
    head = b"Return-Path: <>\nX-Original-To: mbox@v.example\nDelivered-To: mbox@v.example\n"
    assert rest == head + BODY.replace(b"\nFrom here", b"\n>From here") + b"\n"
    assert not (tmp_path / "mbox.lock").exists()


def test_search_order(virtual, tmp_path):
    transport = virtual()
    asked = ["ext+one@v.example", "plus+x@v.example", "PLUS@V.example", "any@catch.example"]
    for address in asked:
        assert deliver(transport, address).lines() == [f"{address} sent 2.0.0 delivered to maildir"]
    assert len(messages(tmp_path / "extone")) == 1
    assert len(messages(tmp_path / "plus")) == 2
    assert len(messages(tmp_path / "catch")) == 1
    assert b"Delivered-To: PLUS@V.example\n" in b"".join(messages(tmp_path / "plus"))


def test_unknown_user(virtual):
    told = deliver(virtual(), "Ext+two@v.example")
    assert told.lines() == ['Ext+two@v.example bounced 5.1.1 unknown user: "ext+two@v.example"']


@pytest.mark.parametrize(
    ("which", "value", "warning"),
    [
        ("uids", {"plus@v.example": "abc"}, "recipient plus@v.example: bad uid abc in virtual_uid_maps"),
        ("uids", {"plus@v.example": "50"}, "recipient plus@v.example: bad uid 50 in virtual_uid_maps"),
        ("uids", {"other@v.example": "500"}, "recipient plus@v.example: not found in virtual_uid_maps"),
        ("gids", {"plus@v.example": "0"}, "recipient plus@v.example: bad gid 0 in virtual_gid_maps"),
    ],
)
def test_accounts_that_do_not_do(virtual, which, value, warning):
    transport = virtual(**{which: value})
    told = deliver(transport, "plus@v.example")
    assert told.lines() == ["plus@v.example deferred 4.3.5 mail system configuration error"]
    assert transport.log.lines == [f"warning {warning}"]


def test_a_table_that_cannot_tell(virtual):
    for name in ("boxes", "uids", "gids"):
        told = deliver(virtual(**{name: BrokenTable(f"hash:{name}")}), "plus@v.example")
        assert [one.fate.value for _, one in told.told] == ["deferred"]


def test_a_path_that_leads_out_is_not_used(virtual, tmp_path):
    transport = virtual(base=str(tmp_path / "base"))
    told = deliver(transport, "escape@v.example")
    assert told.lines() == ["escape@v.example deferred 4.3.5 mail system configuration error"]
    assert not (tmp_path / "x").exists()


def test_probe_writes_nothing(virtual, tmp_path):
    told = deliver(virtual(), "plus@v.example", "mbox@v.example", "no@v.example", probe=True)
    assert sorted(told.lines()) == [
        "mbox@v.example deliverable 2.0.0 delivers to mailbox",
        'no@v.example undeliverable 5.1.1 unknown user: "no@v.example"',
        "plus@v.example deliverable 2.0.0 delivers to maildir",
    ]
    assert os.listdir(tmp_path) == []


def test_each_recipient_has_its_own_fate(virtual, tmp_path):
    told = deliver(virtual(), "plus@v.example", "no@v.example", "mbox@v.example")
    assert sorted(one.fate.value for _, one in told.told) == ["bounced", "sent", "sent"]


def test_a_maildir_that_cannot_be_made(virtual, tmp_path):
    (tmp_path / "plus").write_text("a file")
    (told,) = deliver(virtual(), "plus@v.example").lines()
    assert told.startswith(
        f"plus@v.example deferred 4.2.0 maildir delivery failed: create maildir file {tmp_path}/plus/tmp/"
    )
    assert told.endswith(": Not a directory")


def test_an_mbox_in_a_directory_that_does_not_exist(virtual, tmp_path):
    boxes = {"mbox@v.example": "no/mbox"}
    (told,) = deliver(virtual(boxes=boxes), "mbox@v.example").lines()
    assert told == (
        f"mbox@v.example deferred 4.2.0 delivery failed to mailbox {tmp_path}/no/mbox: "
        f"unable to create lock file {tmp_path}/no/mbox.lock: No such file or directory"
    )
    (told,) = deliver(virtual(boxes=boxes, virtual_mailbox_lock="fcntl"), "mbox@v.example").lines()
    assert told.endswith("/no/mbox: cannot create file exclusively: No such file or directory")


def test_an_mbox_that_is_full(virtual, tmp_path):
    transport = virtual(virtual_mailbox_limit="1000", message_size_limit="1000")
    (tmp_path / "mbox").write_bytes(b"x" * 900)
    (told,) = deliver(transport, "mbox@v.example").lines()
    assert told == (
        f"mbox@v.example bounced 5.2.2 delivery failed to mailbox {tmp_path}/mbox: error writing message: File too large"
    )
    assert (tmp_path / "mbox").read_bytes() == b"x" * 900


def test_access_problems_of_maildirs_are_explained(virtual, monkeypatch):
    transport = virtual()

    def denied(path, *more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    (told,) = deliver(transport, "plus@v.example").lines()
    monkeypatch.undo()
    assert told.endswith(": Permission denied")
    reason = told.split("maildir delivery failed: ")[1]
    assert transport.log.lines == [
        f"warning maildir access problem for UID/GID=2500/2500: {reason}",
        "warning perhaps you need to create the maildirs in advance",
    ]


def test_without_x_original_to(virtual, tmp_path):
    deliver(virtual(enable_original_recipient="no"), Recipient("plus@v.example", "orig@v.example"))
    assert b"X-Original-To" not in messages(tmp_path / "plus")[0]


@pytest.mark.parametrize(
    "settings",
    [
        {"virtual_mailbox_limit": "1000"},
        {"virtual_mailbox_limit": "1000", "message_size_limit": "0"},
        {"base": "relative"},
    ],
)
def test_settings_that_cannot_be(virtual, settings):
    with pytest.raises(ConfigError):
        virtual(**settings)


def test_master_cf_arguments_are_refused():
    with pytest.raises(ConfigError, match="unexpected command-line argument: -x"):
        build(("-x",), context({}))


def test_whoever_cannot_write_now_says_so(virtual):
    transport = virtual()

    async def failing(identity, deposit, content):
        raise TemporaryError("worker gone")

    transport.hands.deliver = failing
    told = deliver(transport, "plus@v.example")
    assert told.lines() == ["plus@v.example deferred 4.3.0 Error: try again later"]


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"boxes": BrokenTable("b")}, "table virtual_mailbox_maps: lookup plus@v.example: Application error"),
        ({"uids": BrokenTable("u")}, "recipient plus@v.example: not found in virtual_uid_maps"),
        ({"gids": BrokenTable("g")}, "recipient plus@v.example: not found in virtual_gid_maps"),
    ],
)
def test_what_is_said_of_a_table_that_cannot_tell(virtual, tables, says):
    transport = virtual(**tables)
    told = deliver(transport, "plus@v.example")
    assert told.lines() == ["plus@v.example deferred 4.3.5 mail system configuration error"]
    assert any(says in line for line in transport.log.lines)


def test_stop(virtual):
    transport = virtual()
    asyncio.run(transport.stop())
    assert transport.hands.stopped
