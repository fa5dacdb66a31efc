"""Records what Postfix makes of the messages in tests/vectors/clean: fills in their ``expect``.

Needs root and an installed Postfix, which is started with directories of its own and without a queue manager, so that each
message stays where cleanup(8) put it. Usage: ``python clean_record.py [name ...]``; without names, all vectors.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

VECTORS = Path(__file__).parent.parent / "vectors" / "clean"
PORT = 26025

MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file_prefixes = {root}
maillog_file = {root}/log
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.home.example
mydomain = home.example
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_reject_unlisted_recipient = no
smtpd_peername_lookup = no
smtpd_discard_ehlo_keywords = chunking
notify_classes =
"""

MASTER = """\
127.0.0.1:{local} inet n - n - - smtpd
127.0.0.1:{remote} inet n - n - - smtpd -o local_header_rewrite_clients=
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
"""

MADE_HERE = re.compile(r"(?m)^Received: (?:from client|by mail)[^\n]*\n(?:\t[^\n]*\n)*")
CLEANUP_LINE = re.compile(r"postfix/cleanup\[\d+\]: (.*)")
NOISE = re.compile(r"main\.cf, line|public/qmgr|mail_stream_cleanup")


class Postfix:
    """One instance, for one group of vectors with the same settings and tables."""

    def __init__(self, settings: list[str], tables: dict[str, list[str]]) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="clean-", dir="/tmp"))
        self.root.chmod(0o755)
        for name in ("etc", "queue", "data"):
            (self.root / name).mkdir()
        shutil.chown(self.root / "data", "postfix")
        etc = self.root / "etc"
        names = {line.partition("=")[0].strip() for line in settings}
        base = [line for line in MAIN.splitlines() if line.partition("=")[0].strip() not in names]
        lines = [line.format(root=self.root) for line in base]
        lines += [line.replace("TABLES", str(etc)) for line in settings]
        (etc / "main.cf").write_text("\n".join(lines) + "\n")
        (etc / "master.cf").write_text(MASTER.format(local=PORT, remote=PORT + 1))
        for name, rows in tables.items():
            (etc / name).write_text("\n".join(rows) + "\n")
        self._command("start")
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", PORT), 1).close()
                break
            except OSError:
                time.sleep(0.1)

    def _command(self, word: str) -> None:
        subprocess.run(["/usr/sbin/postfix", "-c", str(self.root / "etc"), word], capture_output=True, check=False)

    def stop(self) -> None:
        self._command("stop")
        shutil.rmtree(self.root)

    def record(self, vector: dict) -> dict:
        before = len(self._log())
        reply = self._sendmail(vector) if vector["client"] == "sendmail" else self._smtp(vector)
        time.sleep(0.3)
        log = self._log()[before:]
        lines = [line for line in CLEANUP_LINE.findall(log) if not NOISE.search(line)]
        ids = re.findall(
            r"(?:queued as |^|warning: )([0-9A-F]{8,14})(?::|$)", reply + "\n" + "\n".join(lines), re.MULTILINE
        )
        queue_id = ids[0] if ids else ""
        if vector["client"] == "sendmail":
            reply = "ok" if (self.root / "queue" / "incoming" / queue_id).is_file() else "refused"
        expect = {"reply": hide(reply, queue_id)}
        if self._find(queue_id):
            expect.update(self._queued(queue_id))
        expect["log"] = [
            hide(line, queue_id) for line in lines if not queue_id or queue_id in line or "warning" in line
        ]
        return expect

    def _log(self) -> str:
        path = self.root / "log"
        return path.read_text(errors="surrogateescape") if path.exists() else ""

    def _find(self, queue_id: str) -> str:
        for name in ("incoming", "hold"):
            if queue_id and (self.root / "queue" / name / queue_id).is_file():
                return name
        return ""

    def _smtp(self, vector: dict) -> str:
        port = PORT if vector["client"] == "local" else PORT + 1
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            replies = connection.makefile("rb")

            def ask(line: str) -> str:
                connection.sendall(line.encode("utf-8", "surrogateescape") + b"\r\n")
                return reply()

            def reply() -> str:
                while (line := replies.readline().decode())[3:4] == "-":
                    pass
                return line.rstrip()

            reply()
            ask("EHLO client.example")
            ask(f"MAIL FROM:<{vector['sender']}> {vector.get('mail', '')}")
            for recipient, options in vector["recipients"]:
                ask(f"RCPT TO:<{recipient}> {options}")
            answer = ask("DATA")
            if not answer.startswith("354"):
                return answer
            connection.sendall(re.sub(rb"(?m)^\.", b"..", content(vector)) + b".\r\n")
            return reply()

    def _sendmail(self, vector: dict) -> str:
        arguments = ["/usr/sbin/sendmail", "-C", str(self.root / "etc"), "-i", "-F", vector.get("fullname", "")]
        arguments += ["-f", vector["sender"] or "<>", *[recipient for recipient, _ in vector["recipients"]]]
        subprocess.run(arguments, input=content(vector).replace(b"\r\n", b"\n"), check=True, capture_output=True)
        time.sleep(2)
        return ""

    def _queued(self, queue_id: str) -> dict:
        command = ["/usr/sbin/postcat", "-c", str(self.root / "etc"), "-q", queue_id]
        text = subprocess.run(command, capture_output=True, check=True).stdout.decode("utf-8", "surrogateescape")
        head, _, rest = text.partition("*** MESSAGE CONTENTS")
        body, _, tail = rest.partition("\n*** HEADER EXTRACTED")
        body = body.partition("\n")[2]
        lines, trailing = [], []
        for line in body.split("\n"):
            (trailing if is_record(line) else lines).append(line)
        records = head.split("\n") + trailing + tail.split("\n")
        return {
            "state": self._find(queue_id),
            "content": MADE_HERE.sub("", hide("\n".join(lines) + "\n", queue_id)).split("\n")[:-1],
            **envelope(records),
        }


