"""Delivery status notifications, end to end: what senders get back (RFC 3461, 3464), and when."""

import email
import re

from peers import wait_until


class Report:
    """A notice as its recipient sees it."""

    def __init__(self, content):
        self.message = email.message_from_bytes(content)
        assert self.message.get_content_type() == "multipart/report"
        assert self.message.get_param("report-type") == "delivery-status"
        to_sender = ("<>", "auto-replied")
        to_postmaster = ("<double-bounce@mx.example.test>", "auto-generated")
        assert (self.message["Return-Path"], self.message["Auto-Submitted"]) in (to_sender, to_postmaster)
        self.text, self.status, self.original = self.message.get_payload()
        about, *recipients = self.status.get_payload()
        self.about = about
        self.recipients = {part["Final-Recipient"].partition("; ")[2]: part for part in recipients}

    def action(self, recipient):
        part = self.recipients[recipient]
        return part["Action"], part["Status"]


def reports(server, count, user="sender"):
    return [Report(content) for content in server.wait_for_mail(user, count)]


def lines(server):
    return [line for line in server.log().splitlines() if "warning" not in line]


def send(server, recipients, mail_options=(), rcpt_options=(), sender="sender@example.test", content=None):
    content = content or "Subject: test\r\nX-Marker: here\r\n\r\nthe body\r\n"
    server.send(recipients, content, sender, mail_options=mail_options, rcpt_options=rcpt_options)


def test_success_where_mail_is_delivered(mta):
    server = mta()
    send(
        server,
        ["you@example.test"],
        ["RET=HDRS", "ENVID=id+2B1"],
        ["NOTIFY=SUCCESS,FAILURE,DELAY", "ORCPT=rfc822;Y+2Bou@Old.test"],
    )
    (report,) = reports(server, 1)
    assert report.message["Subject"] == "Successful Mail Delivery Report"
    assert report.about["Original-Envelope-Id"] == "id+1"
    assert report.about["Reporting-MTA"] == "dns; mx.example.test"
    assert report.action("you@example.test") == ("delivered", "2.0.0")
    assert report.recipients["you@example.test"]["Original-Recipient"] == "rfc822;Y+ou@Old.test"
    assert report.original.get_content_type() == "text/rfc822-headers"
    assert "X-Marker: here" in report.original.get_payload() and "the body" not in str(report.message)
    server.wait_for_log("postfix/bounce[", "sender delivery status notification: ")


def test_success_is_passed_on_to_a_server_that_can_and_reported_where_it_cannot(mta, sink):
    peer, old = sink(), sink()
    server = mta(
        f"transport_maps = inline:{{ new.test=smtp:[127.0.0.1]:{peer.port}, old.test=olds:[127.0.0.1]:{old.port} }}\n",
        "olds unix - - n - - smtp -o smtp_discard_ehlo_keywords=dsn\n",
    )
    options = ["NOTIFY=SUCCESS", "ORCPT=rfc822;first@old.test"]
    send(server, ["a@new.test", "b@old.test"], ["RET=FULL", "ENVID=x"], options)
    wait_until(lambda: peer.messages and old.messages, what="both messages")
    mail, (rcpt,), _ = peer.messages[0]
    assert b"RET=FULL" in mail and b"ENVID=x" in mail
    assert rcpt == b"TO:<a@new.test> ORCPT=rfc822;first@old.test NOTIFY=SUCCESS"
    mail, (rcpt,), _ = old.messages[0]
    assert (mail.split()[0], rcpt) == (b"FROM:<sender@example.test>", b"TO:<b@old.test>")
    assert b"RET" not in mail
    (report,) = reports(server, 1)
    assert list(report.recipients) == ["b@old.test"]
    assert report.action("b@old.test") == ("relayed", "2.0.0")
    assert report.message["Subject"] == "Successful Mail Delivery Report"


def test_failure_with_the_whole_message_or_its_header(mta, sink):
    peer = sink({"RCPT": b"550 5.7.1 no\twelcome"})
    server = mta(f"relayhost = [127.0.0.1]:{peer.port}\n")
    send(server, ["a@elsewhere.test"], ["RET=FULL"])
    send(server, ["b@elsewhere.test"], ["RET=HDRS", "ENVID=env"], ["NOTIFY=FAILURE"])
    found = {next(iter(report.recipients)): report for report in reports(server, 2)}
    full, header = found["a@elsewhere.test"], found["b@elsewhere.test"]
    assert full.original.get_content_type() == "message/rfc822"
    assert full.original.get_payload(0).get_payload() == "the body\n"
    assert header.original.get_content_type() == "text/rfc822-headers"
    assert header.about["Original-Envelope-Id"] == "env"
    for report in found.values():
        assert report.message["Subject"] == "Undelivered Mail Returned to Sender"
        assert report.message["To"] == "sender@example.test"
        assert [action for action, _ in map(report.action, report.recipients)] == ["failed"]
    part = full.recipients["a@elsewhere.test"]
    assert part["Status"] == "5.7.1" and part["Remote-MTA"] == "dns; 127.0.0.1"
    assert part["Diagnostic-Code"].startswith("smtp; 550 5.7.1 no")
    assert "<a@elsewhere.test>: host 127.0.0.1[127.0.0.1] said: 550 5.7.1 no" in full.text.get_payload()


