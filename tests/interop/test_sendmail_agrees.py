"""sendmail(1) beside Postfix's own: what lands in the maildrop, what is said, the exit code; for many command lines."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from peers import need

from mailer.config.load import load
from mailer.master.directories import prepare
from mailer.receive.maildrop import maildrop_directory, names, take

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {0}/queue
data_directory = {0}/data
command_directory = {0}/bin
myhostname = mx.example.test
mydestination =
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
message_size_limit = 50000
"""
MESSAGE = b"Subject: x\n\nbody\n"


@pytest.fixture(scope="module")
def places():
    """Two instances, (Postfix's, ours), neither running."""
    need("postfix")
    base = Path(tempfile.mkdtemp(prefix="sm-"))
    for name in ("a", "b"):
        place = base / name
        for part in ("queue/maildrop", "queue/public", "data", "bin"):
            (place / part).mkdir(parents=True)
        (place / "main.cf").write_text(MAIN_CF.format(place))
        (place / "master.cf").write_text("")
    # Without its group identity postdrop accepts another configuration directory, whoever runs the tests.
    shutil.copy(need("postdrop"), base / "a/bin/postdrop")
    (base / "a/bin/postdrop").chmod(0o755)
    prepare(load(base / "b").settings)
    base.chmod(0o755)
    for part in ("maildrop", "public"):
        (base / "a/queue" / part).chmod(0o777)
    yield base / "a", base / "b"
    shutil.rmtree(base)


def run(program, place, arguments, message, **options):
    environment = {**os.environ, "MAIL_CONFIG": str(place), "NAME": "Joe User", "LOGNAME": "root"}
    result = subprocess.run(
        [program, *arguments], input=message, capture_output=True, env=environment, timeout=60, **options
    )
    said = [line for line in result.stderr.decode().splitlines() if not _of_other_programs(line)]
    return result.returncode, result.stdout.decode(), said


def _of_other_programs(line):
    return line.startswith(("postdrop: ", "sendmail: name_mask: ")) or "mail_stream_cleanup" in line


def records(octets):
    """Type and content of each record of one of Postfix's queue files."""
    at = 0
    while at < len(octets):
        kind, length, shift = chr(octets[at]), 0, 0
        while True:
            at += 1
            length |= (octets[at] & 0x7F) << shift
            shift += 7
            if not octets[at] & 0x80:
                break
        yield kind, octets[at + 1 : at + 1 + length].decode()
        at += 1 + length


def theirs(place):
    (path,) = (place / "queue/maildrop").iterdir()
    found = {"recipients": [], "content": b"", "verp": ""}
    attributes = {}
    for kind, text in records(path.read_bytes()):
        if kind == "A":
            name, _, value = text.partition("=")
            attributes[name] = value
        elif kind == "R":
            found["recipients"].append((text, int(attributes.get("notify_flags", 0))))
        elif kind in "NL":
            found["content"] += text.encode() + b"\r\n" * (kind == "N")
        elif kind in "SFV":
            found[{"S": "sender", "F": "fullname", "V": "verp"}[kind]] = text
    path.unlink()
    found["envid"] = attributes.get("envelope_id", "")
    found["ret"] = {"1": "FULL", "2": "HDRS"}.get(attributes.get("ret_flags"), "")
    found["context"] = attributes["rewrite_context"]
    found["probe"] = {"512": "verify", "1024": "trace"}.get(attributes.get("trace_flags"), "")
    return found


