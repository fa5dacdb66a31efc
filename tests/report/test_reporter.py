"""Notices, field by field as Postfix 3.7 makes them, and who gets one."""

import asyncio

import pytest
from reports import CONTENT, HEADER, entry, read
from zope.interface.verify import verifyObject

from mailer.interfaces.report import IReporter
from mailer.message.envelope import Notify, Recipient
from mailer.message.status import Outcome, PermanentError, TemporaryError


def run(coroutine):
    """Nothing here waits, so a coroutine ends at its first step."""
    return asyncio.run(coroutine)


def rejected(address="r550@peer.example", **more):
    text = "550 5.1.1 <x>: no such user"
    return Recipient(address, **more), Outcome.bounced(
        f"host 127.0.0.1[127.0.0.1] said: {text} (in reply to RCPT TO command)",
        "5.1.1",
        relay="127.0.0.1[127.0.0.1]:27125",
        remote_mta="127.0.0.1",
        diagnostic=text,
    )


def waiting(address="r450@peer.example", **more):
    text = "450 4.2.1 busy"
    return Recipient(address, **more), Outcome.deferred(
        f"host 127.0.0.1[127.0.0.1] said: {text} (in reply to RCPT TO command)",
        "4.2.1",
        relay="127.0.0.1[127.0.0.1]:27125",
        remote_mta="127.0.0.1",
        diagnostic=text,
    )


def delivered(address="plus@v.example", **more):
    return Recipient(address, **more), Outcome.sent("delivered to maildir", relay="virtual")


def test_provides_the_interface(desk):
    assert verifyObject(IReporter, desk().reporter)


def test_bounce_field_by_field(desk):
    at = desk()
    orcpt = rejected("z@peer.example", orcpt="rfc822;orig@x@y.example", notify=Notify.FAILURE)
    run(at.reporter.bounce(entry(envid="env+id", ret="FULL"), [rejected(), orcpt]))
    (notice,) = at.notices
    assert [recipient.address for recipient in notice.everyone] == ["sender@v.example"]
    envelope = notice.envelope
    assert (envelope.sender, envelope.source, envelope.context, envelope.body) == ("", "notify", "local", "8BITMIME")
    assert envelope.overrides == {"no_header_body_checks", "no_milters"}
    headers, (text, report, message) = read(notice)
    assert headers.split("\n") == [
        "Received: by mta.example.org (Postfix)",
        f"\tid {notice.queue_id}; Tue, 24 Nov 2026 15:42:20 +0000 (UTC)",
        "Date: Tue, 24 Nov 2026 15:42:20 +0000 (UTC)",
        "From: Mail Delivery System <MAILER-DAEMON@origin.example.org>",
        "Subject: Undelivered Mail Returned to Sender",
        "To: sender@v.example",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status;",
        '\tboundary="C644620C013.1795534940/mta.example.org"',
        "Content-Transfer-Encoding: 8bit",
    ]
    assert text[0].split("\n") == [
        "Content-Description: Notification",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    ]
    assert text[1].startswith("The mail system at mta.example.org writes")
    assert text[1].endswith(
        "own text.\n\n"
        "<r550@peer.example>: host 127.0.0.1[127.0.0.1] said: 550 5.1.1 <x>: no such\n"
        "    user (in reply to RCPT TO command)\n\n"
        "<z@peer.example>: host 127.0.0.1[127.0.0.1] said: 550 5.1.1 <x>: no such user\n"
        "    (in reply to RCPT TO command)\n"
    )
    assert report[0] == "Content-Description: Delivery report\nContent-Type: message/delivery-status"
    assert report[1] == (
        "Reporting-MTA: dns; mta.example.org\n"
        "Original-Envelope-Id: env+id\n"
        "X-Postfix-Queue-ID: C644620C013\n"
        "X-Postfix-Sender: rfc822; sender@v.example\n"
        "Arrival-Date: Tue, 24 Nov 2026 15:42:20 +0000 (UTC)\n"
        "\n"
        "Final-Recipient: rfc822; r550@peer.example\n"
        "Original-Recipient: rfc822;r550@peer.example\n"
        "Action: failed\n"
        "Status: 5.1.1\n"
        "Remote-MTA: dns; 127.0.0.1\n"
        "Diagnostic-Code: smtp; 550 5.1.1 <x>: no such user\n"
        "\n"
        "Final-Recipient: rfc822; z@peer.example\n"
        "Original-Recipient: rfc822;orig@x@y.example\n"
        "Action: failed\n"
        "Status: 5.1.1\n"
        "Remote-MTA: dns; 127.0.0.1\n"
        "Diagnostic-Code: smtp; 550 5.1.1 <x>: no such user\n"
    )
    assert message[0].split("\n") == [
        "Content-Description: Undelivered Message",
        "Content-Type: message/rfc822",
        "Content-Transfer-Encoding: 8bit",
    ]
    assert message[1] == "Return-Path: <sender@v.example>\n" + CONTENT.decode().replace("\r\n", "\n")
    assert at.log.lines == [f"info C644620C013: sender non-delivery notification: {notice.queue_id}"]


