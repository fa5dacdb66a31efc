"""Records the scenarios in ``tests/vectors/whole`` with the Postfix that is installed: ``python whole_record.py [NAME...]``.

Needs root, as Postfix's master does. A file without ``recorded`` is a new scenario.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support")]

from peers import wait_until  # noqa: E402
from servers import POSTFIX_MASTER_CF, _answers  # noqa: E402
from whole import Whole  # noqa: E402

VECTORS = HERE.parent / "vectors" / "whole"
#: Without a new log line for so long everything is over.
SETTLED = 1.0


def record(given: dict) -> list[str]:
    directory = Path(tempfile.mkdtemp(prefix="whole-"))
    directory.chmod(0o755)
    whole = Whole(directory, given)
    try:
        whole.write(POSTFIX_MASTER_CF.replace("{port}", "@PORT@"))
        os.chown(directory / "data", pwd.getpwnam("postfix").pw_uid, -1)
        subprocess.run(["postfix", "-c", directory, "start"], check=True, capture_output=True, timeout=60)
        wait_until(lambda: _answers(whole.port), what="the start of Postfix")

        def tool(words, text):
            environment = {**os.environ, "MAIL_CONFIG": str(directory)}
            done = subprocess.run(words, env=environment, input=text, capture_output=True, timeout=60)
            return done.returncode, (done.stdout + done.stderr).decode()

        whole.act(tool)
        size, since = -1, time.monotonic()
        while time.monotonic() - since < SETTLED:
            now = (directory / "mail.log").stat().st_size
            if now != size:
                size, since = now, time.monotonic()
            time.sleep(0.05)
        return whole.observed()
    finally:
        subprocess.run(["postfix", "-c", directory, "stop"], capture_output=True, timeout=60)
        whole.sink.close()
        shutil.rmtree(directory, ignore_errors=True)


def main() -> None:
    for path in sorted(VECTORS.glob("*.json")):
        if not sys.argv[1:] or path.stem in sys.argv[1:]:
            given = json.loads(path.read_text())
            given.pop("recorded", None)
            given["recorded"] = record(given)
            path.write_text(json.dumps(given, indent=1, ensure_ascii=False) + "\n")
            print(path.stem, len(given["recorded"]))


if __name__ == "__main__":
    main()
