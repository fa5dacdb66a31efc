"""What qmgr(8) does around the address resolver."""

import pytest

from mailer.config.settings import Settings
from mailer.message.delivery import Destination
from mailer.message.envelope import Envelope, Recipient
from mailer.message.status import TemporaryError
from mailer.schedule.routing import DROP, Routing
from mailer.testing.tables import answer


class Resolver:
    def __init__(self, destination):
        self.destination = destination
        self.asked = []

    async def resolve(self, sender, recipient):
        self.asked.append((sender, recipient))
        if isinstance(self.destination, Exception):
            raise self.destination
        return self.destination


def place(destination, address, envelope=None, one_each=(), flushing=False, **settings):
    resolver = Resolver(destination)
    failed = []
    routing = Routing(
        Settings({}).with_overrides({"myhostname": "mx.test", **settings}),
        resolver,
        one_each.__contains__,
        failed.append,
    )
    recipient = Recipient(address, "", id=7)
    where, presented = answer(routing.place(envelope or Envelope(sender="s@x.test"), recipient, flushing))
    assert presented.id == 7
    return where, presented.address, resolver.asked, failed


SMTP = Destination("smtp", "Example.COM", "b@example.com")


def test_the_resolvers_answer():
    assert place(SMTP, "b@example.com")[:3] == (
        ("smtp", "example.com", "Example.COM"),
        "b@example.com",
        [("s@x.test", "b@example.com")],
    )


@pytest.mark.parametrize(
    ("filter_", "settings", "expected"),
    [
        ("relay:[127.0.0.1]:10025", {}, ("relay", "[127.0.0.1]:10025", "[127.0.0.1]:10025")),
        ("relay:", {}, ("relay", "example.com", "example.com")),
        ("relay", {}, ("relay", "example.com", "example.com")),
        ("relay:", {"default_filter_nexthop": "Filter.example"}, ("relay", "filter.example", "Filter.example")),
    ],
)
def test_a_content_filter_overrides_and_nothing_is_resolved(filter_, settings, expected):
    envelope = Envelope(filter=filter_)
    assert place(SMTP, "user%b@example.com", envelope, **settings)[:3] == (expected, "user%b@example.com", [])


def test_probes_pass_by_the_content_filter():
    assert place(SMTP, "b@example.com", Envelope(filter="relay:x", probe="verify"))[0][0] == "smtp"


def test_an_address_without_a_domain_is_filtered_by_ourselves():
    assert place(SMTP, "root", Envelope(filter="relay:"))[0] == ("relay", "mx.test", "mx.test")


def test_what_no_agent_should_see():
    null, syntax = "5.1.3 null recipient address", "5.1.3 bad address syntax"
    assert place(SMTP, "")[0] == ("error", null, null)
    minus = Destination("smtp", "x", "-f@x")
    assert place(minus, "-f@x")[0] == ("error", syntax, syntax)
    assert place(minus, "-f@x", allow_min_user="yes")[0][0] == "smtp"


def test_errors_and_their_text_stay_as_they_are():
    reason = "5.1.1 User unknown in virtual alias table"
    assert place(Destination("error", reason, "b@v"), "b@v", one_each=("error",))[0] == ("error", reason, reason)


def test_a_table_that_cannot_tell():
    where, _, _, failed = place(TemporaryError("ldap:x lookup error"), "b@y")
    assert where == ("retry", "4.3.0 address resolver failure", "4.3.0 address resolver failure")
    assert failed == ["ldap:x lookup error"]


@pytest.mark.parametrize(
    ("address", "address_class", "dropped"),
    [
        ("double-bounce@mx.test", "local", True),
        ("Double-Bounce@mx.test", "local", True),
        ("double-bounce@other.test", "default", False),
        ("bounce@mx.test", "local", False),
    ],
)
def test_double_bounces(address, address_class, dropped):
    where = place(Destination("local", "mx.test", address, address_class), address)[0]
    assert (where == DROP) is dropped


def test_defer_transports():
    text = "4.3.2 deferred transport"
    assert place(SMTP, "b@y", defer_transports="relay, smtp")[0] == ("retry", text, text)
    assert place(SMTP, "b@y", defer_transports="smtp", flushing=True)[0][0] == "smtp"


@pytest.mark.parametrize(
    ("address", "settings", "name"),
    [
        ("User+ext@mx.test", {"recipient_delimiter": "+"}, "user@mx.test"),
        ("user+ext@mx.test", {}, "user+ext@mx.test"),
        ("owner-list@mx.test", {"recipient_delimiter": "-"}, "owner-list@mx.test"),
        ("double-bounce@mx.test", {"recipient_delimiter": "-"}, "double-bounce@mx.test"),
    ],
)
def test_with_one_recipient_a_delivery_the_destination_is_the_recipient(address, settings, name):
    local = Destination("local", "mx.test", address)
    assert place(local, address, one_each=("local",), **settings)[0] == ("local", name, "mx.test")