def ours(place):
    maildrop = maildrop_directory(str(place / "queue"))
    (name,) = names(maildrop, 10)
    submission, file = take(maildrop, name)
    with file:
        content = file.read()
    os.unlink(os.path.join(maildrop, name))
    envelope = submission.envelope(0)
    return {
        "recipients": [(recipient.address, int(recipient.notify)) for recipient in submission.recipients],
        "content": content,
        "verp": submission.verp,
        "sender": submission.sender,
        "fullname": submission.fullname,
        "envid": submission.envid,
        "ret": submission.ret,
        "context": envelope.context,
        "probe": submission.probe,
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["you"], MESSAGE),
        (["-f", "a@b", "you", "b@c, <d@e>"], MESSAGE),
        (["-f", "", "you"], MESSAGE),
        (["-f", "<>", "you"], MESSAGE),
        (["-f", "Joe <joe@x> (hm)", "you"], MESSAGE),
        (["-f", "a@b, c@d", "you"], MESSAGE),
        (["-f", "bogus bogus", "you"], MESSAGE),
        (["-f", "a@", "-r", '"x y"@z', "you"], MESSAGE),
        (["you", "-f", "me"], MESSAGE),
        (["you"], b"X: y\n.\nafter\n"),
        (["-i", "you"], b"From me\n>From x\nX: y\n\n.\nafter\n"),
        (["-oi", "you"], b"X: y\r\n\r\nb\r\n.\r\nz\r\n"),
        (["you"], b""),
        (["-t"], b'To: grp: a@b, "c d"@d;, Foo <e@f>\nBcc: z\nSubject: x\n\nb\n'),
        (["-t", "extra"], b"To: a@b\nResent-To: r1\nCc: x\nResent-Bcc: r2\nResent-Cc: r3 (c)\n\nTo: body\n"),
        (["-t", "extra"], b"To: a@b\nCc: c\n  (x), d\n\nTo: body\n"),
        (["-t"], b"To: <a@b> <c@d>, \"q\" e@f ; g\n\n"),
        (["-t"], b"To: a@b\n\n.\nafter\n"),
        (["-t"], b"Subject: x\n\nTo: b\n"),
        (["-t"], b"no header"),
        (["-t"], b""),
        ([], MESSAGE),
        (["-N", "success,delay", "-R", "hdrs", "-V", "env+id=x", "-v", "you", "me"], MESSAGE),
        (["-N", "SUCCESS", "-R", "Full", "you"], MESSAGE),
        (["-N", "never", "you"], MESSAGE),
        (["-N", "never,success", "-R", "foo", "-V", "", "you"], MESSAGE),
        (["-N", "success,foo", "you"], MESSAGE),
        (["-N", "failure delay", "you"], MESSAGE),
        (["-N", "", "you"], MESSAGE),
        (["-V", "x", "you"], MESSAGE),
        (["-Vabc", "you"], MESSAGE),
        (["-V-", "you"], MESSAGE),
        (["-V", "+=", "you"], MESSAGE),
        (["-V+=", "you"], MESSAGE),
        (["-Vab", "you"], MESSAGE),
        (["-XV", "you"], MESSAGE),
        (["-XV+=", "you"], MESSAGE),
        (["-XV+", "you"], MESSAGE),
        (["-X", "foo", "you"], MESSAGE),
        (["-V", "a" * 101, "you"], MESSAGE),
        (["-bv", "a@b", "c"], b"never read"),
        (["-bv"], b""),
        (["-bv", "-t", "x"], b""),
        (["-v", "you"], MESSAGE),
        (["-F", "", "you"], MESSAGE),
        (
            ["-O", "foo=bar", "-o7", "-em", "-Am", "-h5", "-p", "foo", "-G", "-L", "t", "-U", "-x", "-F", 'J "x" D', "--", "-y"],
            MESSAGE,
        ),
        (["-n", "you"], MESSAGE),
        (["-Z", "you"], MESSAGE),
        (["-f"], MESSAGE),
        (["-B", "9BIT", "you"], MESSAGE),
        (["-bz"], MESSAGE),
        (["-bs", "you"], b""),
        (["-bh", "you"], b""),
        (["-qS1"], b""),
        (["-qx"], b""),
        (["-qI"], b""),
        (["-qR"], b""),
        (["-oA", "you"], MESSAGE),
        (["you"], b"X: " + b"x" * 60_000),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)  # fmt: skip
def test_sendmail(places, arguments, message):
    reference, own = places
    theirs_said = run(need("sendmail"), reference, arguments, message)
    ours_said = run(Path(sys.executable).parent / "sendmail", own, arguments, message)
    assert ours_said == theirs_said
    if theirs_said[0] == 0 and arguments[0] != "-bh":
        assert ours(own) == theirs(reference)


def test_the_session_of_bs(places):
    dialogue = (
        b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<u@elsewhere.test> NOTIFY=SUCCESS\r\nRCPT TO:<nosuch>\r\n"
        b"RCPT TO:<@a:b@c.d>\r\nVRFY foo\r\nETRN a.b\r\nNOOP\r\nHELP\r\nDATA\r\nSubject: x\r\n\r\nhello\r\n.\r\n"
        b"MAIL FROM:<>\r\nRCPT TO:<d>\r\nRSET\r\nVRFY\r\nFOO\r\n"
        b"MAIL FROM:<c>\r\nRCPT TO:<d>\r\nDATA\r\nFrom x\r\n z\r\n.\r\nQUIT\r\n"
    )
    somebody = {"user": 65534, "group": 65534} if os.getuid() == 0 else {}  # Postfix refuses the superuser here
    reference, own = places
    replies = [
        run(need("sendmail"), reference, ["-bs"], dialogue, **somebody),
        run(Path(sys.executable).parent / "sendmail", own, ["-bs"], dialogue),
    ]
    without_ids = [
        (code, [line.partition("queued as")[0] for line in out.splitlines()], said) for code, out, said in replies
    ]
    assert without_ids[0] == without_ids[1]