@pytest.mark.parametrize(
    ("body", "template_charset", "utf8", "expected"),
    [
        ("", "us-ascii", "no", (None, "us-ascii")),
        ("7BIT", "us-ascii", "no", ("7bit", "us-ascii")),
        ("8BITMIME", "us-ascii", "no", ("8bit", "utf-8")),
        ("7BIT", "iso-8859-1", "yes", ("8bit", "iso-8859-1")),
        ("", "iso-8859-1", "no", (None, "iso-8859-1")),
    ],
)
def test_encoding_and_charset(desk, tmp_path, body, template_charset, utf8, expected):
    path = tmp_path / "bounce.cf"
    path.write_text(f"failure_template = <<E\nCharset: {template_charset}\n\ntext\nE\n")
    at = desk(bounce_template_file=str(path), smtputf8_enable=utf8)
    run(at.reporter.bounce(entry(body=body), [rejected()]))
    headers, (text, report, message) = read(at.notices[0])
    encoding, charset = expected
    assert f"charset={charset}" in text[0]
    assert (f"\nContent-Transfer-Encoding: {encoding}" in headers) == (encoding is not None)
    for part in (text, message):
        assert ("Content-Transfer-Encoding: 8bit" in part[0]) == (encoding == "8bit")
    assert "Transfer-Encoding" not in report[0]


@pytest.mark.parametrize(
    ("ret", "size", "limit", "full"),
    [("", 100, 100, True), ("FULL", 101, 100, False), ("HDRS", 1, 100, False), ("FULL", 100, 100, True)],
)
def test_how_much_is_returned(desk, ret, size, limit, full):
    at = desk(bounce_size_limit=str(limit))
    run(at.reporter.bounce(entry(ret=ret, size=size), [rejected()]))
    part = read(at.notices[0])[1][2]
    assert part[0].startswith("Content-Description: Undelivered Message" + ("\n" if full else " Headers\n"))
    assert ("message/rfc822" if full else "text/rfc822-headers") in part[0]
    returned = CONTENT if full else HEADER
    assert part[1] == "Return-Path: <sender@v.example>\n" + returned.decode().replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("notify", "failure", "delay", "success"),
    [
        (Notify.UNSET, True, True, False),
        (Notify.NEVER, False, False, False),
        (Notify.SUCCESS, False, False, True),
        (Notify.FAILURE, True, False, False),
        (Notify.DELAY, False, True, False),
        (Notify.FAILURE | Notify.SUCCESS, True, False, True),
    ],
)
def test_notify_is_honoured(desk, notify, failure, delay, success):
    for method, result, wanted in (
        ("bounce", rejected(notify=notify), failure),
        ("delayed", waiting(notify=notify), delay),
        ("succeeded", delivered(notify=notify), success),
    ):
        at = desk()
        run(getattr(at.reporter, method)(entry(), [result]))
        assert len(at.notices) == wanted, method


