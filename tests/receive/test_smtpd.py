"""The SMTP service's behaviour that no recorded dialogue shows: the sink, durability, limits over time, faults."""

from __future__ import annotations

from typing import Any

import pytest
from smtpd_stand_ins import ListAccess, Server
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from mailer.interfaces.sink import IProducer
from mailer.message.envelope import Notify
from mailer.message.status import PermanentError, Reply, TemporaryError
from mailer.receive.anvil import Anvil
from mailer.testing.dns import FAILS, FakeResolver

HELLO = b"EHLO client.example\r\n"
ENVELOPE = b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@mail.example>\r\n"
MESSAGE = ENVELOPE + b"DATA\r\n"


def test_reports_name_what_the_client_has_written() -> None:
    server = Server({"mynetworks": "127.0.0.0/8"})
    peer = started(server)
    peer.say(
        b"MAIL FROM:<a@example.org>\r\nRCPT TO:<@r.example:b@mail.example>\r\n"
        b'RCPT TO:<"c"@mail.example>\r\nRCPT TO:d@mail.example\r\nDATA\r\n'
    )
    peer.say(b"Subject: x\r\n\r\nbody\r\n.\r\n")
    (message,) = server.sink.messages
    assert [(recipient.address, recipient.orcpt) for recipient in message.recipients] == [
        ("b@mail.example", "rfc822;@r.example:b@mail.example"),
        ("c@mail.example", 'rfc822;"c"@mail.example'),
        ("d@mail.example", ""),
    ]


@pytest.mark.parametrize(("allowed", "code"), [("no", b"501"), ("yes", b"250")])
def test_a_minus_sign_in_front(allowed: str, code: bytes) -> None:
    peer = started(Server({"mynetworks": "127.0.0.0/8", "allow_min_user": allowed}))
    assert peer.say(b"MAIL FROM:<-a@example.org>\r\n").startswith(code)
    peer.say(b"MAIL FROM:<a@example.org>\r\n")
    assert peer.say(b"RCPT TO:<-b@mail.example>\r\n").startswith(code)


def test_a_failed_junk_command_counts_twice() -> None:
    server = Server({"smtpd_junk_command_limit": "1", "smtpd_hard_error_limit": "4"})
    peer = started(server)
    peer.say(b"NOOP\r\n")  # the second, which is one too many only for the next
    for _ in range(2):
        peer.say(b"RSET foo\r\n")
    assert any("too many errors after RSET" in line for line in server.log.lines)


def started(server: Server, **where: Any) -> Any:
    peer = server.connect(**where)
    peer.say(HELLO)
    return peer


def test_the_envelope_reaches_the_sink() -> None:
    server = Server({"mynetworks": "127.0.0.0/8", "local_header_rewrite_clients": "permit_mynetworks"})
    peer = started(server)
    peer.say(
        b"MAIL FROM:<a@example.org> SIZE=77 BODY=8BITMIME RET=HDRS ENVID=x+2By SMTPUTF8\r\n"
        b'RCPT TO:<"b c"@mail.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+20c@x\r\n'
        b"RCPT TO:<d@mail.example>\r\nDATA\r\n"
    )
    peer.say(b"Subject: x\r\n\r\nbody\r\n.\r\n")
    (message,) = server.sink.messages
    envelope = message.envelope
    assert (envelope.sender, envelope.size, envelope.body) == ("a@example.org", 77, "8BITMIME")
    assert (envelope.ret, envelope.envid, envelope.smtputf8) == ("HDRS", "x+y", True)
    assert (envelope.source, envelope.context) == ("smtp", "local")
    assert (envelope.client.name, envelope.client.address) == ("localhost", "127.0.0.1")
    assert (envelope.client.helo, envelope.client.protocol) == ("client.example", "ESMTP")
    first, second = message.recipients
    assert (first.address, first.original) == ("b c@mail.example", "b c@mail.example")
    assert (first.notify, first.orcpt) == (Notify.SUCCESS | Notify.DELAY, "rfc822;b c@x")
    assert (second.address, second.notify, second.orcpt) == ("d@mail.example", Notify.UNSET, "")


