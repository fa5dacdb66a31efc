"""Whom master starts workers for, and what one that stays root may do."""

import os
import pwd
from types import SimpleNamespace

import pytest

from mailer.master.workers import Refused, allowed, root_limits


def settings(**given):
    ordinary = {
        "mail_spool_directory": "/var/mail",
        "home_mailbox": "",
        "require_home_directory": False,
        "forward_path": "$home/.forward${recipient_delimiter}${extension}, $home/.forward",
    }
    return SimpleNamespace(**{**ordinary, **given})


def test_users_may_be_served_with_their_groups(tmp_path):
    assert allowed(2601, 2602, [2602], str(tmp_path / "none")) == (2601, 2602, [2602])
    assert allowed(0, 0, [], str(tmp_path)) == (0, 0, [])


@pytest.mark.parametrize(
    ("uid", "gid", "groups"),
    [(2601, 0, []), (-1, 5, []), ("0", 5, []), (2601, 2602, [7]), (2601, 2602, None), (True, 5, [])],
)
def test_what_is_refused(tmp_path, uid, gid, groups):
    with pytest.raises(Refused):
        allowed(uid, gid, groups, str(tmp_path))


def test_the_group_of_the_mail_spool_helps_if_it_may_write_there(tmp_path, monkeypatch):
    stat = os.stat
    for mode, helps in ((0o2775, True), (0o2755, False)):

        def spooled(path, *more, mode=mode, **others):
            if path == "/spool":
                return SimpleNamespace(st_mode=mode, st_gid=7)
            return stat(path, *more, **others)

        monkeypatch.setattr(os, "stat", spooled)
        if helps:
            assert allowed(2601, 2602, [2602, 7], "/spool") == (2601, 2602, [7, 2602])
        else:
            with pytest.raises(Refused):
                allowed(2601, 2602, [2602, 7], "/spool")


def test_roots_own_mail(monkeypatch):
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: SimpleNamespace(pw_name="root", pw_dir="/root"))
    limits = root_limits(settings())
    assert limits.mailboxes == ("/var/mail/root",) and limits.spool == "/var/mail"
    assert limits.readable == ("/root/.forward", "/root/.forward")
    limits = root_limits(settings(home_mailbox="Maildir/", forward_path="/etc/forward/$user$extension, /f/${user}"))
    assert limits.mailboxes == ("/var/mail/root", "/root/Maildir/")
    assert limits.readable == ("/etc/forward/root", "/f/root")
    assert root_limits(settings(mail_spool_directory="/var/mail/")).mailboxes == ("/var/mail/root/",)
    assert root_limits(settings(forward_path="/etc/${recipient}")).readable == ()