def test_null_sender_goes_to_the_postmaster_as_a_double_bounce(desk):
    at = desk(notify_classes="2bounce, bounce", **{"2bounce_notice_recipient": "trouble"})
    run(at.reporter.bounce(entry(""), [rejected()]))
    (notice,) = at.notices
    assert notice.envelope.sender == "double-bounce@mta.example.org"
    assert [recipient.address for recipient in notice.everyone] == ["trouble"]
    headers, (text, report, message) = read(notice)
    assert "\nSubject: Postmaster Copy: Undelivered Mail\nTo: trouble\nAuto-Submitted: auto-generated\n" in headers
    assert text[1].startswith("\n<r550@peer.example>: host ")
    assert "\nX-Postfix-Sender: rfc822; MAILER-DAEMON@mta.example.org\n" in report[1]
    assert message[1].startswith("Return-Path: <MAILER-DAEMON@mta.example.org>\n")
    assert message[1].endswith("last\n")
    assert at.log.lines == [f"info C644620C013: postmaster non-delivery notification: {notice.queue_id}"]


def test_null_sender_and_nobody_wants_to_know(desk):
    at = desk(notify_classes="bounce")
    run(at.reporter.bounce(entry(""), [rejected()]))
    run(at.reporter.delayed(entry(""), [waiting()]))
    run(at.reporter.succeeded(entry(""), [delivered(notify=Notify.SUCCESS)]))
    assert at.notices == []


def test_postmasters_notices_never_come_back(desk):
    at = desk(notify_classes="bounce, 2bounce, delay")
    notice = entry("Double-Bounce@mta.example.org")
    run(at.reporter.bounce(notice, [rejected()]))
    run(at.reporter.delayed(notice, [waiting()]))
    run(at.reporter.succeeded(notice, [delivered(notify=Notify.SUCCESS)]))
    assert at.notices == []
    assert at.log.lines == [
        "warning C644620C013: undeliverable postmaster notification discarded",
        "warning C644620C013: undeliverable postmaster notification discarded",
        "info C644620C013: not sending trace/success notification for double-bounce message",
    ]


def test_postmasters_copy_names_even_recipients_that_asked_for_silence(desk):
    at = desk(notify_classes="bounce", bounce_notice_recipient="boss@x.example")
    run(at.reporter.bounce(entry(), [rejected(notify=Notify.NEVER)]))
    (copy,) = at.notices
    assert copy.envelope.sender == "double-bounce@mta.example.org"
    headers, (text, _, message) = read(copy)
    assert "\nSubject: Postmaster Copy: Undelivered Mail\nTo: boss@x.example\n" in headers
    assert message[0].startswith("Content-Description: Undelivered Message Headers\n")


def test_delay_warning(desk):
    at = desk(notify_classes="delay", delay_notice_recipient="boss", delay_warning_time="4h")
    down = (
        Recipient("u@down.example"),
        Outcome.deferred("connect to 127.0.0.1[127.0.0.1]:27199: Connection refused", "4.4.1"),
    )
    run(at.reporter.delayed(entry(ret="FULL", envid="abc"), [down, waiting(notify=Notify.FAILURE)]))
    warning, copy = at.notices
    headers, (text, report, message) = read(warning)
    assert "\nSubject: Delayed Mail (still being retried)\n" in headers
    assert "within 4 hour(s)" in text[1] and "is 5 day(s) old" in text[1]
    assert report[1].split("\n\n")[1] == (
        "Final-Recipient: rfc822; u@down.example\n"
        "Original-Recipient: rfc822;u@down.example\n"
        "Action: delayed\n"
        "Status: 4.4.1\n"
        "Diagnostic-Code: X-Postfix; connect to 127.0.0.1[127.0.0.1]:27199: Connection\n"
        "    refused\n"
        "Will-Retry-Until: Sun, 29 Nov 2026 15:42:20 +0000 (UTC)\n"
    )
    assert "r450" not in report[1]
    assert message[0].startswith("Content-Description: Undelivered Message Headers\n")
    assert "r450" in read(copy)[1][1][1]
    assert "\nSubject: Postmaster Warning: Delayed Mail\nTo: boss\n" in read(copy)[0]
    assert [line.split(": ")[1] for line in at.log.lines] == [
        "sender delay notification",
        "postmaster delay notification",
    ]


