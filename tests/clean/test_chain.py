"""What the chain does beside changing messages: waiting, holding, failing, leaving nothing behind."""

import tracemalloc

import pytest
from clean_vector import NOW, Bench
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from mailer.interfaces.sink import IMessageSink, IMessageWriter
from mailer.message.envelope import Client, Envelope, Notify, Recipient
from mailer.message.status import MailError, PermanentError, TemporaryError
from mailer.testing.tables import MemoryTable, answer

MESSAGE = b"From: a@x.example\r\nMessage-Id: <m@x>\r\nDate: d\r\nSubject: s\r\n\r\nbody\r\n"


def envelope(**fields):
    client = Client("client.example", "192.0.2.1", helo="client.example", protocol="ESMTP")
    return Envelope(**{"sender": "s@x.example", "client": client, "context": "local", "arrival": NOW, **fields})


class Slow(MemoryTable):
    """Answers when the test says so."""

    def __init__(self, entries):
        super().__init__(entries)
        self.waiting = []

    async def lookup(self, key):
        turn = Deferred()
        self.waiting.append((key, turn))
        await turn
        return await super().lookup(key)

    def go(self, error=None):
        key, turn = self.waiting.pop(0)
        turn.errback(error) if error else turn.callback(None)
        return key


class Producer:
    def __init__(self):
        self.calls = []

    def pause(self):
        self.calls.append("pause")

    def resume(self):
        self.calls.append("resume")


class SlowBench(Bench):
    """A bench one of whose tables, ``inline:{slow=x}``, takes its time."""

    def __init__(self, settings, entries):
        self.table = Slow(entries)
        super().__init__(settings)

    def __setattr__(self, name, value):
        if name == "context":
            value.tables._tables["slow:table"] = self.table
        super().__setattr__(name, value)


def started(coroutine):
    """A Deferred of the coroutine, and what came of it: a list, empty while it waits."""
    results = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    return results


def only(bench):
    (entry,) = bench.queue.entries.values()
    return entry


def text(entry):
    return entry.content.inline


def test_interfaces():
    bench = Bench("")
    verifyObject(IMessageSink, bench.sink)
    verifyObject(IMessageWriter, bench.sink.open(envelope()))


def test_the_queue_id_is_known_from_the_start():
    bench = Bench("")
    writer = bench.sink.open(envelope())
    writer.recipient(Recipient("r@y.example"))
    writer.write(MESSAGE)
    assert answer(writer.commit()) == writer.queue_id == only(bench).queue_id


def test_an_intact_message_passes_octet_for_octet():
    bench = Bench("")
    writer = bench.sink.open(envelope())
    writer.recipient(Recipient("r@y.example"))
    writer.write(MESSAGE)
    answer(writer.commit())
    assert text(only(bench)) == MESSAGE


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize(("replaces", "body"), [("yes", b"a b \r\n c \r\n"), ("no", b"a\rb\r\r\n\rc\r\r\n")])
def test_a_carriage_return_that_ends_no_line(size, replaces, body):
    bench = Bench(f"cleanup_replace_stray_cr_lf = {replaces}\n")
    writer = bench.sink.open(envelope())
    writer.recipient(Recipient("r@y.example"))
    content = MESSAGE + b"a\rb\r\r\n\rc\r\r\n"
    for at in range(0, len(content), size):
        writer.write(content[at : at + size])
    answer(writer.commit())
    assert text(only(bench)) == MESSAGE + body


def test_the_recipient_of_a_notice_is_named_in_full():
    bench = Bench("myorigin = x.example\n")
    writer = bench.sink.open(envelope(source="notify"))
    writer.recipient(Recipient("postmaster", "postmaster"))
    writer.write(MESSAGE)
    answer(writer.commit())
    assert only(bench).everyone[0].orcpt == "rfc822;postmaster@x.example"


def test_the_null_address_has_a_recipient():
    bench = Bench("myorigin = x.example\nempty_address_recipient = boss\n")
    writer = bench.sink.open(envelope())
    writer.recipient(Recipient("", ""))
    writer.write(MESSAGE)
    answer(writer.commit())
    (recipient,) = only(bench).everyone
    assert (recipient.address, recipient.original) == ("boss@x.example", "boss@x.example")


