"""Which layout runs."""

import os
from types import SimpleNamespace

import pytest

from mailer.config.errors import ConfigError
from mailer.master import choice
from mailer.master.choice import choose, unreachable
from mailer.master.privileges import Owner

root = pytest.mark.skipif(os.geteuid() != 0, reason="what root would choose")
OWNER = Owner("nobody", 65534, 65534, (65534,), 65533)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Settings whose directories mail_owner can reach, as far as pytest's own directories are concerned."""
    for directory in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        os.chmod(directory, 0o755)
    monkeypatch.setattr(choice, "owner_of", lambda settings: OWNER)
    return SimpleNamespace(queue_directory=f"{tmp_path}/queue", data_directory=f"{tmp_path}/data")


@root
def test_root_with_a_configuration_takes_processes(place):
    assert choose("auto", place).layout == "processes"
    assert choose("processes", place).owner == OWNER


@root
def test_where_one_process_is_enough_nothing_is_said(place):
    assert choose("single", place) == choose("auto", place, embedded=True) == choose("auto", place, euid=1000)
    assert choose("single", place).warning == ""


@root
def test_a_directory_that_daemons_cannot_enter(place, tmp_path):
    os.mkdir(tmp_path / "closed", 0o700)
    place.queue_directory = f"{tmp_path}/closed/queue"
    chosen = choose("auto", place)
    assert chosen.layout == "single"
    assert chosen.warning == (
        f"everything runs in one process as root: queue_directory is below {tmp_path}/closed, which nobody may not enter"
        f" (chmod o+x {tmp_path}/closed); or set mailer_layout = single"
    )
    with pytest.raises(ConfigError, match="mailer_layout = processes: queue_directory is below"):
        choose("processes", place)


@root
def test_somebody_else_may_write(place):
    os.mkdir(place.queue_directory)
    os.mkdir(f"{place.queue_directory}/public")
    os.chmod(place.queue_directory, 0o777)
    assert "queue: everybody may write there (see mailer check --fix)" in choose("auto", place).warning


@root
def test_no_account(place, monkeypatch):
    def missing(settings):
        raise ConfigError("mail_owner: no account is named postfix", "create one")

    monkeypatch.setattr(choice, "owner_of", missing)
    assert "mail_owner: no account is named postfix (create one)" in choose("auto", place).warning


def test_processes_need_root(place):
    with pytest.raises(ConfigError, match="only root can start daemons"):
        choose("processes", place, euid=1000)


@root
def test_reaching(tmp_path, place):
    inner = tmp_path / "a/b"
    inner.mkdir(parents=True)
    assert unreachable(str(inner / "not-there-yet"), OWNER) == ""
    os.chmod(tmp_path / "a", 0o710)
    assert unreachable(str(inner), OWNER) == str(tmp_path / "a")
    os.chown(tmp_path / "a", 0, 65534)
    assert unreachable(str(inner), OWNER) == ""
    os.chown(tmp_path / "a", 65534, 0)
    os.chmod(tmp_path / "a", 0o610)
    assert unreachable(str(inner), OWNER) == str(tmp_path / "a")


@root
def test_root_without_its_rights(place, monkeypatch):
    monkeypatch.setattr(choice, "capabilities", lambda: ~(1 << 7 | 1 << 6))
    assert choose("auto", place).warning == (
        "everything runs in one process as root: root lacks the capabilities setgid, setuid (grant them);"
        " or set mailer_layout = single"
    )