def test_success(desk):
    at = desk()
    peer = {"text": "250 2.0.0 queued as PEER1", "relay": "127.0.0.1[127.0.0.1]:27126"}
    relayed = Outcome.sent(action="relayed", remote_mta="127.0.0.1", diagnostic="250 2.0.0 queued as PEER1", **peer)
    passed_on = Outcome.sent(dsn_passed_on=True, action="relayed", **peer)
    asked = Notify.SUCCESS
    results = [
        delivered(notify=asked, orcpt="rfc822;p@z.example"),
        (Recipient("ok@nodsn.example", notify=asked), relayed),
        (Recipient("ok@peer.example", notify=asked), passed_on),
        delivered("other@v.example"),
    ]
    run(at.reporter.succeeded(entry(ret="FULL"), results))
    (notice,) = at.notices
    headers, (text, report, message) = read(notice)
    assert "\nSubject: Successful Mail Delivery Report\n" in headers
    assert text[1].endswith(
        "\n\n<plus@v.example>: delivery via virtual: delivered to maildir\n\n"
        "<ok@nodsn.example>: delivery via 127.0.0.1[127.0.0.1]:27126: 250 2.0.0 queued\n    as PEER1\n"
    )
    assert report[1].split("\n\n")[1:] == [
        "Final-Recipient: rfc822; plus@v.example\n"
        "Original-Recipient: rfc822;p@z.example\n"
        "Action: delivered\n"
        "Status: 2.0.0\n"
        "Diagnostic-Code: X-Postfix; delivery via virtual: delivered to maildir",
        "Final-Recipient: rfc822; ok@nodsn.example\n"
        "Original-Recipient: rfc822;ok@nodsn.example\n"
        "Action: relayed\n"
        "Status: 2.0.0\n"
        "Remote-MTA: dns; 127.0.0.1\n"
        "Diagnostic-Code: smtp; 250 2.0.0 queued as PEER1\n",
    ]
    assert message[0].startswith("Content-Description: Message Headers\nContent-Type: text/rfc822-headers\n")
    assert at.log.lines == [f"info C644620C013: sender delivery status notification: {notice.queue_id}"]


def test_lists_are_reported_as_expanded_once(desk):
    at = desk()
    listed = [["va@v.example", "rfc822;asked@v.example", "va@v.example"]]
    run(at.reporter.succeeded(entry(expanded=listed), []))
    run(at.reporter.succeeded(entry(expanded=listed, attempts=1), []))
    (notice,) = at.notices
    _, (text, report, _) = read(notice)
    assert text[1].endswith("\n\n<va@v.example>: alias expanded\n")
    assert report[1].split("\n\n")[1].split("\n") == [
        "Final-Recipient: rfc822; va@v.example",
        "Original-Recipient: rfc822;asked@v.example",
        "Action: expanded",
        "Status: 2.0.0",
        "Diagnostic-Code: X-Postfix; alias expanded",
        "",
    ]


def test_confirm_delay_cleared(desk):
    results = [
        delivered("unset@v.example"),
        delivered("asked@v.example", notify=Notify.DELAY),
        delivered("not@v.example", notify=Notify.FAILURE),
        waiting(),
    ]
    for confirm, warned, told in (("yes", True, 2), ("yes", False, 0), ("no", True, 0)):
        at = desk(confirm_delay_cleared=confirm)
        run(at.reporter.succeeded(entry(warned=warned), results))
        assert sum(read(notice)[1][1][1].count("Action: delivered") for notice in at.notices) == told


