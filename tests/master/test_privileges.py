"""Rights that are given up are gone: tried by a process that does it."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from mailer.config.errors import ConfigError
from mailer.master.privileges import Privileges, owner_of

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")

PROGRAM = """
import errno, json, os, resource, socket, sys
from mailer.master.privileges import Privileges, give_up

os.umask(0)
refused = give_up(Privileges(65534, 65533, (65533, 65532), sys.argv[1]))

def attempt(function, *arguments):
    try:
        function(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"

print(json.dumps({
    "refused": refused,
    "uids": os.getresuid(),
    "gids": os.getresgid(),
    "groups": os.getgroups(),
    "cwd": os.getcwd(),
    "root": sorted(os.listdir("/"))[:1],
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "umask": os.umask(0),
    "attempts": [
        attempt(os.setuid, 0),
        attempt(os.setgid, 0),
        attempt(os.setgroups, [0]),
        attempt(os.chroot, "."),
        attempt(os.chown, "/", 65534, 65534),
        attempt(os.kill, os.getppid(), 0),
        attempt(socket.socket, socket.AF_PACKET, socket.SOCK_RAW),
    ],
}))
"""


def given_up(chroot):
    return json.loads(subprocess.run([sys.executable, "-c", PROGRAM, chroot], check=True, capture_output=True).stdout)


@root
def test_nothing_is_left_and_nothing_comes_back():
    told = given_up("")
    assert told["refused"] == []
    assert told["uids"] == [65534] * 3 and told["gids"] == [65533] * 3 and sorted(told["groups"]) == [65532, 65533]
    assert told["core"] == [0, 0] and told["umask"] == 0o077
    assert told["attempts"] == ["EPERM"] * 7


@root
def test_the_root_directory_is_another(tmp_path):
    (tmp_path / "queue").mkdir()
    os.chmod(tmp_path, 0o755)
    told = given_up(str(tmp_path))
    assert told["root"] == ["queue"] and told["cwd"] == "/"
    assert told["attempts"][3] == "EPERM"


@pytest.mark.parametrize("ids", [(0, 5, ()), (5, 0, ()), (5, 5, (5, 0))])
def test_root_is_no_less_than_root(ids):
    with pytest.raises(ValueError):
        Privileges(*ids)


@pytest.mark.parametrize(
    ("owner", "group", "said"),
    [
        ("no-such-account", "nogroup", "no account is named no-such-account"),
        ("root", "nogroup", "root has root's rights"),
        ("nobody", "no-such-group", "no group is named no-such-group"),
        ("nobody", "root", "is the group of nobody or of root"),
    ],
)
def test_accounts_that_cannot_be_used(owner, group, said):
    with pytest.raises(ConfigError, match=said):
        owner_of(SimpleNamespace(mail_owner=owner, setgid_group=group))