def test_prepended_fields_stand_on_top():
    bench = Bench("")
    message = envelope()
    writer = bench.sink.open(message)
    writer.recipient(Recipient("r@y.example"))
    message.prepend += [b"X-First: 1", b"X-Second: 2\r\n"]
    writer.write(MESSAGE)
    answer(writer.commit())
    assert text(only(bench)) == b"X-First: 1\r\nX-Second: 2\r\n" + MESSAGE
    assert message.prepend == []


def test_a_discarded_message_is_nowhere():
    bench = Bench("")
    message = envelope()
    writer = bench.sink.open(message)
    writer.recipient(Recipient("r@y.example"))
    writer.write(MESSAGE)
    message.discard = "because"
    assert answer(writer.commit()) == ""
    assert bench.queue.entries == {} and bench.queue.aborted == 1


def test_discard_by_the_last_line():
    bench = Bench("body_checks = regexp:{{/^gone/ DISCARD}}\n")
    writer = bench.sink.open(envelope())
    writer.recipient(Recipient("r@y.example"))
    writer.write(MESSAGE)
    writer.write(b"gone\r\n")
    assert answer(writer.commit()) == ""
    assert bench.queue.entries == {} and bench.queue.aborted == 1


def test_discard_in_a_message_that_is_all_header():
    bench = Bench("header_checks = regexp:{{/^Subject/ DISCARD}}\n")
    writer = bench.sink.open(envelope())
    writer.recipient(Recipient("r@y.example"))
    writer.write(b"Subject: s\r\n")
    assert answer(writer.commit()) == ""
    assert bench.queue.entries == {}


@pytest.mark.parametrize("late", [False, True], ids=["at once", "when the queue commits"])
def test_a_refused_message_leaves_nothing_behind(late):
    bench = Bench("" if late else "header_checks = regexp:{{/^Subject/ REJECT}}\n")
    bench.queue.failure = PermanentError("no") if late else None
    writer = bench.sink.open(envelope())
    writer.recipient(Recipient("r@y.example"))
    writer.write(MESSAGE)
    with pytest.raises(MailError):
        answer(writer.commit())
    assert bench.queue.entries == {}


def test_nobody_to_send_it_to():
    bench = Bench("")
    writer = bench.sink.open(envelope())
    writer.write(MESSAGE)
    with pytest.raises(PermanentError) as caught:
        answer(writer.commit())
    assert str(caught.value.reply) == "550 5.1.0 no recipients specified"
    assert bench.queue.entries == {}


def test_abort_forgets_everything():
    bench = Bench("")
    writer = bench.sink.open(envelope())
    writer.recipient(Recipient("r@y.example"))
    writer.write(MESSAGE)
    writer.abort()
    writer.abort()
    assert bench.queue.entries == {} and bench.queue.aborted == 1


def test_a_queue_that_takes_nothing_now():
    bench = Bench("")
    bench.queue.refusal = TemporaryError("full", "4.3.1", "Insufficient system storage", 452)
    with pytest.raises(TemporaryError):
        bench.sink.open(envelope())


def test_content_is_held_in_order_while_a_table_thinks():
    bench = SlowBench("sender_canonical_maps = slow:table\n", {"a@x.example": "b@x.example"})
    producer = Producer()
    writer = bench.sink.open(envelope(sender=""), producer)
    writer.recipient(Recipient("r@y.example"))
    writer.write(MESSAGE)
    writer.write(b"second\r\n")
    assert producer.calls == ["pause"]
    writer.write(b"third\r\n")
    results = started(writer.commit())
    assert results == []
    while not results:
        bench.table.go()
    assert producer.calls == ["pause", "resume"]
    assert results == [writer.queue_id]
    assert text(only(bench)) == MESSAGE.replace(b"a@x", b"b@x") + b"second\r\nthird\r\n"


def test_envelope_lookups_overlap_with_the_content():
    bench = SlowBench("virtual_alias_maps = slow:table\n", {"r@y.example": "one@z.example, two@z.example"})
    writer = bench.sink.open(envelope())
    writer.recipient(Recipient("r@y.example"))
    writer.write(MESSAGE)
    assert [key for key, _ in bench.table.waiting] == ["r@y.example"]
    writer.recipient(Recipient("late@y.example"))
    results = started(writer.commit())
    while not results:
        bench.table.go()
    assert [r.address for r in only(bench).everyone] == ["one@z.example", "two@z.example", "late@y.example"]


