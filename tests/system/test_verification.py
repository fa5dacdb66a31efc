"""Address verification through the whole system: a probe by SMTP, a list, a route of its own, a restart."""

import time

MAIN = """\
smtpd_relay_restrictions = reject_unverified_recipient, permit_mynetworks, reject
smtpd_sender_restrictions = reject_unverified_sender
unverified_recipient_reject_code = 550
smtpd_reject_unlisted_recipient = no
unverified_sender_reject_code = 550
virtual_alias_maps = inline:{{ {{ list@example.test = one@example.test, two@example.test }} }}
transport_maps = inline:{{ {{ sink.test = smtp:[127.0.0.1]:{port} }} {{ elsewhere.test = error:5.1.2 not now }} }}
address_verify_transport_maps = inline:{{ {{ elsewhere.test = smtp:[127.0.0.1]:{port} }} }} $transport_maps
"""


def test_verification(mta, sink):
    asked = []

    def recipient(argument):
        asked.append(argument.split()[0])
        return b"550 5.1.1 no such user" if b"unknown" in argument else b"250 2.1.5 Ok"

    server = sink({"RCPT": recipient})
    instance = mta(MAIN.format(port=server.port))

    def rcpt(address, sender="root@example.test"):
        with instance.smtp() as client:
            client.ehlo()
            client.mail(sender)
            code, text = client.rcpt(address)
            return f"{code} {text.decode()}"

    began = time.monotonic()
    assert rcpt("u@sink.test") == "250 2.1.5 Ok"
    assert rcpt("list@example.test") == "250 2.1.5 Ok"
    assert rcpt("u@elsewhere.test") == "250 2.1.5 Ok"
    refusal = rcpt("unknown@sink.test")
    assert refusal.startswith(
        "550 5.1.1 <unknown@sink.test>: Recipient address rejected: undeliverable address: host 127."
    )
    assert rcpt("u@sink.test", "unknown@sink.test").startswith(
        "550 5.1.7 <unknown@sink.test>: Sender address rejected: undeliv"
    )
    assert time.monotonic() - began < 6  # nobody waits for a poll
    assert asked == [b"TO:<u@sink.test>", b"TO:<u@elsewhere.test>", b"TO:<unknown@sink.test>"]
    assert server.messages == []
    instance.wait_for_log("to=<list@example.test>", "status=deliverable (aliased to multiple recipients)")
    instance.wait_for_log(
        "to=<unknown@sink.test>", "dsn=5.1.1, status=undeliverable (host 127.0.0.1[127.0.0.1] said: 550"
    )
    instance.stop()
    instance.start()
    assert rcpt("unknown@sink.test") == refusal
    assert len(asked) == 3