def test_strangers_have_remote_headers() -> None:
    server = Server({"mynetworks": "192.0.2.0/24", "local_header_rewrite_clients": "permit_mynetworks"})
    peer = started(server)
    peer.say(MESSAGE)
    peer.say(b".\r\n")
    assert server.sink.messages[0].envelope.context == "remote"


def test_the_reply_waits_for_durability_and_commands_behind_it_wait_too() -> None:
    server = Server()
    peer = started(server)
    gate: Deferred[None] = Deferred()
    server.sink.gate = gate
    peer.say(MESSAGE)
    assert peer.say(b"x\r\n.\r\nMAIL FROM:<c@example.org>\r\nNOOP\r\n") == b""
    assert not server.sink.messages
    gate.callback(None)
    assert peer.replies() == ["250 2.0.0 Ok: queued as 0000000001", "250 2.1.0 Ok", "250 2.0.0 Ok"]


def test_a_client_that_leaves_before_the_reply_has_its_message_taken() -> None:
    server = Server()
    peer = started(server)
    server.sink.gate = gate = Deferred()
    peer.say(MESSAGE)
    peer.say(b"x\r\n.\r\n")
    peer.leave()
    gate.callback(None)
    assert len(server.sink.messages) == 1
    assert server.log.lines[-1].startswith("info disconnect from localhost[127.0.0.1] ehlo=1 mail=1 rcpt=1 data=1")


def test_a_sink_that_cannot_open_refuses_the_recipient() -> None:
    server = Server()
    peer = started(server)
    server.sink.refusal = TemporaryError("disk full", "4.3.1", "Insufficient system storage", 452)
    replies = peer.replies(MESSAGE)
    assert replies == ["250 2.1.0 Ok", "452 4.3.1 Insufficient system storage", "554 5.5.1 Error: no valid recipients"]
    assert "warning localhost[127.0.0.1]: disk full" in server.log.lines


@pytest.mark.parametrize(
    ("failure", "reply"),
    [
        (
            TemporaryError("write failed", "4.3.0", "Error: queue file write error"),
            "451 4.3.0 Error: queue file write error",
        ),
        (PermanentError("Error: too many hops", "5.4.0", 554), "554 5.4.0 Error: too many hops"),
    ],
)
def test_a_sink_that_cannot_commit_refuses_the_message(failure: Exception, reply: str) -> None:
    server = Server()
    peer = started(server)
    server.sink.failure = failure
    peer.say(MESSAGE)
    assert peer.replies(b"x\r\n.\r\n") == [reply]
    server.sink.failure = None
    peer.say(MESSAGE)
    assert peer.replies(b"x\r\n.\r\n") == ["250 2.0.0 Ok: queued as 0000000002"]


def test_a_message_cut_short_is_aborted() -> None:
    server = Server()
    peer = started(server)
    peer.say(MESSAGE + b"half a mess")
    peer.leave()
    assert [writer.state for writer in server.sink.writers] == ["aborted"]


def test_a_message_that_is_too_big_is_read_but_not_kept() -> None:
    server = Server({"message_size_limit": "1000"})
    peer = started(server)
    peer.say(MESSAGE)
    for _ in range(50):
        peer.say(b"x" * 998 + b"\r\n")
    assert len(server.sink.writers[0].content) < 2500
    assert peer.replies(b".\r\nNOOP\r\n") == ["552 5.3.4 Error: message file too big", "250 2.0.0 Ok"]


def test_the_sink_is_given_the_producer() -> None:
    server = Server()
    peer = started(server)
    peer.say(MESSAGE)
    producer = server.sink.writers[0].producer
    verifyObject(IProducer, producer)
    producer.pause()
    assert peer.transport.producerState == "paused"
    producer.resume()
    assert peer.transport.producerState == "producing"