def test_a_table_that_fails_while_content_is_held():
    bench = SlowBench("virtual_alias_maps = slow:table\n", {})
    producer = Producer()
    writer = bench.sink.open(envelope(), producer)
    writer.recipient(Recipient("r@y.example"))
    writer.write(MESSAGE)
    writer.write(b"more\r\n")
    bench.table.go(TemporaryError("down"))
    writer.write(b"and more\r\n")
    assert producer.calls == ["pause", "resume"]
    (failure,) = started(writer.commit())
    assert str(failure.value.reply) == "451 4.3.0 Error: queue file write error"
    assert bench.queue.entries == {} and bench.queue.aborted == 1


def test_abort_while_a_table_thinks():
    bench = SlowBench("virtual_alias_maps = slow:table\n", {})
    writer = bench.sink.open(envelope())
    writer.recipient(Recipient("r@y.example"))
    writer.write(MESSAGE)
    writer.abort()
    while bench.table.waiting:
        bench.table.go()
    assert bench.queue.entries == {} and bench.queue.aborted == 1


def test_an_error_nobody_foresaw_is_not_swallowed():
    bench = SlowBench("virtual_alias_maps = slow:table\n", {})
    writer = bench.sink.open(envelope())
    writer.recipient(Recipient("r@y.example"))
    writer.write(MESSAGE)
    bench.table.go(ZeroDivisionError("a bug"))
    (failure,) = started(writer.commit())
    assert failure.check(ZeroDivisionError)
    assert bench.queue.entries == {}


def test_a_big_body_takes_no_memory():
    class Nowhere:
        queue_id = "ABC"
        octets = 0

        def open(self, envelope, producer=None):
            return self

        def recipient(self, recipient):
            pass

        def write(self, chunk):
            self.octets += len(chunk)

        async def commit(self):
            return self.queue_id

        def abort(self):
            pass

    nowhere = Nowhere()
    bench = Bench("message_size_limit = 0\nbody_checks = regexp:{{/never/ REJECT}}\n")
    bench.sink._queue = nowhere
    writer = bench.sink.open(envelope())
    writer.recipient(Recipient("r@y.example"))
    content_type = b"Content-Type: multipart/mixed; boundary=b\r\n"
    tracemalloc.start()
    writer.write(content_type + MESSAGE)
    chunk = (b"--x" + b"y" * 60 + b"\r\n") * 1000
    for _ in range(300):
        writer.write(chunk)
    for _ in range(100):
        writer.write(b"z" * 65536)
    answer(writer.commit())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert nowhere.octets == len(content_type + MESSAGE) + 300 * len(chunk) + 100 * 65536
    assert peak < 3_000_000


def test_the_size_limit_reads_to_the_end_and_keeps_nothing():
    bench = Bench("message_size_limit = 1000\n")
    writer = bench.sink.open(envelope())
    writer.recipient(Recipient("r@y.example"))
    writer.write(MESSAGE)
    for _ in range(100):
        writer.write(b"x" * 100 + b"\r\n")
    with pytest.raises(PermanentError) as caught:
        answer(writer.commit())
    assert str(caught.value.reply) == "552 5.3.4 Error: message file too big"
    assert bench.queue.entries == {} and bench.queue.aborted == 1


ALL_MAPS = """\
canonical_maps = inline:{s@x.example=c@x.example, r@y.example=cr@y.example}
virtual_alias_maps = inline:{cr@y.example=v@y.example}
always_bcc = all@x.example
recipient_bcc_maps = inline:{cr@y.example=rb@x.example}
masquerade_domains = x.example
header_checks = regexp:{{/^Subject/ WARN seen}}
body_checks = regexp:{{/^body/ WARN seen}}
"""


def recipients(bench, **fields):
    writer = bench.sink.open(envelope(**fields))
    writer.recipient(Recipient("r@y.example"))
    writer.write(MESSAGE)
    answer(writer.commit())
    entry = only(bench)
    bench.queue.entries.clear()
    return [r.address for r in entry.everyone], entry


def test_all_the_maps():
    bench = Bench(ALL_MAPS)
    addresses, entry = recipients(bench)
    assert addresses == ["v@y.example", "rb@x.example", "all@x.example"]
    assert entry.envelope.sender == "c@x.example"
    assert sum("seen" in line for line in bench.log.lines) == 2


def test_no_address_mappings():
    addresses, entry = recipients(Bench(ALL_MAPS), overrides=frozenset(["no_address_mappings"]))
    assert addresses == ["r@y.example"] and entry.envelope.sender == "s@x.example"


