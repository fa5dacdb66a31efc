"""Fixtures of the system tests; what they start is in ``tests/support/peers.py``."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from peers import Mta, Sink
from servers import Dovecot, Postfix


@pytest.fixture
def directory():
    # UNIX socket paths are short, pytest's own temporary directories are not.
    path = Path(tempfile.mkdtemp(prefix="mta-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def layout(request):
    """What ``--layout`` an instance is started with: ``MAILER_TEST_LAYOUT`` says, or the test's own parameters."""
    chosen = getattr(request, "param", None) or os.environ.get("MAILER_TEST_LAYOUT", "single")
    if chosen == "processes" and os.getuid() != 0:
        pytest.skip("the processes layout needs root")
    return chosen


@pytest.fixture
def mta(directory, layout):
    """``mta(main, master)`` starts an instance; all are killed at the end."""
    made = []

    def make(main="", master="", start=True, wrapping=()):
        place = directory / str(len(made))
        place.mkdir()
        instance = Mta(place, main, master, layout)
        instance.wrapping = wrapping
        made.append(instance)
        return instance.start() if start else instance

    yield make
    for instance in made:
        instance.stop(kill=True)
    # What a daemon has not imported when it gives up its rights it may not find afterwards.
    assert not [line for instance in made for line in instance.log().splitlines() if "imported late" in line]


@pytest.fixture
def sink():
    made = []

    def make(script=None, lmtp=False):
        made.append(Sink(script, lmtp))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture
def postfix(directory):
    """``postfix(main, master)`` starts the real one."""
    made = []

    def make(main="", master="", **more):
        place = directory / f"postfix{len(made)}"
        place.mkdir()
        made.append(Postfix(place, main, master, **more))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def dovecot(directory):
    """A running dovecot-lmtp."""
    place = directory / "dovecot"
    place.mkdir()
    server = Dovecot(place)
    yield server
    server.stop()
