"""AUTH of the SMTP and LMTP clients beyond what is recorded from Postfix: SCRAM, sessions that are shared, settings."""

import asyncio
import base64
from dataclasses import replace

import pytest
from deliveries import context

from mailer.config.errors import ConfigError
from mailer.deliver.smtp.destination import Destination
from mailer.deliver.smtp.envelope import mail_command
from mailer.deliver.smtp.login import Login
from mailer.deliver.smtp.login_parameters import LoginParameters, lmtp_login_parameters, smtp_login_parameters
from mailer.deliver.smtp.parameters import ClientParameters
from mailer.deliver.smtp.policy import PlainPolicy
from mailer.deliver.smtp.session import Session, SiteFailed
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Envelope, Recipient
from mailer.testing.log import RecordingLog
from mailer.testing.queue import MemoryContent
from mailer.wire.smtp.offers import Offers, parse_offers
from mailer.wire.smtp.replies import ReplyParser

SCRAM = [
    b"334 " + base64.b64encode(b"r=" + base64.b64encode(bytes(24)) + b"X,s=QSXCR+Q6sek8bf92,i=1"),
    b"235 2.7.0 ok",
]


class Table:
    pattern = False

    def __init__(self, **entries):
        self.entries = entries

    def __bool__(self):
        return True

    async def lookup(self, key):
        return self.entries.get(key)


class Conversation:
    lmtp = False


class Connection:
    """Answers commands in turn."""

    conversation = Conversation()

    def __init__(self, replies):
        self.said = []
        self.replies = list(replies)

    async def command(self, line, step):
        self.said.append(line)
        (reply,) = ReplyParser().feed(self.replies.pop(0) + b"\r\n")
        return reply


def session(replies, offers="AUTH PLAIN"):
    made = Session(Connection(replies), "mx.d.example", "192.0.2.1", 587)
    made.offers = parse_offers(f"250-mx\n250 {offers}")
    return made


def login(in_thread=None, **parameters):
    given = LoginParameters("smtp_sasl_password_maps", **parameters)
    table = Table(**{"d.example": "joe:secret", "me@s.example": "me:mine"})
    return Login(PlainPolicy(), given, table, None, RecordingLog(), in_thread, bytes)


def request(sender):
    return DeliveryRequest(
        "QID", Envelope(sender), MemoryContent(b"x"), "smtp", "d.example", [Recipient("a@d.example")]
    )


DESTINATION = Destination("d.example", "d.example", 587)


def test_slow_steps_are_done_elsewhere_and_a_server_has_to_prove_itself():
    elsewhere = []

    async def in_thread(function, *arguments):
        elsewhere.append(arguments)
        return function(*arguments)

    made = session(SCRAM, "AUTH PLAIN SCRAM-SHA-256")
    with pytest.raises(SiteFailed) as caught:
        asyncio.run(login(in_thread).established(made, DESTINATION, request("me@s.example")))
    assert len(elsewhere) == 1
    assert [line.split()[:2] for line in made.connection.said[:1]] == [[b"AUTH", b"SCRAM-SHA-256"]]
    assert caught.value.reason.text.endswith("server failed mutual authentication step")
    assert made.login is None


def test_sessions_of_different_senders_are_not_shared():
    shared, own = login(), login(sender_dependent=True, security_options=())

    def keys(policy):
        return {asyncio.run(policy.key(DESTINATION, request(sender))) for sender in ("me@s.example", "you@s.example")}

    assert (len(keys(shared)), len(keys(own))) == (1, 2)
    for sender, credentials in (("me@s.example", b"\0me\0mine"), ("you@s.example", b"\0joe\0secret")):
        made = session([b"235 ok"])
        asyncio.run(own.established(made, DESTINATION, request(sender)))
        assert made.connection.said == [b"AUTH PLAIN " + base64.b64encode(credentials)]
        assert made.login == credentials.split(b"\0")[1].decode()


def test_the_delimiter_of_credentials():
    made = session([b"235 ok"])
    asyncio.run(login(delimiter="e", security_options=()).established(made, DESTINATION, request("")))
    assert made.connection.said == [b"AUTH PLAIN " + base64.b64encode(b"\0jo\0:secret")]


def test_tls_decides_about_the_options():
    class Tls:
        class established:
            matched = False

    policy = login(security_options=(), tls_security_options=("noplaintext",), tls_verified_security_options=())
    for encrypted, matched, works in ((False, False, True), (True, False, False), (True, True, True)):
        made = session([b"235 ok"])
        if encrypted:
            made.tls = Tls()
            made.tls.established.matched = matched
        try:
            asyncio.run(policy.established(made, DESTINATION, request("")))
        except SiteFailed:
            assert not works
        else:
            assert works


def test_the_name_of_the_author_is_not_told_on_unless_asked():
    offers = replace(Offers(esmtp=True))
    for wanted, logged_in, end in ((True, True, b"> AUTH=<>"), (True, False, b">"), (False, True, b">")):
        parameters = ClientParameters(send_dummy_mail_auth=wanted)
        assert mail_command(request("me@s.example"), offers, parameters, logged_in).endswith(end)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"smtp_sasl_auth_enable": "yes"}, "specify a password table via the `smtp_sasl_password_maps'"),
        ({"smtp_sasl_auth_enable": "yes", "smtp_sasl_type": "dovecot"}, "unsupported SASL client implementation"),
        ({"smtp_sasl_security_options": "nosuch"}, "unknown"),
    ],
)
def test_settings_that_cannot_be(settings, problem):
    with pytest.raises(ConfigError) as caught:
        smtp_login_parameters(context(settings).settings).check()
    assert problem in str(caught.value)
    lmtp = {name.replace("smtp_", "lmtp_", 1): value for name, value in settings.items()}
    with pytest.raises(ConfigError) as caught:
        lmtp_login_parameters(context(lmtp).settings).check()
    assert problem.replace("smtp_", "lmtp_") in str(caught.value)
