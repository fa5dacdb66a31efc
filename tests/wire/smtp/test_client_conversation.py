"""The client's side of a conversation: what is said when, and what becomes of a transaction."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.wire.smtp.client import Conversation, Event, Failure, Step, Transaction
from mailer.wire.smtp.replies import GARBAGE

BODY = b"Subject: x\r\n\r\nhello\r\n"
MAIL, A, B, DATA = b"MAIL FROM:<s@x>\r\n", b"RCPT TO:<a@x>\r\n", b"RCPT TO:<b@x>\r\n", b"DATA\r\n"


def ready(pipelining=True, lmtp=False):
    talk = Conversation(lmtp)
    assert talk.step is Step.GREETING
    ((event, reply),) = talk.feed(b"220 hi\r\n")
    assert event is Event.REPLY and reply.code == 220
    talk.pipelining = pipelining
    assert talk.quiet and talk.step is None
    return talk


def message(rcpts=2, body=BODY, **more):
    return Transaction(MAIL[:-2], [A[:-2], B[:-2]][:rcpts], body, **more)


def finished(events):
    return [subject for event, subject in events if event is Event.FINISHED]


def test_a_message_with_pipelining_is_two_writes():
    talk, deal = ready(), message()
    talk.begin(deal)
    assert talk.take() == MAIL + A + B + DATA
    assert talk.feed(b"250 ok\r\n250 ok\r\n") == [] and talk.step is Step.RCPT
    assert talk.take() == b""
    assert talk.feed(b"550 no\r\n354 go\r\n") == []
    assert talk.take() == BODY + b".\r\n" and talk.step is Step.DOT
    assert finished(talk.feed(b"250 2.0.0 queued\r\n")) == [deal]
    assert (deal.mail_reply.code, [r.code for r in deal.rcpt_replies], deal.accepted) == (250, [250, 550], [0])
    assert deal.data_reply.code == 354 and [r.code for r in deal.replies] == [250] and deal.failure is None
    assert talk.quiet and talk.usable


def test_without_pipelining_each_command_waits():
    talk, deal = ready(pipelining=False), message()
    talk.begin(deal)
    for said, answer in ((MAIL, b"250 ok\r\n"), (A, b"250 ok\r\n"), (B, b"250 ok\r\n"), (DATA, b"354 go\r\n")):
        assert talk.take() == said and talk.take() == b""
        assert talk.feed(answer) == []
    assert talk.take() == BODY + b".\r\n"
    assert finished(talk.feed(b"250 ok\r\n")) == [deal]


def test_the_next_message_goes_out_with_the_end_of_the_one_before():
    talk, first, second = ready(), message(1), message(1)
    talk.begin(first), talk.begin(second)
    assert talk.take() == MAIL + A + DATA
    talk.feed(b"250 ok\r\n250 ok\r\n354 go\r\n")
    assert talk.take() == BODY + b".\r\n" + MAIL + A + DATA
    assert finished(talk.feed(b"250 first\r\n250 ok\r\n250 ok\r\n354 go\r\n")) == [first]
    assert talk.take() == BODY + b".\r\n"
    assert finished(talk.feed(b"250 second\r\n")) == [second]
    assert first.replies[0].text == "250 first" and second.replies[0].text == "250 second"


def test_a_message_begun_while_the_end_of_the_one_before_is_awaited_goes_out_at_once():
    talk, first, second = ready(), message(1), message(1)
    talk.begin(first)
    talk.feed(b"250 ok\r\n250 ok\r\n354 go\r\n")
    talk.take()
    talk.begin(second)
    assert talk.take() == MAIL + A + DATA


def test_without_pipelining_the_next_message_waits_for_the_end_of_the_one_before():
    talk, first, second = ready(pipelining=False), message(1), message(1)
    talk.begin(first), talk.begin(second)
    talk.feed(b"250 ok\r\n"), talk.feed(b"250 ok\r\n"), talk.feed(b"354 go\r\n")
    assert talk.take() == MAIL + A + DATA + BODY + b".\r\n"
    assert finished(talk.feed(b"250 ok\r\n")) == [first]
    assert talk.take() == MAIL


def test_content_that_is_not_at_hand_is_asked_for():
    talk, deal = ready(), message(1, None)
    talk.begin(deal), talk.take()
    assert talk.feed(b"250 ok\r\n250 ok\r\n354 go\r\n") == [(Event.CONTENT, deal)]
    assert talk.step is Step.BODY
    talk.body(b"one\r\n"), talk.body(b"two\r\n")
    assert talk.take() == b"one\r\ntwo\r\n"
    talk.end_body()
    assert talk.take() == b".\r\n" and talk.step is Step.DOT


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_refused_sender(pipelining):
    talk, deal = ready(pipelining), message()
    talk.begin(deal)
    if pipelining:
        events = talk.feed(b"550 no\r\n503 no\r\n503 no\r\n503 no\r\n")
        assert talk.take().endswith(b"DATA\r\nRSET\r\n")
    else:
        events = talk.feed(b"550 no\r\n")
        assert talk.take() == MAIL + b"RSET\r\n"
    assert finished(events) == [deal] and deal.mail_reply.code == 550 and deal.accepted == []
    assert talk.feed(b"250 reset\r\n") == [] and talk.quiet and talk.welcome


def test_nobody_accepted_but_the_server_waits_for_content():
    talk, deal = ready(), message()
    talk.begin(deal), talk.take()
    talk.feed(b"250 ok\r\n550 no\r\n450 no\r\n354 go\r\n")
    assert talk.take() == b".\r\n"
    assert finished(talk.feed(b"554 no recipients\r\n")) == [deal]
    assert [r.code for r in deal.rcpt_replies] == [550, 450]


def test_nobody_accepted_without_pipelining_ends_before_data():
    talk, deal = ready(pipelining=False), message(1, last=True)
    talk.begin(deal)
    talk.feed(b"250 ok\r\n")
    assert finished(talk.feed(b"550 no\r\n")) == [deal]
    assert talk.take() == MAIL + A + b"RSET\r\n"
    talk.feed(b"250 ok\r\n")
    assert talk.take() == b"QUIT\r\n" and not talk.usable


def test_data_refused():
    talk, deal = ready(), message()
    talk.begin(deal), talk.take()
    assert finished(talk.feed(b"250 ok\r\n250 ok\r\n250 ok\r\n451 no\r\n")) == [deal]
    assert deal.data_reply.code == 451 and deal.accepted == [0, 1] and talk.take() == b"RSET\r\n"


def test_the_last_message_takes_quit_along():
    talk, deal = ready(), message(1, last=True)
    talk.begin(deal), talk.take()
    talk.feed(b"250 ok\r\n250 ok\r\n354 go\r\n")
    assert talk.take() == BODY + b".\r\nQUIT\r\n" and not talk.usable
    assert talk.feed(b"250 ok\r\n221 bye\r\n") == [(Event.FINISHED, deal), (Event.CLOSED, None)]
    talk.quit()
    assert talk.take() == b""


def test_lmtp_has_one_reply_for_each_accepted_recipient():
    talk, deal = ready(lmtp=True), message()
    talk.begin(deal), talk.take()
    talk.feed(b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n")
    assert talk.feed(b"250 a\r\n") == []
    assert finished(talk.feed(b"452 b\r\n")) == [deal]
    assert [r.code for r in deal.replies] == [250, 452]


def test_lmtp_with_one_of_two_accepted_waits_for_one_reply():
    talk, deal = ready(lmtp=True), message()
    talk.begin(deal), talk.take()
    talk.feed(b"250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n")
    assert finished(talk.feed(b"250 b\r\n")) == [deal] and deal.accepted == [1]


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_probe_ends_after_the_recipients(pipelining):
    talk, deal = ready(pipelining), message(2, None, stop=Step.RCPT, last=True)
    talk.begin(deal)
    events = [event for reply in (b"250 ok\r\n", b"250 ok\r\n", b"550 no\r\n") for event in talk.feed(reply)]
    assert finished(events) == [deal] and deal.accepted == [0]
    talk.feed(b"250 reset\r\n")
    assert talk.take() == MAIL + A + B + b"RSET\r\nQUIT\r\n"


def test_a_probe_of_data_ends_there_and_leaves_nothing_but_to_close():
    talk, deal = ready(), message(1, None, stop=Step.DATA)
    talk.begin(deal)
    assert finished(talk.feed(b"250 ok\r\n250 ok\r\n354 go\r\n")) == [deal]
    assert talk.take() == MAIL + A + DATA and not talk.usable


def test_refusals_before_mail_change_nothing():
    talk = ready()
    deal = message(1, preamble=((b"XFORWARD NAME=x", Step.XFORWARD_NAME), (b"XFORWARD HELO=x", Step.XFORWARD_HELO)))
    talk.begin(deal)
    assert talk.take().startswith(b"XFORWARD NAME=x\r\nXFORWARD HELO=x\r\nMAIL")
    talk.feed(b"250 ok\r\n501 no\r\n250 ok\r\n250 ok\r\n354 go\r\n")
    assert finished(talk.feed(b"250 ok\r\n")) == [deal]
    assert [(step, reply.code) for step, reply in deal.refused] == [(Step.XFORWARD_HELO, 501)]


STEPS = [
    (b"", Step.MAIL),
    (b"250 ok\r\n", Step.RCPT),
    (b"250 ok\r\n250 ok\r\n250 ok\r\n", Step.DATA),
    (b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", Step.DOT),
]


@pytest.mark.parametrize("failure", list(Failure))
@pytest.mark.parametrize("answers, step", STEPS)
@pytest.mark.parametrize("pipelining", [True, False])
def test_a_break_at_every_step(failure, answers, step, pipelining):
    talk, deal = ready(pipelining), message()
    talk.begin(deal)
    for answer in answers.splitlines(keepends=True):
        talk.feed(answer)
    events = talk.fail(failure)
    assert finished(events) == [deal] and events[-1] == (Event.CLOSED, None)
    assert (deal.failure, deal.step, deal.answered) == (failure, step, bool(answers))
    assert not talk.usable and talk.fail(failure)[:-1] == []


def test_a_break_while_content_is_sent():
    talk, deal = ready(), message(1, None)
    talk.begin(deal)
    talk.feed(b"250 ok\r\n250 ok\r\n354 go\r\n")
    talk.fail(Failure.TIMEOUT)
    assert (deal.failure, deal.step) == (Failure.TIMEOUT, Step.BODY)


def test_a_break_between_lmtp_replies_leaves_those_that_came():
    talk, deal = ready(lmtp=True), message()
    talk.begin(deal)
    talk.feed(b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 a\r\n")
    talk.fail(Failure.LOST)
    assert [r.code for r in deal.replies] == [250] and deal.step is Step.DOT and deal.failure is Failure.LOST


def test_a_break_with_two_messages_under_way_tells_them_apart():
    talk, first, second = ready(), message(1), message(1)
    talk.begin(first), talk.begin(second)
    talk.feed(b"250 ok\r\n250 ok\r\n354 go\r\n")
    assert finished(talk.fail(Failure.LOST)) == [first, second]
    assert (first.step, first.answered) == (Step.DOT, True)
    assert (second.step, second.answered) == (Step.MAIL, False)


def test_421_is_a_reply_and_a_farewell():
    talk, deal = ready(), message()
    talk.begin(deal)
    talk.feed(b"250 ok\r\n421 enough\r\n")
    assert not talk.welcome and deal.rcpt_replies[0].code == 421
    talk.fail(Failure.LOST)
    assert deal.step is Step.RCPT and len(deal.rcpt_replies) == 1


def test_a_farewell_that_nobody_asked_for_ends_an_idle_conversation():
    talk = ready()
    assert talk.feed(b"421 timeout\r\n") == [(Event.CLOSED, None)]
    assert not talk.usable


def test_closing_an_idle_conversation_is_no_failure():
    talk = ready()
    assert talk.fail(Failure.LOST) == [(Event.CLOSED, None)] and talk.failure is None


def test_lines_that_are_no_replies_are_remarked_and_passed_over():
    talk, deal = ready(), message(1)
    talk.begin(deal), talk.take()
    ((event, reply),) = talk.feed(b"what?\r\n250 ok\r\n")
    assert event is Event.REMARK and reply.code == GARBAGE and talk.step is Step.RCPT


def test_commands_outside_of_transactions_are_answered_by_events():
    talk = Conversation()
    talk.feed(b"220 hi\r\n")
    talk.command(b"EHLO me", Step.EHLO)
    assert talk.take() == b"EHLO me\r\n" and talk.step is Step.EHLO
    ((event, reply),) = talk.feed(b"250-a\r\n250 b\r\n")
    assert event is Event.REPLY and reply.text == "250-a\n250 b"


REPLIES = [b"250 ok\r\n", b"354 go\r\n", b"450 later\r\n", b"550 no\r\n", b"421 bye\r\n", b"huh\r\n"]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("lmtp", [True, False])
def test_every_sequence_of_replies_ends_in_exactly_one_result(pipelining, lmtp):
    for sequence in itertools.product(REPLIES[:4], repeat=5):
        talk, deal = ready(pipelining, lmtp), message()
        talk.begin(deal)
        by_reply = [each for reply in sequence for each in finished(talk.feed(reply))]
        by_loss = finished(talk.fail(Failure.LOST))
        assert by_reply + by_loss == [deal]
        assert (deal.failure is Failure.LOST) == bool(by_loss)
        assert len(deal.rcpt_replies) <= 2 and set(deal.accepted) <= {0, 1}


@given(
    st.lists(st.sampled_from(REPLIES), max_size=20),
    st.booleans(),
    st.booleans(),
    st.integers(1, 3),
    st.sampled_from(list(Failure)),
)
def test_whatever_a_server_says_each_message_ends_once(answers, pipelining, lmtp, count, failure):
    talk = ready(pipelining, lmtp)
    deals = [message(1 + n % 2, BODY if n % 2 else None) for n in range(count)]
    for deal in deals:
        talk.begin(deal)
    ended = []
    for answer in answers:
        for event, subject in talk.feed(answer):
            if event is Event.FINISHED:
                ended.append(subject)
            elif event is Event.CONTENT:
                talk.body(b"x\r\n")
                talk.end_body()
    ended += finished(talk.fail(failure))
    assert ended == deals
    assert not talk.usable and talk.transactions == 0


@given(st.binary(max_size=200))
def test_octets_from_anywhere_do_no_harm(octets):
    talk, deal = ready(), message()
    talk.begin(deal)
    ended = [each for n in range(0, len(octets), 5) for each in finished(talk.feed(octets[n : n + 5]))]
    assert ended + finished(talk.fail(Failure.LOST)) == [deal]
