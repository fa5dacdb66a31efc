"""What Postfix did from end to end, done again: replies, log lines, mailboxes, reports, and what the next server was told."""

import difflib
import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from peers import BIN, ROOT, wait_until
from servers import POSTFIX_MASTER_CF, _answers
from whole import Whole

VECTORS = sorted((Path(__file__).parent.parent / "vectors" / "whole").glob("*.json"))


@pytest.mark.skipif(os.getuid() != 0, reason="mail is delivered under other accounts, which takes root")
@pytest.mark.parametrize("path", VECTORS, ids=[path.stem for path in VECTORS])
def test_as_postfix(path, directory):
    given = json.loads(path.read_text())
    whole = Whole(directory, given)
    whole.write(POSTFIX_MASTER_CF.replace("{port}", "@PORT@"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MAIL_CONFIG": str(directory)}

    def tool(words, text):
        command = [BIN / words[0], *words[1:]]
        done = subprocess.run(command, env=environment, input=text, capture_output=True, timeout=60)
        return done.returncode, (done.stdout + done.stderr).decode()

    with (directory / "stdout").open("wb") as stdout:
        process = subprocess.Popen(
            [BIN / "twistd", "--nodaemon", "--pidfile=", "mailer", "-c", directory],
            cwd=directory,
            env=environment,
            stdout=stdout,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: process.poll() is not None or _answers(whole.port), what="the start")
        assert process.poll() is None, (directory / "stdout").read_text()
        whole.act(tool)
        end = time.monotonic() + 15
        while whole.observed() != given["recorded"] and time.monotonic() < end:
            time.sleep(0.05)
        different = list(difflib.unified_diff(given["recorded"], whole.observed(), "postfix", "here", n=2, lineterm=""))
        assert not different, "\n".join(different)
    finally:
        process.terminate()
        process.wait(30)
        whole.sink.close()