def test_nobody_is_told_who_did_not_want_to_know(mta, sink):
    peer = sink({"RCPT": b"550 5.1.1 unknown"})
    server = mta(f"relayhost = [127.0.0.1]:{peer.port}\n")
    send(server, ["never@elsewhere.test"], (), ["NOTIFY=NEVER"])
    send(server, ["success@elsewhere.test"], (), ["NOTIFY=SUCCESS"])
    send(server, ["delay@elsewhere.test"], (), ["NOTIFY=DELAY"])
    send(server, ["last@elsewhere.test"])
    (report,) = reports(server, 1)
    assert list(report.recipients) == ["last@elsewhere.test"]
    wait_until(lambda: server.tool("mailq").stdout == b"Mail queue is empty\n", what="an empty queue")
    assert len(server.messages("sender")) == 1
    assert server.log().count("status=bounced") == 4


def test_one_report_for_all_of_a_message(mta, sink):
    peer = sink({"RCPT": lambda argument: b"250 Ok" if b"good" in argument else b"550 5.1.1 " + argument[3:]})
    server = mta(f"relayhost = [127.0.0.1]:{peer.port}\n")
    send(server, ["a@elsewhere.test", "good@elsewhere.test", "b@elsewhere.test", "you@example.test"])
    (report,) = reports(server, 1)
    assert sorted(report.recipients) == ["a@elsewhere.test", "b@elsewhere.test"]
    server.wait_for_mail("you")
    wait_until(lambda: peer.messages, what="the good one")
    assert peer.messages[0][1] == [b"TO:<good@elsewhere.test> ORCPT=rfc822;good@elsewhere.test"]


def test_an_alias_is_expanded_and_said_to_be(mta):
    server = mta("virtual_alias_maps = inline:{ { list@example.test = one@example.test, two@example.test } }\n")
    send(server, ["list@example.test"], (), ["NOTIFY=SUCCESS"])
    found = reports(server, 1)
    actions = {name: report.action(name) for report in found for name in report.recipients}
    assert actions["list@example.test"] == ("expanded", "2.0.0")
    server.wait_for_mail("one")
    server.wait_for_mail("two")


def test_a_delay_is_told_once_and_at_last_the_message_expires(mta, sink):
    peer = sink({"RCPT": b"451 4.2.0 busy"})
    server = mta(
        f"relayhost = [127.0.0.1]:{peer.port}\ndelay_warning_time = 1s\nmaximal_queue_lifetime = 4s\n"
        "minimal_backoff_time = 1s\nmaximal_backoff_time = 1s\nqueue_run_delay = 1s\nconfirm_delay_cleared = yes\n"
    )
    send(server, ["late@elsewhere.test"], ["ENVID=slow"])
    send(server, ["quiet@elsewhere.test"], (), ["NOTIFY=NEVER"])
    warning, expired = sorted(reports(server, 2, "sender"), key=lambda report: report.message["Subject"])
    assert warning.message["Subject"] == "Delayed Mail (still being retried)"
    assert warning.action("late@elsewhere.test") == ("delayed", "4.2.0")
    assert warning.recipients["late@elsewhere.test"]["Will-Retry-Until"]
    assert warning.original.get_content_type() == "text/rfc822-headers"
    assert expired.message["Subject"] == "Undelivered Mail Returned to Sender"
    assert expired.action("late@elsewhere.test") == ("failed", "4.2.0")
    assert expired.about["Original-Envelope-Id"] == warning.about["Original-Envelope-Id"] == "slow"
    line = server.wait_for_log("status=expired, returned to sender")
    assert re.search(r"postfix/qmgr\[\d+\]: \w+: from=<sender@example\.test>, status=expired, returned to sender", line)
    assert "sender delay notification: " in server.wait_for_log("postfix/bounce[", "sender delay notification")
    wait_until(lambda: server.tool("mailq").stdout == b"Mail queue is empty\n", what="an empty queue")
    assert len(server.messages("sender")) == 2


