"""sendmail(1): options, what lands in the maildrop, what is said, exit codes."""

import io
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest
from zope.interface.verify import verifyObject

from mailer.commands import mailq, sendmail
from mailer.commands.standalone import EVERYTHING, MaildropSink
from mailer.config.load import load
from mailer.interfaces.access import IAccess
from mailer.interfaces.sink import IMessageSink, IMessageWriter
from mailer.master.directories import prepare
from mailer.message.envelope import Envelope, Notify, Recipient
from mailer.message.status import TemporaryError
from mailer.receive.maildrop import maildrop_directory, names, take

MESSAGE = b"Subject: x\n\nbody\n"


class Instance:
    def __init__(self, directory, monkeypatch, capfd):
        self.directory, self.monkeypatch, self.capfd = directory, monkeypatch, capfd
        (directory / "main.cf").write_text(
            "compatibility_level = 3.6\n"
            f"queue_directory = {directory}/queue\ndata_directory = {directory}/data\n"
            "myhostname = mx.example.test\nmydestination =\nalias_maps =\nalias_database =\n"
            "message_size_limit = 100000\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n"
        )
        (directory / "master.cf").write_text("")
        monkeypatch.setenv("MAIL_CONFIG", str(directory))
        monkeypatch.setenv("NAME", "Joe User")
        monkeypatch.setattr(sys, "argv", ["sendmail"])
        prepare(load(directory).settings)
        self.maildrop = maildrop_directory(str(directory / "queue"))

    def run(self, *arguments, message=MESSAGE):
        """:return: exit status, standard output, standard error."""
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(message)))
        with pytest.raises(SystemExit) as end:
            sendmail.main(list(arguments))
        out, err = self.capfd.readouterr()
        return end.value.code or 0, out, err

    def drops(self):
        """What is in the maildrop: (submission, content) each, and nothing half written."""
        assert [name for name in os.listdir(self.maildrop) if name.startswith(".")] == []
        found = []
        for name in names(self.maildrop, 100):
            submission, file = take(self.maildrop, name)
            with file:
                found.append((submission, file.read()))
        return found

    def submitted(self, *arguments, message=MESSAGE, says=""):
        """The one message that a run leaves behind."""
        assert self.run(*arguments, message=message) == (0, "", says)
        ((submission, content),) = self.drops()
        return submission, content


@pytest.fixture
def instance(tmp_path, monkeypatch, capfd):
    return Instance(tmp_path, monkeypatch, capfd)


def login():
    return pwd.getpwuid(os.getuid()).pw_name


def addresses(submission):
    return [recipient.address for recipient in submission.recipients]


def test_a_plain_message(instance):
    submission, content = instance.submitted("you@example.test", "a b@c, <d@e>")
    assert submission.sender == login()
    assert submission.fullname == "Joe User"
    assert submission.uid == os.getuid()
    assert addresses(submission) == ["you@example.test", "a", "b@c", "d@e"]
    assert content == b"Subject: x\r\n\r\nbody\r\n"
    assert submission.envelope(0).context == "local"


@pytest.mark.parametrize(
    ("arguments", "sender"),
    [
        (["-f", "joe@x"], "joe@x"),
        (["-fjoe"], "joe"),
        (["-f", "<joe@x>"], "joe@x"),
        (["-f", "Joe <joe@x> (hm)"], "joe@x"),
        (["-f", ""], ""),
        (["-f", "<>"], ""),
        (["-r", "zoe", "-i"], "zoe"),
        (["-f", '"a b"@x'], "a b@x"),
    ],
)
def test_the_sender(instance, arguments, sender):
    assert instance.submitted(*arguments, "you")[0].sender == sender


def test_a_sender_that_is_none_is_warned_of(instance):
    says = "sendmail: warning: -f option specified malformed sender: a@b, c@d\n"
    assert instance.submitted("-f", "a@b, c@d", "you", says=says)[0].sender == "a@b"


@pytest.mark.parametrize(
    ("message", "options", "content"),
    [
        (b"X: y\n.\nafter\n", [], b"X: y\r\n"),
        (b"X: y\n.\nafter\n", ["-i"], b"X: y\r\n.\r\nafter\r\n"),
        (b"X: y\n.\nafter\n", ["-oi"], b"X: y\r\n.\r\nafter\r\n"),
        (b"X: y\r\n\r\nb", [], b"X: y\r\n\r\nb\r\n"),
        (b"From me Mon\n>From you\nX: y\n", [], b"X: y\r\n"),
        (b"From " + b"x" * 70_000 + b"\nX: y\n", [], b"X: y\r\n"),
        (b"X: y\n" + b"x" * 65_535 + b".\nz\n", [], b"X: y\r\n" + b"x" * 65_535 + b".\r\nz\r\n"),
        (b"", [], b""),
    ],
)
def test_what_is_read(instance, message, options, content):
    assert instance.submitted(*options, "you", message=message)[1] == content


