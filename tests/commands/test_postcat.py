"""postcat: the records that Postfix 3.7 would show; expected texts were taken from there."""

import os
import time

import pytest
from queues import Bench, Tools

from mailer.commands import postcat
from mailer.message.envelope import Client, Envelope, Notify, Recipient
from mailer.message.status import Outcome

CLIENT = Client("localhost", "127.0.0.1", "33698", "localhost", "me.example", "ESMTP")
#: Postfix said 843 for the same message with a server address and port (26 and 18 octets), a queue id of 11 digits, six digits
#: of microseconds, and the alias as short as the address.
OFFSET = 843 - 26 - 18 + 2 - 5 + 2 * 4
CONTENT = b"Subject: x\r\n folded\r\nTo: c@example.org\r\n\r\nbody \xe9 1\r\n\r\n.dot\r\nlast: line\r\n"
ENVELOPE = """\
*** ENVELOPE RECORDS deferred/0/0000000000001 ***
message_size: {size:15d} {offset:15d}               3              14 {size:15d}               0
message_arrival_time: Tue Nov 14 22:13:20 2023
create_time: Tue Nov 14 22:13:20 2023
named_attribute: log_ident=0000000000001
named_attribute: rewrite_context=local
named_attribute: envelope_id=abc+
named_attribute: ret_flags=2
sender: s@b.example
named_attribute: encoding=8bit
named_attribute: log_client_name=localhost
named_attribute: log_client_address=127.0.0.1
named_attribute: log_client_port=33698
named_attribute: log_message_origin=localhost[127.0.0.1]
named_attribute: log_helo_name=me.example
named_attribute: log_protocol_name=ESMTP
named_attribute: client_name=localhost
named_attribute: reverse_client_name=localhost
named_attribute: client_address=127.0.0.1
named_attribute: client_port=33698
named_attribute: helo_name=me.example
named_attribute: protocol_name=ESMTP
named_attribute: client_address_type=2
named_attribute: notify_flags=6
named_attribute: dsn_orig_rcpt=rfc822;orig@z.example
original_recipient: c@z.example
done_recipient: c@z.example
named_attribute: notify_flags=1
named_attribute: dsn_orig_rcpt=rfc822;d@z.example
original_recipient: d@z.example
recipient: d@z.example
named_attribute: dsn_orig_rcpt=rfc822;alias@z.example
original_recipient: alias@z.example
recipient: e@z.example
"""
CONTENTS = "*** MESSAGE CONTENTS deferred/0/0000000000001 ***\n"
HEADER = "Subject: x\n folded\nTo: c@example.org\n"
BODY = "\nbody \udce9 1\n\n.dot\nlast: line\n"
END = """\
*** HEADER EXTRACTED deferred/0/0000000000001 ***
named_attribute: encoding=8bit
*** MESSAGE FILE END deferred/0/0000000000001 ***
"""


@pytest.fixture
def bench(tmp_path, capfdbinary, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    (tmp_path / "q").mkdir()
    bench = Bench(tmp_path / "q")
    bench.tools = Tools(tmp_path, bench.directory, capfdbinary)
    yield bench
    for queue in list(bench.queues):
        bench.stop(queue)
    monkeypatch.undo()
    time.tzset()


def run(bench, *arguments):
    status, out, error = bench.tools.run(postcat.main, *arguments)
    return status, out.decode("utf-8", "surrogateescape"), error.decode()


@pytest.fixture
def message(bench):
    queue, _ = bench.queue(serial=0)
    envelope = Envelope("s@b.example", CLIENT, context="local", body="8BITMIME", ret="HDRS", envid="abc+")
    envelope.arrival = bench.now
    writer = queue.open(envelope)
    writer.recipient(Recipient("c@z.example", "", Notify.SUCCESS | Notify.FAILURE, "rfc822;orig@z.example"))
    writer.recipient(Recipient("d@z.example", "", Notify.NEVER))
    writer.recipient(Recipient("e@z.example", "alias@z.example"))
    writer.write(CONTENT)
    queue_id = bench.run(writer.commit())
    bench.run(queue.flushed())
    queue.record(queue_id, [(1, Outcome.sent("ok"))])
    queue.defer(queue_id, bench.now + 1000)
    bench.run(queue.flushed())
    return queue_id


def envelope_text():
    return ENVELOPE.format(size=len(CONTENT), offset=OFFSET)


def test_everything(bench, message):
    assert run(bench, "-q", message) == (0, envelope_text() + CONTENTS + HEADER + BODY + END, "")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("-e", lambda: envelope_text() + CONTENTS + END),
        ("-h", lambda: HEADER),
        ("-b", lambda: BODY),
        ("-bh", lambda: HEADER + BODY),
        ("-eh", lambda: envelope_text() + CONTENTS + HEADER + END),
        ("-eb", lambda: envelope_text() + CONTENTS + BODY + END),
        ("-beh", lambda: envelope_text() + CONTENTS + HEADER + BODY + END),
    ],
)
def test_parts(bench, message, flags, expected):
    assert run(bench, "-q", flags, message) == (0, expected(), "")