def test_no_header_body_checks():
    bench = Bench(ALL_MAPS)
    recipients(bench, overrides=frozenset(["no_header_body_checks"]))
    assert not any("seen" in line for line in bench.log.lines)


@pytest.mark.parametrize("source", ["notify", "forward"])
def test_mail_of_our_own_is_not_copied(source):
    assert recipients(Bench(ALL_MAPS), source=source)[0] == ["v@y.example"]


def test_forwarded_mail_is_not_checked_again():
    bench = Bench(ALL_MAPS)
    recipients(bench, source="forward")
    assert not any("seen" in line for line in bench.log.lines)


def test_lists_that_asked_for_success_are_told_of_apart():
    bench = Bench("virtual_alias_maps = inline:{ { l@y.example=a@z.example b@z.example } }\n")
    message = envelope()
    writer = bench.sink.open(message)
    writer.recipient(Recipient("l@y.example", "L@y.example", Notify.SUCCESS | Notify.FAILURE, "rfc822;x"))
    writer.recipient(Recipient("p@y.example", "", Notify.SUCCESS))
    writer.write(MESSAGE)
    answer(writer.commit())
    assert message.expanded == [["l@y.example", "rfc822;x", "L@y.example"]]
    assert [(r.address, r.notify) for r in only(bench).everyone] == [
        ("a@z.example", Notify.FAILURE),
        ("b@z.example", Notify.FAILURE),
        ("p@y.example", Notify.SUCCESS),
    ]


@pytest.mark.parametrize(
    "fields, content, needed",
    [
        ({"source": "local"}, MESSAGE, False),
        ({"source": "local"}, MESSAGE.replace(b"Subject: s", "Subject: ä".encode()), True),
        ({"source": "local", "sender": "ä@x.example"}, MESSAGE, True),
        ({"source": "smtp"}, MESSAGE.replace(b"Subject: s", "Subject: ä".encode()), False),
        ({"source": "smtp", "probe": "verify", "sender": "ä@x.example"}, MESSAGE, True),
        ({"source": "smtp", "smtputf8": True}, MESSAGE, True),
    ],
)
def test_smtputf8_is_detected_where_nobody_could_ask_for_it(fields, content, needed):
    bench = Bench("")
    message = envelope(**fields)
    writer = bench.sink.open(message)
    writer.recipient(Recipient("r@y.example"))
    writer.write(content)
    answer(writer.commit())
    assert message.smtputf8 is needed


def test_smtputf8_detection_can_be_off():
    bench = Bench("smtputf8_enable = no\n")
    message = envelope(source="local")
    writer = bench.sink.open(message)
    writer.recipient(Recipient("ä@y.example"))
    writer.write(MESSAGE)
    answer(writer.commit())
    assert message.smtputf8 is False


def test_the_duplicate_filter_forgets_beyond_its_limit():
    bench = Bench("duplicate_filter_limit = 2\n")
    writer = bench.sink.open(envelope())
    for name in "abcca":
        writer.recipient(Recipient(f"{name}@y.example"))
    writer.write(MESSAGE)
    answer(writer.commit())
    assert [r.address[0] for r in only(bench).everyone] == ["a", "b", "c", "c"]


def test_a_redirected_message_has_one_recipient():
    bench = Bench("")
    message = envelope()
    writer = bench.sink.open(message)
    for name in "ab":
        writer.recipient(Recipient(f"{name}@y.example"))
    writer.write(MESSAGE)
    message.redirect = "other"
    answer(writer.commit())
    assert [(r.address, r.original) for r in only(bench).everyone] == [("other@mail.home.example", "a@y.example")]


def test_hold_is_kept_on_the_envelope():
    bench = Bench("header_checks = regexp:{{/^Subject/ HOLD}}\n")
    _, entry = recipients(bench)
    assert entry.state == "hold" and entry.envelope.hold


def test_what_has_been_logged_is_not_told_again():
    bench = Bench("virtual_alias_maps = fail:x\nvirtual_alias_domains =\n")
    writer = bench.sink.open(envelope())
    writer.recipient(Recipient("r@y.example"))
    writer.write(MESSAGE)
    with pytest.raises(TemporaryError) as caught:
        answer(writer.commit())
    assert caught.value.cause == ""
    assert any("virtual_alias_maps map lookup problem for r@y.example" in line for line in bench.log.lines)