def is_record(line: str) -> bool:
    return (
        re.match(r"named_attribute: |original_recipient: |recipient: |content_filter: |redirect_to: ", line) is not None
    )


def envelope(records: list[str]) -> dict:
    """What the envelope records of a queue file say."""
    result: dict = {"sender": "", "recipients": []}
    pending = {"orcpt": "", "notify": 0, "original": ""}
    for record in records:
        name, _, value = record.partition(": ")
        if name == "named_attribute":
            attribute, _, value = value.partition("=")
            if attribute == "dsn_orig_rcpt":
                pending["orcpt"] = value
            elif attribute == "notify_flags":
                pending["notify"] = int(value)
            elif attribute == "encoding":
                result["encoding"] = value
            continue
        if name == "sender":
            result["sender"] = value
        elif name == "original_recipient":
            pending["original"] = value
        elif name == "recipient":
            result["recipients"].append([value, pending["original"], pending["orcpt"], pending["notify"]])
            pending = {"orcpt": "", "notify": 0, "original": ""}
        elif name in ("content_filter", "redirect_to"):
            result[name] = value
    return result


def hide(text: str, queue_id: str) -> str:
    """What differs from one recording to the next gets a fixed name."""
    if queue_id:
        text = text.replace(queue_id, "QUEUEID")
    text = re.sub(r"<\d{14}\.QUEUEID@", "<TIME.QUEUEID@", text)
    return re.sub(r"(?m)^((?:Resent-)?Date: )\w{3}, .. \w{3} \d{4} ..:..:.. \+0000 \(UTC\)$", r"\1DATE", text)


def content(vector: dict) -> bytes:
    return "".join(line + "\r\n" for line in vector["message"]).encode("utf-8", "surrogateescape")


def main(names: list[str]) -> None:
    groups: dict[str, list[Path]] = {}
    for path in sorted(VECTORS.glob("*.json")):
        if not names or path.stem in names:
            vector = json.loads(path.read_text())
            key = json.dumps([vector["settings"], vector.get("tables", {})])
            groups.setdefault(key, []).append(path)
    for key, paths in groups.items():
        postfix = Postfix(*json.loads(key))
        try:
            for path in paths:
                vector = json.loads(path.read_text())
                vector["expect"] = postfix.record(vector)
                path.write_text(json.dumps(vector, indent=1) + "\n")
                print(path.stem, vector["expect"]["reply"])
        finally:
            postfix.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
