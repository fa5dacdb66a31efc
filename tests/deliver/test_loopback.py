"""Deliveries over real sockets: what a network in memory cannot show."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_real_sockets():
    script = ROOT / "tests" / "support" / "loopback_delivery.py"
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    facts = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition(" ")
        facts.setdefault(key, []).append(value)
    assert done.stderr == ""
    assert facts["smtp"] == ["{'sent'}"] * 3
    assert facts["large"] == facts["lmtp"] == ["[('sent', '250 2.0.0 Ok: queued as 12345')]"]
    (missing,), (refused,) = facts["missing"], facts["refused"]
    assert "deferred" in missing and missing.endswith("/nothing]: No such file or directory')]")
    assert "deferred" in refused and refused.endswith(": Connection refused')]")
    assert facts["sizes"] == ["True 31"] and facts["left"] == ["{'QUIT'}"]
