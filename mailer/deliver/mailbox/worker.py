"""A process that writes mailboxes as one user: started as root, it becomes that user before it reads a single request.

    python -m mailer.deliver.mailbox.worker UID GID GROUP,GROUP FD FD ...

Each descriptor is one end of a socket pair and gets a thread of its own, so that several messages wait for the disk at once.
The process ends when all of them are closed. It talks to nobody else and needs no further import once it has begun.
"""

from __future__ import annotations

import os
import socket
import sys
from threading import Thread

from mailer.deliver.mailbox.deposit import Deposit, WriteFailure
from mailer.deliver.mailbox.framing import LostConnection, content, pack, read_header
from mailer.deliver.mailbox.identity import Identity, become
from mailer.deliver.mailbox.writing import MailboxWriter

__all__ = ["main", "serve"]


def serve(connection: socket.socket, writer: MailboxWriter) -> None:
    """Answer the requests of one connection until it ends."""
    with connection:
        try:
            while (request := read_header(connection.recv)) is not None:
                connection.sendall(pack(_answer(connection, writer, request)))
        except (LostConnection, OSError):
            return


def _answer(connection: socket.socket, writer: MailboxWriter, request: dict) -> dict:
    pieces = content(connection.recv, request["size"])
    try:
        writer.deliver(Deposit.from_data(request["deposit"]), pieces)
    except WriteFailure as failure:
        answer = {
            "status": failure.status,
            "reason": failure.reason,
            "denied": failure.denied,
            "advice": failure.advice,
        }
    else:
        answer = {}
    # What a failed delivery left unread would be taken for the next request.
    for _ in pieces:
        pass
    return answer


def main(arguments: list[str]) -> None:
    uid, gid, groups, *descriptors = arguments
    become(Identity(int(uid), int(gid), tuple(int(group) for group in groups.split(",") if group)))
    os.umask(0o077)
    os.chdir("/")
    writer = MailboxWriter()
    threads = [Thread(target=serve, args=(socket.socket(fileno=int(number)), writer)) for number in descriptors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1:])
