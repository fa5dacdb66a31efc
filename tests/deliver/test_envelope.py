"""What is said before the content. More of it is among the recorded deliveries."""

import pytest

from mailer.deliver.smtp.envelope import mail_command, rcpt_command, transaction_for, xforward_commands, xtext
from mailer.deliver.smtp.parameters import ClientParameters
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Client, Envelope, Notify, Recipient
from mailer.testing.transports import MemoryContent
from mailer.wire.smtp.client import Step
from mailer.wire.smtp.offers import Offers

ALL = Offers(True, eightbit=True, dsn=True, pipelining=True, size=True, size_limit=10**9, smtputf8=True)
PARAMETERS = ClientParameters()


def mail(offers=ALL, **envelope):
    request = DeliveryRequest("QID", Envelope(**envelope), MemoryContent(b"12345\r\n"), "smtp", "x", [])
    return mail_command(request, offers, PARAMETERS)


def test_mail():
    everything = {"sender": "a@x", "body": "8BITMIME", "ret": "FULL", "envid": "q=1 +", "smtputf8": True}
    assert mail(**everything) == b"MAIL FROM:<a@x> SIZE=7 BODY=8BITMIME ENVID=q+3D1+20+2B RET=FULL SMTPUTF8"
    assert mail(Offers(True), **everything) == mail(Offers(), **everything) == b"MAIL FROM:<a@x>"
    assert mail(Offers(True), sender="") == b"MAIL FROM:<>"
    assert mail(Offers(True), sender="a\udcff@x") == b"MAIL FROM:<a\xff@x>"


@pytest.mark.parametrize(
    "recipient, smtputf8, said",
    [
        (Recipient("a@x"), False, b"RCPT TO:<a@x> ORCPT=rfc822;a@x"),
        (Recipient("a@x", "b+c@x"), False, b"RCPT TO:<a@x> ORCPT=rfc822;b+2Bc@x"),
        (Recipient("a@x", orcpt="x400;q=1"), False, b"RCPT TO:<a@x> ORCPT=x400;q+3D1"),
        (Recipient("a@x", notify=Notify.NEVER), False, b"RCPT TO:<a@x> ORCPT=rfc822;a@x NOTIFY=NEVER"),
        (
            Recipient("a@x", notify=Notify.DELAY | Notify.SUCCESS | Notify.FAILURE),
            False,
            b"RCPT TO:<a@x> ORCPT=rfc822;a@x NOTIFY=SUCCESS,FAILURE,DELAY",
        ),
        (Recipient("a@x", orcpt="utf-8;\u00e4+@x"), False, b"RCPT TO:<a@x> ORCPT=utf-8;\\x{E4}\\x{2B}@x"),
        (Recipient("a@x", orcpt="utf-8;\u00e4@x"), True, b"RCPT TO:<a@x> ORCPT=utf-8;+C3+A4@x"),
    ],
)
def test_rcpt(recipient, smtputf8, said):
    assert rcpt_command(recipient, ALL, PARAMETERS, smtputf8) == said


def test_rcpt_without_dsn():
    assert rcpt_command(Recipient("a b@x", "c@x", Notify.NEVER), Offers(True), PARAMETERS) == b'RCPT TO:<"a b"@x>'


def test_xtext_leaves_what_may_stay():
    plain = "".join(chr(n) for n in range(33, 127) if chr(n) not in "+=")
    assert xtext(plain) == plain.encode()
    assert xtext("\r\n \x7f\u00e4\udcff") == b"+0D+0A+20+7F+C3+A4+FF"


def test_no_address_can_smuggle_a_command():
    for evil in ("a\r\nDATA\r\n@x", "a\nb@x"):
        assert b"\n" not in rcpt_command(Recipient(evil, evil), ALL, PARAMETERS)
        assert b"\n" not in mail(sender=evil)
        assert b"\n" not in rcpt_command(Recipient(evil), Offers(True), ClientParameters(quote_rfc821_envelope=False))


def test_xforward():
    client = Client("h.example", "2001:db8::1", "25", helo="me", protocol="ESMTP")
    everything = frozenset(("NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE"))
    assert xforward_commands(client, "smtp", everything, "QID") == [
        (b"XFORWARD NAME=h.example ADDR=IPV6:2001:db8::1 PORT=25", Step.XFORWARD_NAME),
        (b"XFORWARD PROTO=ESMTP HELO=me IDENT=QID SOURCE=REMOTE", Step.XFORWARD_HELO),
    ]
    assert xforward_commands(Client(), "local", everything, "QID") == [
        (b"XFORWARD IDENT=QID SOURCE=LOCAL", Step.XFORWARD_HELO)
    ]
    assert xforward_commands(client, "smtp", frozenset(("NAME",)), "QID")[0][0] == b"XFORWARD NAME=h.example"


def test_xforward_is_said_only_if_wanted_and_offered():
    request = DeliveryRequest("QID", Envelope(), MemoryContent(b""), "smtp", "x", [])
    offering = Offers(True, xforward=frozenset(("IDENT",)))
    wanting = ClientParameters(send_xforward=True)
    assert transaction_for(request, [], offering, wanting).preamble
    assert not transaction_for(request, [], offering, PARAMETERS).preamble
    assert not transaction_for(request, [], Offers(True), wanting).preamble