def test_probe_report_tells_everything(desk):
    at = desk()
    results = [
        (Recipient("no@v.example"), Outcome.bounced('unknown user: "no@v.example"', "5.1.1", relay="virtual")),
        waiting(),
        delivered(notify=Notify.NEVER),
    ]
    run(at.reporter.succeeded(entry(probe="trace"), results))
    run(at.reporter.succeeded(entry(probe="trace", attempts=1), results))
    (notice,) = at.notices
    headers, (text, report, _) = read(notice)
    assert "\nSubject: Mail Delivery Status Report\n" in headers
    actions = [line for line in report[1].split("\n") if line.startswith("Action")]
    assert actions == ["Action: failed", "Action: delayed", "Action: delivered"]
    assert "Will-Retry-Until" not in report[1]
    assert 'Diagnostic-Code: X-Postfix; delivery via virtual: unknown user: "no@v.example"\n' in report[1]


def test_internationalized_report(desk):
    at = desk()
    results = [rejected("r550é@peer.example"), rejected("z@peer.example", orcpt="utf-8;café@x.example")]
    content = CONTENT.replace(b"test", "tëst".encode())
    run(at.reporter.bounce(entry("sénder@v.example", content, smtputf8=True), results))
    (notice,) = at.notices
    assert notice.envelope.smtputf8
    headers, (text, report, message) = read(notice)
    assert "\nTo: sénder@v.example\n" in headers
    assert report[0].split("\n")[1:] == [
        "Content-Type: message/global-delivery-status",
        "Content-Transfer-Encoding: 8bit",
    ]
    assert "X-Postfix-Sender: utf-8; sénder@v.example\n" in report[1]
    assert "Final-Recipient: utf-8; r550é@peer.example\nOriginal-Recipient: rfc822;r550é@peer.example\n" in report[1]
    assert "Original-Recipient: utf-8;café@x.example\n" in report[1]
    assert message[0].split("\n")[1:] == ["Content-Type: message/global", "Content-Transfer-Encoding: 8bit"]
    run(at.reporter.bounce(entry("sénder@v.example", smtputf8=True, ret="HDRS"), results))
    assert "Content-Type: message/global-headers\n" in read(at.notices[1])[1][2][0]


def test_where_an_address_came_from(desk):
    at = desk()
    run(at.reporter.bounce(entry(), [rejected("r550va@peer.example", original="va@v.example")]))
    _, (text, report, _) = read(at.notices[0])
    assert "\n<r550va@peer.example> (expanded from <va@v.example>): host 127.0.0.1[127.0.0.1]\n    said: " in text[1]
    assert "\nOriginal-Recipient: rfc822;va@v.example\n" in report[1]


def test_addresses_are_quoted_as_smtp_has_them(desk):
    at = desk()
    run(at.reporter.bounce(entry("quo ted@v.example"), [rejected("a b@peer.example")]))
    headers, (text, report, message) = read(at.notices[0])
    assert '\nTo: "quo ted"@v.example\n' in headers
    assert '\n<"a b"@peer.example>: host' in text[1]
    assert 'Final-Recipient: rfc822; "a b"@peer.example\n' in report[1]
    assert message[1].startswith('Return-Path: <"quo ted"@v.example>\n')


def test_verp_gives_each_failure_its_own_notice(desk):
    results = [rejected("a@x.example"), rejected("b@x.example")]
    at = desk()
    run(at.reporter.bounce(entry("list@v.example", verp="-="), results))
    assert [notice.everyone[0].address for notice in at.notices] == [
        "list-a=x.example@v.example",
        "list-b=x.example@v.example",
    ]
    assert "b@x.example" not in read(at.notices[0])[1][1][1]
    at = desk(disable_verp_bounces="yes")
    run(at.reporter.bounce(entry("list@v.example", verp="-="), results))
    assert [notice.everyone[0].address for notice in at.notices] == ["list@v.example"]


