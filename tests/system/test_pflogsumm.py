"""pflogsumm's report over a run with every kind of event: its numbers are the numbers of what was done."""

import re
import smtplib
import subprocess

import pytest
from peers import need, wait_until


def summary(pflogsumm, log):
    result = subprocess.run([pflogsumm, str(log)], capture_output=True, timeout=60, text=True, check=True)
    assert result.stderr == ""
    return result.stdout


def totals(text):
    """The first section, "Grand Totals": name -> number (octets are left out)."""
    section = text.partition("Grand Totals")[2].partition("Per-")[0]
    found = {name: int(number) for number, name in re.findall(r"^ *(\d+) +([a-z/ ]+?) *(?:\(.*\))?$", section, re.M)}
    return {name: number for name, number in found.items() if not name.startswith("bytes")}


def section(text, title):
    """The lines below a heading that begins with these words, up to the next heading."""
    lines = text.splitlines()
    (start,) = [number for number, line in enumerate(lines) if line.startswith(title)]
    body = []
    for line in lines[start + 2 :]:
        if line and not line.startswith(" "):
            break
        if line.strip():
            body.append(line.strip())
    return body


def test_the_numbers_of_a_mixed_run(mta, sink):
    pflogsumm = need("pflogsumm")

    def answer(argument):
        if b"gone" in argument:
            return b"550 5.1.1 no such user"
        return b"451 4.2.0 busy" if b"late" in argument or b"slow" in argument else b"250 2.1.5 Ok"

    peer = sink({"RCPT": answer})
    server = mta(
        f"relayhost = [127.0.0.1]:{peer.port}\nsmtpd_recipient_restrictions = check_recipient_access inline:{{"
        "{ forbidden@example.test = REJECT not you }, { hold@example.test = HOLD later } },"
        " warn_if_reject check_recipient_access inline:{ { warn@example.test = REJECT hm } }\n"
        "notify_classes =\nmaximal_queue_lifetime = 1d\n"
    )
    for _ in range(5):
        server.send(["you@example.test"])
    server.send(["me@example.test", "you@example.test"], sender="other@example.test")
    server.send([f"r{number}@elsewhere.test" for number in range(3)])
    server.tool("sendmail", "-f", "sender@example.test", "you@example.test", input=b"Subject: x\n\nx\n")
    server.send(["gone@elsewhere.test"])  # bounces, and the report is delivered to sender@
    server.send(["late@elsewhere.test"])  # stays deferred
    server.send(["warn@example.test"])
    server.send(["hold@example.test"])
    for wrong in ("forbidden@example.test", "=@example.test"):
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            server.send([wrong])
    server.wait_for_mail("you", 7)
    server.wait_for_mail("warn")
    server.wait_for_mail("sender")
    server.wait_for_log("to=<late@elsewhere.test>", "status=deferred")
    wait_until(lambda: server.log().count(": removed") == 11, what="all removals")
    # The second life: what is deferred has got too old meanwhile.
    server.stop()
    (server.directory / "main.cf").open("a").write("maximal_queue_lifetime = 0\nbounce_queue_lifetime = 1d\n")
    server.start()
    server.tool("postqueue", "-f")
    server.wait_for_log("status=expired, returned to sender")
    server.wait_for_mail("sender", 2)
    wait_until(lambda: server.log().count(": removed") == 13, what="all removals")
    server.stop()

    report = summary(pflogsumm, server.directory / "mail.log")
    found = totals(report)
    assert found == {
        "received": 12,
        "delivered": 14,
        "forwarded": 0,
        "deferred": 1,
        "bounced": 1,
        "rejected": 2,
        "reject warnings": 1,
        "held": 1,
        "discarded": 0,
        "senders": 2,
        "sending hosts/domains": 1,
        "recipients": 7,
        "recipient hosts/domains": 2,
    }, report
    assert section(report, "message deferral detail") == [
        "smtp (total: 2)",
        "2   4.2.0 busy (in reply to RCPT TO command",
    ]
    bounces = [f"127.0.0.1[127.0.0.1]:{peer.port} (total: 1)", "1   5.1.1 no such user (in reply to RCPT TO command)"]
    assert section(report, "message bounce detail") == bounces
    assert "later" in "\n".join(section(report, "message hold detail"))
    rejects = "\n".join(section(report, "message reject detail"))
    assert "not you" in rejects and "User unknown in virtual mailbox table" in rejects
    assert "hm" in "\n".join(section(report, "message reject warning detail"))
    assert "Fatal Errors: none" in report and "Panics: none" in report