def test_a_later_helo_does_not_change_an_earlier_message() -> None:
    server = Server()
    peer = started(server)
    peer.say(MESSAGE)
    peer.say(b".\r\nEHLO other.example\r\n")
    peer.say(MESSAGE)
    peer.say(b".\r\n")
    first, second = server.sink.messages
    assert (first.envelope.client.helo, second.envelope.client.helo) == ("client.example", "other.example")
    assert b"from client.example (" in first.content and b"from other.example (" in second.content


def test_checks_may_wait() -> None:
    answer: Deferred[Any] = Deferred()

    class Slow(ListAccess):
        async def rcpt(self, session: Any) -> Reply | None:
            return await answer

    server = Server()
    server = Server(access=Slow(server.settings))
    peer = started(server)
    assert peer.say(ENVELOPE + b"NOOP\r\n") == b""
    answer.callback(Reply(450, "4.7.1", "<x>: Recipient address rejected: greylisted\nsee https://example.org"))
    assert peer.replies() == [
        "250 2.1.0 Ok",
        "450-4.7.1 <x>: Recipient address rejected: greylisted",
        "450 4.7.1 see https://example.org",
        "250 2.0.0 Ok",
    ]


def test_decisions_of_checks_are_logged() -> None:
    class Holding(ListAccess):
        async def rcpt(self, session: Any) -> Reply | None:
            session.decisions.append(("hold", "<b@mail.example>: Recipient address triggers HOLD action"))
            session.envelope.hold = "access"
            return None

    server = Server()
    server = Server(access=Holding(server.settings))
    started(server).say(ENVELOPE)
    assert (
        "info NOQUEUE: hold: RCPT from localhost[127.0.0.1]: <b@mail.example>: Recipient address triggers HOLD action;"
        " from=<a@example.org> to=<b@mail.example> proto=ESMTP helo=<client.example>"
    ) in server.log.lines


def test_a_check_that_cannot_tell_defers() -> None:
    class Broken(ListAccess):
        async def rcpt(self, session: Any) -> Reply | None:
            raise TemporaryError("table is gone", "4.3.5", "Server configuration problem")

    server = Server()
    server = Server(access=Broken(server.settings))
    assert started(server).replies(ENVELOPE)[1] == "451 4.3.5 Server configuration problem"
    assert "warning localhost[127.0.0.1]: table is gone" in server.log.lines


def test_a_fault_of_ours_ends_the_session_with_421(caplog: Any) -> None:
    class Faulty(ListAccess):
        async def mail(self, session: Any) -> Reply | None:
            raise ZeroDivisionError

    server = Server()
    server = Server(access=Faulty(server.settings))
    peer = started(server)
    assert peer.replies(b"MAIL FROM:<>\r\n") == ["421 4.3.0 mail.example Server local error"]
    assert peer.closed
    assert "error internal fault in the session of localhost[127.0.0.1]" in server.log.lines


def test_errors_slow_replies_down() -> None:
    server = Server({"smtpd_error_sleep_time": "1s", "smtpd_soft_error_limit": "2"})
    peer = started(server)
    assert len(peer.replies(b"FOO\r\nFOO\r\n")) == 2
    assert peer.say(b"FOO\r\n") == b""
    server.clock.advance(1)
    assert peer.replies() == ["500 5.5.2 Error: command not recognized"]
    assert peer.say(b"NOOP\r\n") == b""
    server.clock.advance(1)
    assert peer.replies() == ["250 2.0.0 Ok"]


def test_a_delivered_message_makes_up_for_errors() -> None:
    server = Server({"smtpd_hard_error_limit": "3"})
    peer = started(server)
    for _ in range(4):
        peer.say(b"FOO\r\nFOO\r\n" + MESSAGE)
        assert peer.replies(b".\r\n")[-1].startswith("250 2.0.0 Ok: queued")
    assert not peer.closed


