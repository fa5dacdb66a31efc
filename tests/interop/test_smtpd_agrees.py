"""The real Postfix and ``mailer`` side by side: the same sessions with the same configurations, the same replies.

Needs root, Postfix and ``unshare``: both live in a network namespace of their own (see ``agreement``). Without that the
recorded replies are replayed all the same, in memory, by ``tests/access/test_agreed.py``. One in 24 of the 1,700 sessions is
played; ``MAILER_AGREEMENT_PART=1`` in the environment plays all, which takes minutes.
"""

from __future__ import annotations

import json
import os
import re
import shutil

import agreement
import pytest

#: Case -> why the replies differ.
EXCEPTIONS = {
    "smtpd/long-queue-id": "long queue ids hold the time, so that no two are alike",
}

_DATE = re.compile(r"\w{3} [ \d]\d \d\d:\d\d:\d\d")
_PORT = re.compile(r"cp=\d+")


def _comparable(said: list) -> list:
    return [([_PORT.sub("cp=PORT", _DATE.sub("DATE", line)) for line in lines], hangup) for lines, hangup in said]


def _runnable() -> str:
    if os.getuid() != 0:
        return "a network namespace needs root"
    if not os.path.exists("/usr/sbin/postfix"):
        return "postfix is not installed"
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return "unshare or ip is not installed"
    return ""


@pytest.mark.skipif(bool(_runnable()), reason=_runnable())
def test_side_by_side() -> None:
    done = agreement.in_namespace("run", os.environ.get("MAILER_AGREEMENT_PART", "24"))
    if done.returncode and "Operation not permitted" in done.stderr:
        pytest.skip("a network namespace is not allowed here")
    assert done.returncode == 0, done.stderr[-4000:]
    said = json.loads(done.stdout)
    assert len(said) > 50
    differing = {
        name: {"postfix": postfix, "mailer": mailer}
        for name, (postfix, mailer) in said.items()
        if _comparable(postfix) != _comparable(mailer)
    }
    assert not {name: both for name, both in differing.items() if name not in EXCEPTIONS}
