"""Other people's servers take our mail: Postfix, smtp-sink, dovecot-lmtp."""

import email
import re
import subprocess

from peers import free_port, need, wait_until

BODY = ("x" * 70 + "\r\n.y\r\n" + "\r\n") * 100


def test_to_postfix(mta, postfix):
    peer = postfix()
    server = mta(f"relayhost = [127.0.0.1]:{peer.port}\nvirtual_mailbox_domains =\n")
    with server.smtp() as client:
        for number in range(20):
            client.sendmail("me@sender.test", ["a@postfix.test", "b@postfix.test"], f"Subject: {number}\r\n\r\n{BODY}")
        client.sendmail("", ["a@postfix.test"], "Subject: null\r\n\r\nx\r\n")
    contents = [email.message_from_bytes(content) for content in peer.wait_for_mail(41)]
    assert sorted(message["Subject"] for message in contents) == sorted([*map(str, range(20))] * 2 + ["null"])
    for message in contents:
        if message["Subject"] != "null":
            assert message.get_payload() == BODY.replace("\r\n", "\n")
            assert re.search(r"by mx\.example\.test \(Postfix\) with ESMTP id \w+", str(message.get_all("Received")))
    line = server.wait_for_log("to=<b@postfix.test>")
    assert re.search(r"status=sent \(250 2\.0\.0 Ok: queued as \w+\)", line)
    wait_until(lambda: server.tool("mailq").stdout == b"Mail queue is empty\n", what="an empty queue")


def test_from_postfix(mta, postfix):
    server = mta()
    peer = postfix(f"relayhost = [127.0.0.1]:{server.port}\n")
    source = need("smtp-source")
    command = [source, "-s", "5", "-m", "50", "-f", "a@sender.test", "-t", "you@example.test"]
    subprocess.run([*command, f"127.0.0.1:{peer.port}"], check=True, timeout=60)
    server.wait_for_mail("you", 50, 30)


def test_what_postfix_refuses_comes_back(mta, postfix):
    peer = postfix("virtual_mailbox_maps = inline:{known@postfix.test=all/}\nmessage_size_limit = 50000\n")
    server = mta(f"relayhost = [127.0.0.1]:{peer.port}\n")
    server.send(["known@postfix.test", "unknown@postfix.test"])
    server.send(["known@postfix.test"], "Subject: big\r\n\r\n" + "x\r\n" * 50_000)
    reports = [
        email.message_from_bytes(content).get_payload(1).as_string() for content in server.wait_for_mail("sender", 2)
    ]
    unknown, big = sorted(reports, key=lambda text: "5.3.4" in text)
    assert "Final-Recipient: rfc822; unknown@postfix.test" in unknown and "Status: 5.1.1" in unknown
    assert "Remote-MTA: dns; 127.0.0.1" in unknown and unknown.count("Final-Recipient:") == 1
    assert "Final-Recipient: rfc822; known@postfix.test" in big
    peer.wait_for_mail(1)


def test_to_smtp_sink(mta):
    port = free_port()
    process = subprocess.Popen(
        [need("smtp-sink"), "-u", "nobody", "-c", f"127.0.0.1:{port}", "100"], stdout=subprocess.PIPE
    )
    try:
        server = mta(f"relayhost = [127.0.0.1]:{port}\n")
        command = [
            need("smtp-source"),
            "-s",
            "10",
            "-m",
            "300",
            "-l",
            "4000",
            "-f",
            "a@x.test",
            "-t",
            "you@elsewhere.test",
        ]
        subprocess.run([*command, f"127.0.0.1:{server.port}"], check=True, timeout=60)
        wait_until(lambda: server.log().count("status=sent") == 300, 30, "300 deliveries")
        wait_until(lambda: server.log().count(": removed") == 300, 30, "300 removals")
        assert "status=deferred" not in server.log()
    finally:
        process.kill()
        process.wait()


def test_to_dovecot_lmtp_over_tcp_and_unix_socket(mta, dovecot):
    # Connections to the socket are made by an unprivileged smtp(8) in Postfix: everybody may connect to it.
    transports = f"example.test=lmtp:[127.0.0.1]:{dovecot.port}, unix.test=lmtp:unix:{dovecot.socket}"
    server = mta(
        f"transport_maps = inline:{{ {transports} }}\nvirtual_mailbox_domains = example.test, unix.test\n"
        "virtual_mailbox_maps = static:all\nvirtual_transport = virtual\n"
    )
    with server.smtp() as client:
        client.sendmail("me@sender.test", ["a@example.test", "b+tag@example.test"], f"Subject: two\r\n\r\n{BODY}")
        client.sendmail("me@sender.test", ["c@unix.test"], "Subject: unix\r\n\r\nx\r\n")
    for user in "ab":
        (content,) = dovecot.wait_for_mail(user)
        message = email.message_from_bytes(content)
        assert message["Subject"] == "two" and message.get_payload() == BODY.replace("\r\n", "\n")
        assert message["Return-Path"] == "<me@sender.test>"
    dovecot.wait_for_mail("c")
    line = server.wait_for_log("postfix/lmtp[", "to=<b+tag@example.test>")
    assert f"relay=127.0.0.1[127.0.0.1]:{dovecot.port}" in line
    assert re.search(
        r"status=sent \(250 2\.0\.0 <b\+tag@example\.test> \w+(/\w+)? Saved\)|status=sent \(250 2\.0\.0 <b\+tag@e.*Saved\)",
        line,
    )
    assert f"relay=mx.example.test[{dovecot.socket}]" in server.wait_for_log("postfix/lmtp[", "to=<c@unix.test>")


def test_dovecot_refuses_what_it_does_not_know(mta, directory, dovecot):
    config = dovecot.directory / "dovecot.conf"
    users = dovecot.directory / "users"
    users.write_text("a:::::::\n")
    text = config.read_text()
    start = text.index("userdb {")
    end = text.index("}", start) + 1
    home = f"uid=65534 gid=65534 home={dovecot.directory}/mail/%n"
    config.write_text(
        text[:start]
        + f"userdb {{\n  driver = passwd-file\n  args = username_format=%n {users}\n  override_fields = {home}\n}}\n"
        + text[end:]
    )
    subprocess.run([need("doveadm"), "-c", str(config), "reload"], check=True, timeout=20)
    server = mta(f"virtual_transport = lmtp:[127.0.0.1]:{dovecot.port}\nvirtual_mailbox_maps = static:all\n")
    server.send(["a@example.test", "gone@example.test"], sender="back@bounces.test")
    dovecot.wait_for_mail("a")
    line = server.wait_for_log("to=<gone@example.test>")
    assert (
        "dsn=5.1.1, status=bounced (host 127.0.0.1[127.0.0.1] said: 550 5.1.1 <gone@example.test> User doesn't exist"
        in line
    )
    assert "in reply to RCPT TO command" in line
