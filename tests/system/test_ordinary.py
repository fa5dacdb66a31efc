"""What most machines need: mail for the users of this machine, root among them, and a provider's relay that wants a login."""

import grp
import os
import shutil

import pytest
from peers import wait_until

SPOOL = """
mydestination = $myhostname
mail_spool_directory = {directory}/spool
forward_path = {directory}/forward/$user
local_recipient_maps =
"""


@pytest.mark.parametrize("layout", ["single", "processes"], indirect=True)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may write everybody's mailbox")
@pytest.mark.parametrize("mode", [0o2775, 0o755])
def test_mailboxes_of_this_machines_users(mta, mode):
    server = mta(start=False)
    main = server.directory / "main.cf"
    main.write_text(main.read_text() + SPOOL.format(directory=server.directory))
    spool = server.directory / "spool"
    spool.mkdir()
    if mode == 0o2775:
        shutil.chown(spool, 0, grp.getgrnam("mail").gr_gid)
    spool.chmod(mode)
    (server.directory / "forward").mkdir()
    server.start()
    users = {"root": 0, "daemon": 1, "nobody": 65534}
    server.send([f"{user}@mx.example.test" for user in users])
    for user, uid in users.items():
        wait_until(lambda box=spool / user: box.exists() and b"hello\n" in box.read_bytes(), what=f"mail for {user}")
        status = (spool / user).stat()
        assert (status.st_uid, status.st_mode & 0o777) == (uid, 0o600)
    # What root names gets the rights of default_privs.
    (server.directory / "forward" / "root").write_text(f"{server.directory}/forward/none, \\root\n")
    server.send(["root@mx.example.test"])
    server.wait_for_log("status=bounced", "cannot create file exclusively: Permission denied")
    wait_until(lambda: (spool / "root").read_bytes().count(b"hello\n") == 2, what="root's own copy")


def test_a_provider_that_wants_a_login(mta, sink):
    said = []

    def login(argument):
        said.append(argument)
        return b"235 2.7.0 ok" if argument == b"PLAIN AGpvZQBzZWNyZXQ=" else b"535 5.7.8 no"

    provider = sink({"offers": b"AUTH PLAIN LOGIN", "AUTH": login})
    server = mta(
        f"""
relayhost = [127.0.0.1]:{provider.port}
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = inline:{{ {{[127.0.0.1]:{provider.port}=joe:secret}} }}
smtp_sasl_security_options = noanonymous
smtp_generic_maps = inline:{{ {{me@example.test=joe@provider.example}} }}
smtp_header_checks = regexp:{{ {{/^X-Secret:/ IGNORE}} }}
"""
    )
    content = "From: Me <me@example.test>\r\nX-Secret: 1\r\nSubject: x\r\n\r\nhello\r\n"
    server.send(["you@peer.example"], content, sender="me@example.test")
    wait_until(lambda: provider.messages, what="mail at the provider")
    ((mail, _, text),) = provider.messages
    assert said == [b"PLAIN AGpvZQBzZWNyZXQ="]
    assert mail.startswith(b"FROM:<joe@provider.example>")
    assert b"From: Me <joe@provider.example>\r\n" in text and b"X-Secret" not in text
    server.wait_for_log("to=<you@peer.example>", "status=sent")
