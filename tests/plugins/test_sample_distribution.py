"""The sample distribution: installed by pip into an environment of its own, its contract suites run there, and its table and
transport used from main.cf and master.cf like those that come with the system."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import peers
import pytest

pytest.importorskip("wheel", reason="pip cannot build without the package wheel")
pytest.importorskip("setuptools", reason="pip cannot build without the package setuptools")

SAMPLE = Path(__file__).parent.parent.parent / "docs/examples/tables_and_transports"
SCRIPT = """#!{python}
import sys
from {module} import {function}
sys.argv[0] = "{name}"
sys.exit({function}())
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A fresh environment with the sample in it. What it depends on is found where it is: there may be no network."""
    place = tmp_path_factory.mktemp("sample")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place / "venv"], check=True, timeout=120)
    python = place / "venv/bin/python"
    shown = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True
    )
    packages = Path(shown.stdout.strip())
    (packages / "dependencies.pth").write_text(f"{peers.ROOT}\n{sysconfig.get_path('purelib')}\n")
    shutil.copytree(SAMPLE, place / "source")
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "install", "--quiet"]
    done = subprocess.run(
        [*pip, "--no-deps", "--no-build-isolation", "--no-index", place / "source"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert done.returncode == 0, done.stderr
    assert (packages / "twisted/plugins/mailer_sample_plugin.py").exists()
    for name, module, function in (
        ("twistd", "twisted.scripts.twistd", "run"),
        ("postmap", "mailer.commands.postmap", "main"),
    ):
        script = place / "venv/bin" / name
        script.write_text(SCRIPT.format(python=python, name=name, module=module, function=function))
        script.chmod(0o755)
    return place


def test_its_contract_suites(environment):
    done = subprocess.run(
        [environment / "venv/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", environment / "source/tests"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=environment / "source/tests",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_used_from_main_cf_and_master_cf(environment, tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "BIN", environment / "venv/bin")
    for path in [tmp_path, *tmp_path.parents]:
        if path.stat().st_uid == os.getuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o055)
    people = tmp_path / "people.csv"
    people.write_text("address,forward\nTeam@example.test,kept@archive.test\n")
    table = f"csv:{people}:address:forward"
    server = peers.Mta(
        tmp_path,
        f"virtual_alias_domains = lists.test\nvirtual_alias_maps = {table}\nrelay_domains = archive.test\n"
        "transport_maps = inline:{ archive.test=archive:2026 }\n",
        f"archive unix - - n - - archive {tmp_path}/kept\n",
    )
    (tmp_path / "kept").mkdir(mode=0o777)
    (tmp_path / "kept").chmod(0o777)
    server.start()
    try:
        server.send(["team@example.test"], "Subject: to be kept\r\n\r\nhello\r\n")
        line = server.wait_for_log("to=<kept@archive.test>", "status=sent")
        assert "relay=archive" in line and "(archived as " in line
        (kept,) = (tmp_path / "kept/2026").glob("*.eml")
        assert kept.read_bytes().startswith(b"Return-Path: <sender@example.test>\r\n")
        assert b"\r\nSubject: to be kept\r\n" in kept.read_bytes() and kept.read_bytes().endswith(b"\r\n\r\nhello\r\n")
    finally:
        server.stop()
    done = subprocess.run(
        [environment / "venv/bin/postmap", "-c", tmp_path, "-q", "TEAM@example.test", table], capture_output=True
    )
    assert (done.stdout, done.stderr) == (b"kept@archive.test\n", b"")