def test_too_many_connections() -> None:
    server = Server({"smtpd_client_connection_count_limit": "2", "smtpd_client_event_limit_exceptions": ""})
    first, second = server.connect(), server.connect()
    third = server.connect()
    assert third.replies() == ["421 4.7.0 mail.example Error: too many connections from 127.0.0.1"]
    assert third.closed
    assert (
        "warning Connection concurrency limit exceeded: 3 from localhost[127.0.0.1] for service smtp"
        in server.log.lines
    )
    first.say(b"QUIT\r\n")
    assert server.connect().replies() == ["220 mail.example ESMTP Postfix"]
    assert not second.closed


def test_too_many_connections_in_time() -> None:
    server = Server({"smtpd_client_connection_rate_limit": "1", "smtpd_client_event_limit_exceptions": ""})
    server.connect().say(b"QUIT\r\n")
    refused = server.connect()
    assert refused.replies() == ["421 4.7.0 mail.example Error: too many connections from 127.0.0.1"]
    assert "warning Connection rate limit exceeded: 2 from localhost[127.0.0.1] for service smtp" in server.log.lines
    server.clock.advance(61)
    assert server.connect().replies() == ["220 mail.example ESMTP Postfix"]


def test_trusted_clients_have_no_limits() -> None:
    server = Server({"smtpd_client_connection_count_limit": "1", "mynetworks": "127.0.0.0/8"})
    assert all(server.connect().replies() == ["220 mail.example ESMTP Postfix"] for _ in range(5))


def test_an_unconfirmed_name_is_unknown() -> None:
    resolver = FakeResolver({"192.0.2.1": {"PTR": ["liar.example"]}, "liar.example": {"A": ["192.0.2.99"]}})
    server = Server(resolver=resolver)
    server.connect("192.0.2.1")
    assert server.log.lines == [
        "warning hostname liar.example does not resolve to address 192.0.2.1",
        "info connect from unknown[192.0.2.1]",
    ]


def test_a_name_server_that_fails_makes_the_client_unknown() -> None:
    server = Server(resolver=FakeResolver({"192.0.2.1": FAILS}))
    server.connect("192.0.2.1")
    assert server.log.lines == ["info connect from unknown[192.0.2.1]"]


def test_etrn_flushes() -> None:
    server = Server({"fast_flush_domains": "relay.example"})
    peer = started(server)
    assert peer.replies(b"ETRN relay.example\r\n") == ["250 Queuing started"]
    assert server.flushed == ["relay.example"]


def test_ipv6_clients_in_received() -> None:
    server = Server({"mynetworks": "[2001:db8::]/32"}, resolver=FakeResolver({}))
    peer = started(server, address="2001:db8::1")
    peer.say(MESSAGE)
    peer.say(b".\r\n")
    assert b"Received: from client.example (unknown [IPv6:2001:db8::1])\r\n\tby" in server.sink.messages[0].content
    assert "info connect from unknown[2001:db8::1]" in server.log.lines


def test_ipv4_in_ipv6_is_ipv4() -> None:
    server = Server()
    server.connect("::ffff:127.0.0.1")
    assert server.log.lines == ["info connect from localhost[127.0.0.1]"]


def test_the_client_may_be_kept_out_of_received() -> None:
    server = Server({"smtpd_hide_client_session": "yes"})
    peer = started(server)
    peer.say(MESSAGE)
    peer.say(b".\r\n")
    content = server.sink.messages[0].content
    assert content.startswith(b"Received: by mail.example (Postfix) id 0000000001\r\n\tfor <b@mail.example>; ")


def test_bare_newlines_may_be_noted() -> None:
    server = Server({"smtpd_forbid_bare_newline": "note", "smtpd_forbid_bare_newline_exclusions": ""})
    peer = started(server)
    peer.say(MESSAGE)
    peer.say(b"a\nb\r\n.\r\n")
    assert server.sink.messages[0].content.endswith(b"a\r\nb\r\n")
    assert "info 0000000001: bare <LF> received from localhost[127.0.0.1]" in server.log.lines


