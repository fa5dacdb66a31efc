"""postscreen lines of master.cf in the whole system: a stranger is tested, passes, delivers, and is known after a restart."""

import socket
import time

from peers import free_port, wait_until


def test_screen(mta):
    port = free_port()
    main = "postscreen_access_list =\npostscreen_greet_wait = 1s\npostscreen_greet_action = enforce\n"
    master = f"127.0.0.1:{port} inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd\ndnsblog unix - - n - 0 dnsblog\n"
    instance = mta(main, master)

    def talk(*commands, early=False):
        with socket.create_connection(("127.0.0.1", port), 10) as sock, sock.makefile("rb") as stream:
            began = time.monotonic()
            if early:
                sock.sendall(b"EHLO early.test\r\n")
            lines = [stream.readline()]
            while lines[-1].startswith(b"220-"):
                lines.append(stream.readline())
            waited = time.monotonic() - began
            replies = []
            for command in commands:
                sock.sendall(command + b"\r\n")
                line = stream.readline()
                while line[3:4] == b"-":
                    line = stream.readline()
                replies.append(line.decode().strip())
            return lines, waited, replies

    lines, _, _ = talk(early=True)
    assert lines[-1].startswith(b"250-mx.example.test")
    instance.wait_for_log("postscreen", "PREGREET 17 after 0", "EHLO early.test")
    mail = (
        b"EHLO x",
        b"MAIL FROM:<a@b.test>",
        b"RCPT TO:<user@example.test>",
        b"DATA",
        b"Subject: x\r\n\r\nhello\r\n.",
        b"QUIT",
    )
    lines, waited, replies = talk(*mail)
    assert lines == [b"220-mx.example.test ESMTP Postfix\r\n", b"220 mx.example.test ESMTP Postfix\r\n"]
    assert 0.9 < waited < 5
    assert replies[-2].startswith("250 2.0.0 Ok: queued as")
    instance.wait_for_mail("user")
    instance.wait_for_log("postscreen", "PASS NEW [127.0.0.1]:")
    instance.stop()
    instance.start()
    wait_until(lambda: talk(b"QUIT")[0] == [b"220 mx.example.test ESMTP Postfix\r\n"], what="PASS OLD")
    instance.wait_for_log("postscreen", "PASS OLD [127.0.0.1]:")
    instance.stop()
    assert "Traceback" not in instance.output()