def test_threaded_bounces(desk):
    at = desk(enable_threaded_bounces="yes")
    run(at.reporter.bounce(entry(), [rejected()]))
    assert "\nReferences: <orig1@v.example>\nIn-Reply-To: <orig1@v.example>\nAuto-Submitted" in read(at.notices[0])[0]
    run(at.reporter.bounce(entry(content=b"Subject: x\r\n\r\nMessage-ID: <no@x>\r\n"), [rejected()]))
    assert "References" not in read(at.notices[1])[0]


def test_obsolete_from(desk):
    at = desk(header_from_format="obsolete")
    run(at.reporter.bounce(entry(), [rejected()]))
    assert "\nFrom: MAILER-DAEMON@origin.example.org (Mail Delivery System)\n" in read(at.notices[0])[0]


def test_bounces_may_be_filtered(desk):
    at = desk(internal_mail_filter_classes="bounce")
    run(at.reporter.bounce(entry(), [rejected()]))
    assert at.notices[0].envelope.overrides == frozenset()


def test_a_notice_that_cannot_be_taken_now_is_still_owed(desk):
    for failing in ("refusal", "failure"):
        at = desk()
        setattr(at.queue, failing, TemporaryError("disk full"))
        with pytest.raises(TemporaryError):
            run(at.reporter.bounce(entry(), [rejected()]))
        assert not at.notices and not at.log.lines


def test_a_copy_that_cannot_be_taken_is_only_logged(desk):
    at = desk(notify_classes="bounce")
    opened = at.queue.open

    def once(envelope, producer=None):
        writer = opened(envelope, producer)
        at.queue.refusal = TemporaryError("disk full")
        return writer

    def refusing(envelope, producer=None):
        if at.queue.refusal:
            raise at.queue.refusal
        return once(envelope, producer)

    at.queue.open = refusing
    run(at.reporter.bounce(entry(), [rejected()]))
    assert at.log.lines[-1].startswith("warning C644620C013: postmaster non-delivery notification refused: 451 4.3.0")


def test_a_notice_that_is_refused_for_good_goes_to_the_postmaster(desk):
    at = desk()
    opened, asked = at.queue.open, []

    def refusing(envelope, producer=None):
        asked.append(envelope.sender)
        if not envelope.sender:
            raise PermanentError("message content rejected", "5.7.1")
        return opened(envelope, producer)

    at.queue.open = refusing
    run(at.reporter.bounce(entry(), [rejected()]))
    assert asked == ["", "double-bounce@mta.example.org"]
    assert [line.split(": ", 1)[1].split(":")[0] for line in at.log.lines] == [
        "sender non-delivery notification refused",
        "postmaster non-delivery notification",
    ]


def test_a_large_original_is_streamed_and_may_be_held_up(desk):
    at = desk(bounce_size_limit="999999")
    content = HEADER + b"\r\n" + b"x" * 76 + b"\r\n"
    content += (b"y" * 76 + b"\r\n") * 5000
    opened, sizes = at.queue.open, []

    def watching(envelope, producer=None):
        writer = opened(envelope, producer)
        take = writer.write

        def write(chunk):
            sizes.append(len(chunk))
            producer.pause()
            producer.resume()
            take(chunk)

        writer.write = write
        return writer

    at.queue.open = watching
    run(at.reporter.bounce(entry(content=content), [rejected()]))
    assert max(sizes) <= 65536 and len(sizes) > 5
    assert read(at.notices[0])[1][2][1].endswith("y" * 76 + "\n")


def test_nothing_to_tell(desk):
    at = desk()
    run(at.reporter.bounce(entry(), []))
    run(at.reporter.delayed(entry(), []))
    run(at.reporter.succeeded(entry(), []))
    assert at.notices == [] and at.log.lines == []