@pytest.mark.parametrize(
    ("header", "words", "found"),
    [
        (b"To: a@b, Foo <c@d>\nCc: e\nBcc: f\n", [], ["a@b", "c@d", "e", "f"]),
        (b'to: grp: a@b, "c d"@d;, Foo\n <e@f>\n', [], ["a@b", "c d@d", "e@f"]),
        (b"To: a@b\nResent-To: r1\nCc: x\nResent-Bcc: r2\nResent-Cc: r3 (c)\n", [], ["r1", "r2", "r3"]),
        (b"To: a\nTo : b\ncc:c,\n\td\n", [], ["a", "b", "c", "d"]),
        (b"To: a\n", ["extra"], ["extra", "a"]),
        (b"From: me\nReply-To: z\n", ["extra"], ["extra"]),
    ],
)
def test_recipients_of_the_header(instance, header, words, found):
    submission, content = instance.submitted("-t", *words, message=header + b"\nTo: nobody\n")
    assert addresses(submission) == found
    assert content == header.replace(b"\n", b"\r\n") + b"\r\nTo: nobody\r\n"


@pytest.mark.parametrize(
    ("value", "notify"),
    [
        ("success", Notify.SUCCESS),
        ("SUCCESS,failure", Notify.SUCCESS | Notify.FAILURE),
        ("delay, failure", Notify.DELAY | Notify.FAILURE),
        ("never", Notify.NEVER),
    ],
)
def test_notify(instance, value, notify):
    submission, _ = instance.submitted("-N", value, "you", "me")
    assert [recipient.notify for recipient in submission.recipients] == [notify, notify]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-N", "never,success"], "bad -N option value -- ignored"),
        (["-R", "half"], "bad -R option value -- ignored"),
        (["-V", ""], "bad syntax in -V option value -- ignored"),
        (["-V", "\x01bc"], "bad syntax in -V option value -- ignored"),
        (["-V", "a" * 101], "too long -V option value -- ignored"),
    ],
)
def test_values_that_are_ignored(instance, arguments, says):
    submission, _ = instance.submitted(*arguments, "you", says=f"sendmail: warning: {says}\n")
    assert (submission.recipients[0].notify, submission.ret, submission.envid) == (Notify.UNSET, "", "")


def test_an_unknown_word_of_notify(instance):
    says = (
        'sendmail: warning: unknown DSN NOTIFY command value "foo" in "success,foo"\n'
        "sendmail: warning: bad -N option value -- ignored\n"
    )
    assert instance.submitted("-N", "success,foo", "you", says=says)[0].recipients[0].notify == Notify.UNSET


@pytest.mark.parametrize(("value", "ret"), [("hdrs", "HDRS"), ("FULL", "FULL")])
def test_ret_and_envid(instance, value, ret):
    submission, _ = instance.submitted("-R", value, "-V", "env+id=x", "you")
    assert (submission.ret, submission.envid, submission.verp) == (ret, "env+id=x", "")


@pytest.mark.parametrize(("option", "warns"), [("-XV", False), ("-XV+=", False), ("-V+=", True)])
def test_variable_envelope_return_paths(instance, option, warns):
    says = f"sendmail: warning: option {option} is deprecated with Postfix 2.3; specify -X{option[1:]} instead\n"
    assert instance.submitted(option, "you", says=says if warns else "")[0].verp == "+="


def test_the_oldest_form_of_verp_takes_no_argument(instance):
    says = "sendmail: warning: option -V is deprecated with Postfix 2.3; specify -XV instead\n"
    submission, _ = instance.submitted("-V", "ab", "you", says=says)
    assert (submission.verp, addresses(submission)) == ("+=", ["ab", "you"])


def test_a_gateway_a_full_name_a_body_type_and_what_is_ignored(instance):
    submission, _ = instance.submitted(
        *["-G", "-F", 'Joe "x" Doe', "-B", "8bitmime", "-O", "foo=bar", "-o7", "-em", "-Am", "-h5", "-p", "foo"],
        *["-L", "tag", "-U", "-x", "-bm", "--", "-you"],
    )
    assert submission.gateway and submission.envelope(0).context == "remote"
    assert (submission.fullname, submission.body, addresses(submission)) == ('Joe "x" Doe', "8BITMIME", ["-you"])


def test_options_end_at_the_first_word(instance):
    submission, _ = instance.submitted("you", "-f")
    assert addresses(submission) == ["you", "-f"]
    assert submission.sender == login()


def test_international_addresses_ask_for_smtputf8(instance):
    submission, _ = instance.submitted("jürgen@example.test")
    assert submission.smtputf8 and addresses(submission) == ["jürgen@example.test"]