def test_policy_servers_see_the_state() -> None:
    seen = []

    class Watching(ListAccess):
        async def _note(self, session: Any, *_: Any) -> None:
            envelope = session.envelope
            seen.append(
                (
                    session.protocol_state,
                    envelope.sender if envelope else None,
                    session.recipient,
                    session.recipient_count,
                    session.queue_id,
                    session.size,
                )
            )

        connect = helo = mail = rcpt = data = end_of_data = _note

    server = Server()
    server = Server(access=Watching(server.settings))
    peer = started(server)
    peer.say(ENVELOPE + b"RCPT TO:<c@mail.example>\r\nDATA\r\n")
    peer.say(b"x\r\n.\r\n")
    queue_id = "0000000001"
    assert seen == [
        ("CONNECT", None, "", 0, "", 0),
        ("EHLO", None, "", 0, "", 0),
        ("MAIL", "a@example.org", "", 0, "", 0),
        ("RCPT", "a@example.org", "b@mail.example", 0, "", 0),
        ("RCPT", "a@example.org", "c@mail.example", 1, queue_id, 0),
        ("DATA", "a@example.org", "", 2, queue_id, 0),
        ("END-OF-MESSAGE", "a@example.org", "", 2, queue_id, 3),
    ]


def test_a_client_that_speaks_for_another_is_counted_as_itself() -> None:
    server = Server(
        {
            "smtpd_client_connection_count_limit": "1",
            "smtpd_client_event_limit_exceptions": "",
            "smtpd_authorized_xclient_hosts": "127.0.0.1",
        }
    )
    for _ in range(3):
        peer = started(server)
        command = b"XCLIENT ADDR=192.0.2.7 NAME=other.example\r\n"
        assert peer.replies(command) == ["220 mail.example ESMTP Postfix"]
        assert peer.replies(b"QUIT\r\n") == ["221 2.0.0 Bye"]
    assert server.log.lines[-1].startswith("info disconnect from other.example[192.0.2.7] ehlo=1 xclient=0/1 quit=1")


def test_too_many_sessions_are_stress_for_those_who_come_then():
    server = Server({"smtpd_timeout": "${stress?{10}:{300}}s", "smtpd_hard_error_limit": "${stress?{1}:{20}}"}, limit=2)
    early = [server.connect(port=number) for number in (1, 2)]
    for peer in early:
        peer.say(b"EHLO x\r\n")
    assert server.log.lines[2:] == []
    late = server.connect(port=3)
    assert server.log.lines[2] == 'warning service "smtp" has reached its process limit "2": stress=yes for new clients'
    assert next(peer.protocol for peer in (late,)).timeout == 10
    assert early[0].protocol.timeout == 300
    assert late.replies(b"FOO\r\n")[-1] == "421 4.7.0 mail.example Error: too many errors"
    early[0].leave()
    later = server.connect(port=4)  # there is room again, but stress lasts for a while
    assert later.protocol.timeout == 10
    for peer in (early[1], late, later):
        peer.leave()
    server.clock.advance(1001)
    assert server.connect(port=5).protocol.timeout == 300
    assert sum("process limit" in line for line in server.log.lines) == 1


def test_policy_servers_and_probes_know_of_stress():
    server = Server({}, limit=1)
    states = []

    class Access(type(server.access)):
        async def connect(self, session):
            states.append(session.stress)

    server.access.__class__ = Access
    server.connect(port=1)
    server.connect(port=2)
    assert states == ["", "yes"]


def test_a_counter_that_has_counted_nothing_is_shared_all_the_same():
    anvil = Anvil(lambda: 0.0)
    assert Server({}, anvil=anvil).factory.service.anvil is anvil
