"""The directories of an instance: made, looked at, mended, refused."""

import os
import stat
from types import SimpleNamespace

import pytest

from mailer.master.directories import Unsafe, findings, mend, prepare
from mailer.master.privileges import Owner
from mailer.receive.maildrop import Submission, drop

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
OWNER = Owner("nobody", 65534, 65533, (65533,), 65532)


@pytest.fixture
def settings(tmp_path):
    return SimpleNamespace(queue_directory=f"{tmp_path}/queue", data_directory=f"{tmp_path}/data")


def state(path):
    status = os.lstat(path)
    return oct(stat.S_IMODE(status.st_mode)), status.st_uid, status.st_gid


def texts(settings, owner=OWNER):
    return [f"{os.path.basename(one.path)}: {one.text}" for one in findings(settings, owner)]


def test_everything_is_made_for_one_process(settings):
    prepare(settings)
    me = os.geteuid(), os.getegid()
    assert state(f"{settings.queue_directory}/mailer/maildrop") == ("0o1733", *me)
    assert state(f"{settings.queue_directory}/mailer") == ("0o711", *me)
    assert texts(settings, None) == []


@root
def test_everything_is_made_for_daemons(settings):
    prepare(settings, OWNER)
    queue = settings.queue_directory
    assert state(queue) == ("0o755", 0, 0)
    assert state(f"{queue}/public") == ("0o755", 0, 0)
    assert state(f"{queue}/mailer") == ("0o711", 65534, 65533)
    assert state(f"{queue}/mailer/maildrop") == ("0o3733", 65534, 65532)
    assert state(f"{queue}/mailer/content") == ("0o700", 65534, 65533)
    assert state(f"{queue}/mailer/private") == ("0o710", 0, 65533)
    assert state(settings.data_directory) == ("0o700", 65534, 65533)
    assert texts(settings) == []


@root
def test_a_queue_of_one_process_is_given_to_the_daemons(settings):
    prepare(settings)
    inside = f"{settings.queue_directory}/mailer"
    os.makedirs(f"{inside}/content/ab", 0o700)
    for name in ("queue.sqlite", "queue.sqlite-wal", "queue.lock", "content/ab/QID"):
        with open(f"{inside}/{name}", "w"):
            pass
    with open(f"{inside}/maildrop/X", "w"):
        pass
    prepare(settings, OWNER)
    for name in ("queue.sqlite", "queue.sqlite-wal", "queue.lock", "content", "content/ab", "content/ab/QID"):
        assert state(f"{inside}/{name}")[1:] == (65534, 65533), name
    assert state(f"{inside}/maildrop/X")[1] == 0  # it says who has submitted it
    assert state(f"{inside}/maildrop") == ("0o3733", 65534, 65532)


@root
def test_links_and_files_with_two_names_are_given_to_nobody(settings, tmp_path):
    prepare(settings, OWNER)
    precious = tmp_path / "precious"
    precious.write_text("root's")
    inside = f"{settings.queue_directory}/mailer"
    os.symlink(precious, f"{inside}/queue.sqlite")
    prepare(settings, OWNER)
    assert state(precious)[1] == 0
    os.link(precious, f"{inside}/content/QID")
    with pytest.raises(Unsafe, match="QID: is no plain file with one name"):
        prepare(settings, OWNER)
    assert state(precious)[1] == 0


@root
def test_a_directory_that_is_exchanged_for_a_link_meanwhile(settings, tmp_path):
    prepare(settings, OWNER)
    inside = f"{settings.queue_directory}/mailer"
    os.mkdir(f"{inside}/content/ab")
    with open(f"{inside}/content/ab/QID", "w"):
        pass
    found = list(findings(settings, OWNER))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/QID").write_text("root's")
    os.rename(f"{inside}/content/ab", f"{inside}/content/old")
    os.symlink(tmp_path / "elsewhere", f"{inside}/content/ab")
    with pytest.raises(OSError):
        mend(found)
    assert state(tmp_path / "elsewhere/QID")[1] == 0


@root
@pytest.mark.parametrize(
    ("where", "change", "said"),
    [
        ("queue", lambda path: os.chmod(path, 0o777), "everybody may write there"),
        ("queue/mailer", lambda path: os.chown(path, 12345, 0), "belongs to uid 12345"),
        ("data", lambda path: os.chown(path, 12345, 0), "belongs to uid 12345"),
        ("queue/public", lambda path: (os.chown(path, 0, 12345), os.chmod(path, 0o775)), "group 12345 may write"),
    ],
)
def test_where_somebody_else_may_write_nothing_starts_until_it_is_mended(settings, tmp_path, where, change, said):
    prepare(settings, OWNER)
    change(tmp_path / where)
    with pytest.raises(Unsafe, match=said):
        prepare(settings, OWNER)
    mend(findings(settings, OWNER))
    prepare(settings, OWNER)


@root
def test_an_empty_directory_that_is_open_to_all_is_closed(settings):
    os.mkdir(settings.queue_directory)
    os.chmod(settings.queue_directory, 0o777)  # a volume that has just been made
    prepare(settings, OWNER)
    assert state(settings.queue_directory) == ("0o755", 0, 0)


@root
def test_one_process_as_root_refuses_only_what_is_open_to_all(settings):
    prepare(settings)
    os.chown(settings.data_directory, 12345, 12345)
    prepare(settings)
    os.chmod(settings.queue_directory, 0o777)
    with pytest.raises(Unsafe, match="queue: everybody may write there"):
        prepare(settings)


@root
def test_a_submission_can_be_read_by_the_group_of_a_shared_maildrop_only(settings):
    prepare(settings, OWNER)
    directory = f"{settings.queue_directory}/mailer/maildrop"
    before = os.umask(0o077)
    try:
        name = drop(directory, Submission("me@x"), [b"x\r\n"])
    finally:
        os.umask(before)
    assert state(f"{directory}/{name}") == ("0o640", 0, 65532)


@root
def test_what_daemons_keep_in_the_data_directory_is_theirs(settings):
    os.mkdir(settings.data_directory)
    with open(f"{settings.data_directory}/verify_cache.db", "w"):
        pass
    prepare(settings, OWNER)
    assert state(settings.data_directory) == ("0o700", 65534, 65533)
    assert state(f"{settings.data_directory}/verify_cache.db")[1:] == (65534, 65533)
    settings.data_directory = os.path.dirname(settings.queue_directory)  # more than its name says
    before = state(settings.data_directory)
    prepare(settings, OWNER)
    assert state(settings.data_directory) == before