def test_a_probe_reads_nothing(instance):
    said = f"Mail Delivery Status Report will be mailed to <{login()}>.\n"
    assert instance.run("-bv", "a@b", "c", message=b"never read") == (0, said, "")
    ((submission, content),) = instance.drops()
    assert submission.probe == "verify" and addresses(submission) == ["a@b", "c"]
    assert content == f"From: {login()}\r\nSubject: probe\r\nTo:\ta@b,\r\n\tc\r\n".encode()


def test_a_report_of_the_delivery(instance):
    assert instance.run("-v", "-f", "me@x", "a@b") == (
        0,
        "Mail Delivery Status Report will be mailed to <me@x>.\n",
        "",
    )
    ((submission, content),) = instance.drops()
    assert submission.probe == "trace" and content.endswith(b"body\r\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], f"{login()}({os.getuid()}): Recipient addresses must be specified on the command line or via the -t option"),
        (["-t"], f"{login()}({os.getuid()}): No recipient addresses found in message header"),
        (["-bv"], f"{login()}({os.getuid()}): Recipient addresses must be specified on the command line or via the -t option"),
        (["-t", "-bv", "x"], "-t option cannot be used with -bv"),
        (["-bz"], "unsupported: -bz"),
        (["-bs", "x"], "stand-alone mode requires no recipient"),
        (["-B", "9BIT", "x"], "-B option needs 8BITMIME or 7BIT"),
        (["-n", "x"], "-n option not supported"),
        (["-qS1"], "-qS is not implemented"),
        (["-qx"], "-qx is not implemented"),
        (["-qI"], "specify: -qIqueueid"),
        (["-qR"], "specify: -qRsitename"),
        (["-Vab", "x"], "-V requires two characters from -=+"),
        (["-XV+", "x"], "-V requires two characters from -=+"),
        (["-X", "log", "x"], "unsupported: -Xl"),
        (["-oA", "x"], "-oA requires pathname"),
        (["-bp", "x"], "display queue mode requires no recipient"),
        (["-bi", "x"], "alias initialization mode requires no recipient"),
        (["-q", "x"], "flush queue mode requires no recipient"),
        (["-t", "-bs"], "-t can be used only in delivery mode"),
        (["-bd"], "the server is started with: twistd mailer"),
        (["-C", "/nonexistent", "x"], "/nonexistent"),
    ],
)  # fmt: skip
def test_fatal_errors_ask_the_caller_to_try_again(instance, arguments, says):
    code, out, err = instance.run(*arguments)
    assert (code, out) == (75, "")
    assert says in err.splitlines()[-1] and err.splitlines()[-1].startswith("sendmail: fatal: ")
    assert instance.drops() == []


@pytest.mark.parametrize(
    ("arguments", "says"), [(["-Z", "x"], "invalid option -- 'Z'"), (["-f"], "option requires an argument -- 'f'")]
)
def test_a_wrong_option(instance, arguments, says):
    assert instance.run(*arguments) == (
        75,
        "",
        f"sendmail: {says}\n" * 2 + "sendmail: fatal: usage: sendmail [options]\n",
    )


def test_complaints_go_to_the_mail_log_as_well(instance):
    log = instance.directory / "log"
    with (instance.directory / "main.cf").open("a") as main_cf:
        main_cf.write(f"maillog_file = {log}\nmaillog_file_prefixes = {instance.directory}\n")
    instance.run("-R", "foo", "you")
    instance.run("-bz")
    said = [line.partition(" postfix/sendmail[")[2].partition("]: ")[2] for line in log.read_text().splitlines()]
    assert said == ["warning: bad -R option value -- ignored", "fatal: unsupported: -bz"]


@pytest.mark.parametrize("word", ["", '"', "()"])
def test_a_word_without_an_address_is_the_null_address(instance, word):
    assert instance.run(word) == (0, "", "")
    assert addresses(instance.drops()[0][0]) == [""]


def test_a_message_too_big(instance):
    code, _, err = instance.run("you", message=b"X: y\n\n" + b"x\n" * 60_000)
    assert (code, err) == (75, f"sendmail: fatal: {login()}({os.getuid()}): message file too big\n")
    assert instance.drops() == []


def test_a_header_without_end(instance):
    code, _, err = instance.run("-t", message=b"X: y\n" + b" z\n" * 6_000_000)
    assert (code, err) == (75, "sendmail: fatal: message header too big\n")


def test_a_host_status_is_none_of_ours(instance):
    assert instance.run("-bh", "x") == (0, "", "")


def test_mailq_and_flushing_are_postqueue_s(instance):
    code, _, err = instance.run("-q")
    assert code == 69 and "Cannot flush mail queue - mail system is down" in err
    with pytest.raises(SystemExit) as end:
        mailq.main([])
    assert end.value.code in (0, None)
    assert instance.capfd.readouterr().out == "Mail queue is empty\n"