def test_a_delay_that_is_over(mta, sink):
    answers = [b"451 4.2.0 busy"]
    peer = sink({"RCPT": lambda _: answers[0]})
    server = mta(
        f"relayhost = [127.0.0.1]:{peer.port}\ndelay_warning_time = 1s\nminimal_backoff_time = 1s\n"
        "maximal_backoff_time = 1s\nqueue_run_delay = 1s\nconfirm_delay_cleared = yes\n"
    )
    send(server, ["late@elsewhere.test"])
    (warning,) = reports(server, 1)
    answers[0] = b"250 2.1.5 Ok"
    found = reports(server, 2)
    (cleared,) = [report for report in found if report.message["Subject"] != warning.message["Subject"]]
    assert cleared.message["Subject"] == "Successful Mail Delivery Report"


def test_a_null_sender_gets_nothing_back(mta, sink):
    peer = sink({"RCPT": b"550 5.1.1 unknown"})
    server = mta(f"relayhost = [127.0.0.1]:{peer.port}\nnotify_classes =\n")
    send(server, ["gone@elsewhere.test"], sender="")
    server.wait_for_log("to=<gone@elsewhere.test>", "status=bounced")
    server.wait_for_log("postfix/qmgr[", ": removed")
    wait_until(lambda: server.tool("mailq").stdout == b"Mail queue is empty\n", what="an empty queue")
    assert "non-delivery notification" not in server.log()
    assert [path.name for path in (server.directory / "mail").iterdir()] == []


def test_a_bounce_that_bounces_goes_to_postmaster(mta, sink):
    peer = sink({"RCPT": b"550 5.1.1 unknown"})
    server = mta(
        f"relayhost = [127.0.0.1]:{peer.port}\nnotify_classes = 2bounce, bounce, resource, software\n"
        "2bounce_notice_recipient = chief@example.test\nbounce_notice_recipient = watcher@example.test\n"
    )
    send(server, ["gone@elsewhere.test"], sender="forged@elsewhere.test")
    (double,) = [Report(content) for content in server.wait_for_mail("chief")]
    assert double.message["Subject"] == "Postmaster Copy: Undelivered Mail"
    assert double.message["To"] == "chief@example.test"
    assert list(double.recipients) == ["forged@elsewhere.test"]
    (copy,) = [Report(content) for content in server.wait_for_mail("watcher")]
    assert copy.message["Subject"] == "Postmaster Copy: Undelivered Mail"
    assert list(copy.recipients) == ["gone@elsewhere.test"]
    assert "the body" not in copy.original.get_payload()
    server.wait_for_log("postfix/bounce[", "postmaster non-delivery notification: ")


def test_sendmail_bv_and_v_report(mta, sink):
    peer = sink({"RCPT": lambda argument: b"250 Ok" if b"good" in argument else b"550 5.1.1 unknown"})
    server = mta(f"relayhost = [127.0.0.1]:{peer.port}\n")
    server.tool(
        "sendmail", "-bv", "-f", "prober@example.test", "good@elsewhere.test", "bad@elsewhere.test", "you@example.test"
    )
    (report,) = reports(server, 1, "prober")
    assert report.message["Subject"] == "Mail Delivery Status Report"
    assert report.action("good@elsewhere.test") == ("deliverable", "2.0.0")
    assert report.action("bad@elsewhere.test") == ("undeliverable", "5.1.1")
    assert report.action("you@example.test") == ("deliverable", "2.0.0")
    assert peer.messages == [] and not server.messages("you")
    assert "status=deliverable" in server.wait_for_log("to=<good@elsewhere.test>")
    assert "status=undeliverable" in server.wait_for_log("to=<bad@elsewhere.test>")
    server.tool("sendmail", "-v", "-f", "tracer@example.test", "good@elsewhere.test", input=b"Subject: t\n\nx\n")
    (report,) = reports(server, 1, "tracer")
    assert report.message["Subject"] == "Mail Delivery Status Report"
    assert report.action("good@elsewhere.test") == ("relayed", "2.0.0")
    assert len(peer.messages) == 1


def test_sendmail_asks_for_reports_as_smtp_does(mta):
    server = mta()
    server.tool(
        *["sendmail", "-f", "sender@example.test", "-N", "success", "-R", "hdrs", "-V", "my id", "you@example.test"],
        input=b"Subject: t\n\nthe body\n",
    )
    (report,) = reports(server, 1)
    assert report.about["Original-Envelope-Id"] == "my id"
    assert report.action("you@example.test") == ("delivered", "2.0.0")
    assert report.original.get_content_type() == "text/rfc822-headers"
