"""From master.cf's words and main.cf to a transport."""

import pytest

from mailer.config.errors import ConfigError
from mailer.config.maincf import Entry
from mailer.config.settings import Settings
from mailer.deliver.smtp.flags import Flags, parse_flags
from mailer.deliver.smtp.parameters import ClientParameters, lmtp_parameters, smtp_parameters
from mailer.deliver.smtp.transport import SmtpTransport
from mailer.deliver.statusfilter import FilteredTransport
from mailer.interfaces.context import Context
from mailer.interfaces.transport import ITransportFactory
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Envelope, Recipient
from mailer.plugins.registry import installed
from mailer.testing.dns import FakeResolver
from mailer.testing.log import RecordingLog
from mailer.testing.network import MemoryNetwork
from mailer.testing.tables import MemoryTables, answer
from mailer.testing.transports import MemoryContent
from mailer.wire.smtp.client import Step


def settings(**entries):
    return Settings({name: Entry(name, value) for name, value in {"myhostname": "me.example", **entries}.items()})


def context(tables=None, **entries):
    return Context(
        settings(**entries), MemoryNetwork(), lambda: 1e9, RecordingLog(), "smtp", FakeResolver(), MemoryTables(tables)
    )


def build(name, *words, tables=None, **entries):
    return installed(ITransportFactory, "transport").find(name).build(words, context(tables, **entries))


@pytest.mark.parametrize("name", ["smtp", "relay", "lmtp"])
def test_the_plug_ins_are_found(name):
    assert isinstance(build(name), SmtpTransport)


def test_a_status_filter_is_put_around_a_transport():
    assert isinstance(build("smtp", tables={"x:y": {}}, smtp_delivery_status_filter="x:y"), FilteredTransport)


@pytest.mark.parametrize("word", ["flags=Q", "flag=D", "nonsense"])
def test_words_that_make_no_sense(word):
    with pytest.raises(ConfigError):
        build("smtp", word)


def test_flags():
    assert parse_flags(["flags=DORX"]) == Flags(True, True, True, True)
    assert parse_flags(["flags="]) == parse_flags([]) == Flags()


def test_the_defaults_of_main_cf_are_those_of_the_client():
    read = smtp_parameters(settings(inet_protocols="all"))
    assert read.limits == ClientParameters().limits
    same = ClientParameters(myhostname="me.example", helo_name="me.example", limits=read.limits)
    assert read == same


def test_lmtp_has_settings_of_its_own():
    read = lmtp_parameters(settings(lmtp_mail_timeout="7s", smtp_mail_timeout="8s", lmtp_lhlo_name="l.example"))
    assert (read.limits[Step.MAIL], read.helo_name, read.port, read.lmtp) == (7.0, "l.example", "24", True)
    assert read.skip_quit_response is False and read.connect_timeout == 0.0


@pytest.mark.parametrize(
    "entries, support",
    [({}, "enabled"), ({"disable_dns_lookups": "yes"}, "disabled"), ({"smtp_dns_support_level": "dnssec"}, "dnssec")],
)
def test_dns_support(entries, support):
    assert smtp_parameters(settings(**entries)).dns_support == support


@pytest.mark.parametrize(
    "options, search", [("", ""), ("res_defnames", "res_defnames"), ("res_defnames, res_dnsrch", "res_dnsrch")]
)
def test_resolver_options(options, search):
    assert smtp_parameters(settings(smtp_dns_resolver_options=options)).search == search


def request(content, *addresses):
    recipients = [Recipient(address, address) for address in addresses or ("User@d.example",)]
    return DeliveryRequest("QID", Envelope("s@x.example"), content, "smtp", "d.example", recipients)


@pytest.mark.parametrize(
    "header, loops",
    [
        (b"Delivered-To: user@D.example\r\n", True),
        (b"Subject: x\r\ndelivered-to :  user@d.example \r\n", True),
        (b"Delivered-To: other@d.example\r\n", False),
        (b"X-Delivered-To: user@d.example\r\n", False),
        (b"Subject: x\r\n\r\nDelivered-To: user@d.example\r\n", False),
    ],
)
@pytest.mark.parametrize("piece", [None, 1, 10])
def test_a_message_that_has_been_here(header, loops, piece):
    octets = header + b"\r\nbody\r\n"
    content = MemoryContent(octets) if piece is None else MemoryContent(octets, False, piece)
    assert answer(Flags(delivered_to=True).loops(request(content))) is loops
    assert answer(Flags().loops(request(content))) is False