# -- stand-alone SMTP


def talk(instance, dialogue, **options):
    """A whole session of ``sendmail -bs``. :return: the replies."""
    result = subprocess.run(
        [Path(sys.executable).parent / "sendmail", "-bs"], input=dialogue, capture_output=True, timeout=30, **options
    )
    assert (result.returncode, result.stderr) == (0, b"")
    return result.stdout.splitlines()


def test_smtp_on_standard_input(instance):
    replies = talk(
        instance,
        b"EHLO me\r\n"
        b"MAIL FROM:<joe> RET=HDRS ENVID=a+2Bb BODY=8BITMIME\r\nRCPT TO:<x@any.test> ORCPT=rfc822;a NOTIFY=DELAY\r\nDATA\r\n"
        b"Foo: bar\r\n\r\n..x\r\n.\r\n"
        b"MAIL FROM:<>\r\nRCPT TO:<c>\r\nRCPT TO:<@d:e@f>\r\nBDAT 5\r\nbye\r\nBDAT 0 LAST\r\n"
        b"VRFY who\r\nQUIT\r\n",
    )
    assert replies[0] == b"220 mx.example.test ESMTP Postfix"
    assert {b"250-SIZE 100000", b"250-DSN", b"250-PIPELINING"} <= set(replies)
    (first, content), (second, other) = instance.drops()
    assert (first.sender, first.ret, first.envid, first.body) == ("joe", "HDRS", "a+b", "8BITMIME")
    assert first.recipients == [Recipient("x@any.test", "x@any.test", Notify.DELAY, "rfc822;a")]
    received, _, rest = content.partition(b"\r\nFoo:")
    assert received.startswith(
        b"Received: from me (localhost [127.0.0.1])\r\n\tby mx.example.test (Postfix) with ESMTP id "
    )
    assert b"\r\n\tfor <x@any.test>; " in received
    assert rest == b" bar\r\n\r\n.x\r\n"
    assert second.sender == "" and addresses(second) == ["c", "e@f"] and other.endswith(b"\r\nbye\r\n")
    queued = [reply.rpartition(b" ")[2].decode() for reply in replies if b"queued as" in reply]
    assert queued == names(instance.maildrop, 10)
    assert replies[-2:] == [b"252 2.0.0 who", b"221 2.0.0 Bye"]


def test_etrn_on_standard_input(instance):
    assert talk(instance, b"EHLO me\r\nETRN any.test\r\nQUIT\r\n")[-2] == b"458 Unable to queue messages"


def test_standard_input_may_be_a_file(instance, tmp_path):
    path = tmp_path / "dialogue"
    path.write_bytes(b"MAIL FROM:<c>\nRCPT TO:<d>\nDATA\nx: y\n\nz\n.\n" * 300 + b"QUIT\n")
    with path.open("rb") as stream:
        result = subprocess.run([Path(sys.executable).parent / "sendmail", "-bs"], stdin=stream, capture_output=True)
    assert result.stdout.count(b"queued as") == 300 and result.stdout.endswith(b"221 2.0.0 Bye\r\n")
    assert len(names(instance.maildrop, 1000)) == 300


def test_a_session_that_breaks_off_leaves_nothing(instance):
    replies = talk(instance, b"MAIL FROM:<joe>\r\nRCPT TO:<x>\r\nDATA\r\nhalf")
    assert replies[-1].startswith(b"354 ")
    assert instance.drops() == []


def test_a_message_too_big_over_smtp(instance):
    replies = talk(instance, b"MAIL FROM:<joe>\r\nRCPT TO:<x>\r\nDATA\r\n" + b"x\r\n" * 50_000 + b".\r\nQUIT\r\n")
    assert replies[-2:] == [b"552 5.3.4 Error: message file too big", b"221 2.0.0 Bye"]
    assert instance.drops() == []


def test_the_parts_keep_their_promises(tmp_path):
    sink = MaildropSink(str(tmp_path), str(tmp_path / "socket"))
    verifyObject(IAccess, EVERYTHING)
    verifyObject(IMessageSink, sink)
    verifyObject(IMessageWriter, sink.open(Envelope()))


def test_a_maildrop_that_cannot_be_written_is_a_temporary_failure(tmp_path):
    writer = MaildropSink(str(tmp_path / "missing"), str(tmp_path / "socket")).open(Envelope(sender="a"))
    writer.recipient(Recipient("b"))
    writer.write(b"x: y\r\n")
    writer.write(b"more\r\n")
    with pytest.raises(TemporaryError) as error:
        writer.commit().send(None)
    assert str(error.value.reply) == "451 4.3.0 Error: queue file write error"
    assert "missing" in error.value.cause