def test_record_types(bench, message):
    lines = run(bench, "-qd", message)[1].splitlines()
    assert [line[:26] for line in lines[:4]] == [
        "*** ENVELOPE RECORDS defer", " 67 message_size:         ", " 84 message_arrival_time: ", " 65 create_time: Tue Nov 1",
    ]  # fmt: skip
    assert " 68 done_recipient: c@z.example" in lines
    assert " 82 recipient: e@z.example" in lines
    assert " 79 original_recipient: alias@z.example" in lines
    assert " 83 sender: s@b.example" in lines
    assert " 78 Subject: x" in lines
    assert lines[-3:] == [
        " 88 *** HEADER EXTRACTED deferred/0/0000000000001 ***",
        " 65 named_attribute: encoding=8bit",
        " 69 *** MESSAGE FILE END deferred/0/0000000000001 ***",
    ]


def test_offsets(bench, message):
    lines = run(bench, "-qo", message)[1].splitlines()
    offsets = [int(line[:9]) for line in lines[1:]]
    assert offsets[:3] == [0, 97, 97 + 2 + len("1700000000 0")]
    assert offsets == sorted(offsets)
    marker = next(line for line in lines if "MESSAGE CONTENTS" in line)
    first = next(line for line in lines if "Subject: x" in line)
    assert int(first[:9]) == int(marker[:9]) + 2 == OFFSET


def test_long_lines_are_joined_unless_offsets_tell_their_pieces_apart(bench):
    queue, _ = bench.queue()
    queue_id = bench.put(queue, content=b"X: y\r\n\r\n" + b"z" * 3000 + b"\r\n")
    assert run(bench, "-qb", queue_id)[1] == "\n" + "z" * 3000 + "\n"
    assert run(bench, "-qbd", queue_id)[1] == " 78 \n 76 " + "z" * 2048 + " 78 " + "z" * 952 + "\n"
    assert len(run(bench, "-qbo", queue_id)[1].splitlines()) == 3


def test_content_in_a_file(bench):
    queue, _ = bench.queue()
    content = b"Subject: big\r\n\r\n" + b"0123456789\r\n" * 10_000
    queue_id = bench.put(queue, content=content)
    assert run(bench, "-qbh", queue_id)[1].encode() == content.replace(b"\r\n", b"\n")


def test_content_without_header_lines(bench):
    queue, _ = bench.queue()
    queue_id = bench.put(queue, content=b"no header here\r\nx: y\r\n")
    assert run(bench, "-qh", queue_id)[1] == ""
    assert run(bench, "-qb", queue_id)[1] == "no header here\nx: y\n"


def test_local_mail_and_what_filters_asked_for(bench):
    queue, _ = bench.queue()
    bench.tools.settings("delay_warning_time = 1h")
    queue_id = bench.put(
        queue, source="local", context="local", fullname="Full Name", verp="+=", filter="smtp:[127.0.0.1]:9",
        redirect="new@z.example", hold="why",
    )  # fmt: skip
    lines = run(bench, "-qe", queue_id)[1].splitlines()
    assert lines[2:] == [
        "message_arrival_time: Tue Nov 14 22:13:20 2023",
        "create_time: Tue Nov 14 22:13:20 2023",
        "named_attribute: rewrite_context=local",
        "sender_fullname: Full Name",
        "sender: s@example.com",
        "verp_delimiters: +=",
        "warning_message_time: Tue Nov 14 23:13:20 2023",
        "named_attribute: dsn_orig_rcpt=rfc822;r@example.org",
        "original_recipient: r@example.org",
        "recipient: r@example.org",
        f"*** MESSAGE CONTENTS hold/{queue_id} ***",
        f"*** HEADER EXTRACTED hold/{queue_id} ***",
        "content_filter: smtp:[127.0.0.1]:9",
        "redirect_to: new@z.example",
        f"*** MESSAGE FILE END hold/{queue_id} ***",
    ]


def test_complaints(bench, message):
    assert run(bench, "-q", "bad/id") == (1, "", "postcat: fatal: bad mail queue ID: bad/id\n")
    missing = "postcat: fatal: open queue file NOSUCH: No such file or directory\n"
    assert run(bench, "-q", "NOSUCH") == (1, "", missing)
    status, out, error = run(bench, "-qh", message, "NOSUCH")
    assert (status, out, error) == (1, HEADER, missing)
    assert run(bench, "-q") == (0, "", "")
    assert run(bench, "-z")[2].startswith("postcat: invalid option -- 'z'\npostcat: fatal: usage: postcat [-b (body")


def test_before_the_first_server(bench):
    missing = "postcat: fatal: open queue file ABC: No such file or directory\n"
    assert run(bench, "-q", "ABC") == (1, "", missing)


def test_files_are_not_ours(bench, tmp_path):
    path = tmp_path / "file"
    assert run(bench, str(path)) == (1, "", f"postcat: fatal: open {path}: No such file or directory\n")
    path.write_text("x")
    assert run(bench, str(path)) == (0, "", f"postcat: warning: {path}: input is not a valid queue file\n")


def test_a_damaged_message(bench, message):
    import sqlite3

    path = os.path.join(bench.directory, "mailer", "queue.sqlite")
    sqlite3.connect(path, isolation_level=None).execute("UPDATE message SET envelope = '{'")
    status, out, error = run(bench, "-q", message)
    assert (status, out) == (1, "")
    assert error.startswith(f"postcat: fatal: queue file {message}: ")
