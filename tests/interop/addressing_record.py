"""Records what Postfix's trivial-rewrite(8) and smtpd(8) answer to the questions in tests/vectors/addressing.

Needs root and an installed Postfix. Usage: ``python addressing_record.py [name ...]``; without names, all vectors.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

from clean_record import PORT, Postfix

VECTORS = Path(__file__).parent.parent / "vectors" / "addressing"
CLASSES = {256: "local", 512: "virtual_alias", 1024: "virtual_mailbox", 2048: "relay", 4096: "default"}
ROUTED, ERROR, FAIL = 2, 4, 8


class Asker(Postfix):
    def ask(self, **attributes: str) -> dict[str, str]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self.root / "queue" / "private" / "rewrite"))
            self._read(connection)  # it says which protocol it speaks
            words = [word for pair in attributes.items() for word in pair]
            text = "".join(f"{word}\0" for word in words) + "\0"
            connection.sendall(text.encode("utf-8", "surrogateescape"))
            answer = self._read(connection).decode("utf-8", "surrogateescape").split("\0")
        return dict(zip(answer[::2], answer[1::2], strict=False))

    @staticmethod
    def _read(connection: socket.socket) -> bytes:
        data = b""
        while not data.endswith(b"\0\0"):
            piece = connection.recv(65536)
            if not piece:
                break
            data += piece
        return data

    def rewrite(self, context: str, address: str) -> str:
        return self.ask(request="rewrite", rule=context, address=address)["address"]

    def resolve(self, sender: str, address: str) -> list | str:
        answer = self.ask(request="resolve", sender=sender, address=address)
        flags = int(answer["flags"])
        if flags & FAIL:
            return "cannot tell now"
        transport, nexthop = answer["transport"], answer["nexthop"]
        if flags & ERROR:
            transport, nexthop = "error", "5.1.3 bad address syntax"
        kind = CLASSES[flags & 0x1F00]
        return [transport, nexthop, answer["recipient"], kind, bool(flags & ROUTED), bool(flags & ERROR)]

    def existence(self, sender: str, recipient: str) -> str:
        with socket.create_connection(("127.0.0.1", PORT), 10) as connection:
            replies = connection.makefile("rb")
            replies.readline()
            for line in ("HELO client.example", f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>"):
                connection.sendall(line.encode() + b"\r\n")
                reply = replies.readline().decode().rstrip()
        return reply


def main(names: list[str]) -> None:
    for path in sorted(VECTORS.glob("*.json")):
        if names and path.stem not in names:
            continue
        vector = json.loads(path.read_text())
        settings = [*vector["settings"], "smtpd_reject_unlisted_recipient = yes", "smtpd_reject_unlisted_sender = yes"]
        postfix = Asker(settings, vector.get("tables", {}))
        try:
            for question in vector.get("rewrite", []):
                question[2:] = [postfix.rewrite(*question[:2])]
            for question in vector.get("resolve", []):
                question[2:] = [postfix.resolve(*question[:2])]
            for question in vector.get("recipient", []):
                question[1:] = [postfix.existence("", question[0])]
            for question in vector.get("sender", []):
                question[1:] = [postfix.existence(question[0], "postmaster@localhost")]
        finally:
            postfix.stop()
        path.write_text(compact(vector))
        print(path.stem)


def compact(vector: dict) -> str:
    """JSON with one question a line."""
    parts = []
    for key, value in vector.items():
        if isinstance(value, list):
            rows = ",\n  ".join(json.dumps(row) for row in value)
            parts.append(f" {json.dumps(key)}: [\n  {rows}\n ]")
        else:
            parts.append(f" {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    main(sys.argv[1:])
