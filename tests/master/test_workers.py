"""Which ids a daemon may have a worker take on."""

import os
import pwd

import pytest

from mailer.master.workers import Refused, allowed

NOBODY = pwd.getpwnam("nobody")


def test_a_user_with_his_groups():
    groups = [number for number in os.getgrouplist("nobody", NOBODY.pw_gid) if number]
    assert allowed(NOBODY.pw_uid, NOBODY.pw_gid, groups, "/nowhere") == (NOBODY.pw_uid, NOBODY.pw_gid, sorted(groups))
    assert allowed(NOBODY.pw_uid, 54321, [], "/nowhere") == (NOBODY.pw_uid, 54321, [])
    assert allowed(54321, 54322, [54322, 0], "/nowhere") == (54321, 54322, [54322])


@pytest.mark.parametrize(
    "ids",
    [
        (1, 0, []),
        (NOBODY.pw_uid, NOBODY.pw_gid, [42]),
        (54321, 54322, [42]),
        (-1, 5, []),
        ("0", 5, []),
        (True, 5, []),
        (5, None, []),
        (5, 5, "x"),
    ],
)
def test_what_no_honest_daemon_asks_for(ids):
    with pytest.raises(Refused):
        allowed(*ids, "/nowhere")
