"""A process that works as one user: started as root, it becomes that user before it reads a single request.

    python -m mailer.deliver.hands.worker UID GID GROUP,GROUP ROOT LIMITS FD FD ...

``ROOT`` is a directory to be confined to, or empty. ``LIMITS`` is for one that stays root (`Limits.as_text`), else empty. Each
descriptor is one end of a socket pair and gets a thread of its own, so that several messages wait for the disk at once. The
process ends when all of them are closed. It talks to nobody else and needs no further import once it has begun.
"""

from __future__ import annotations

import os
import socket
import sys
from threading import Thread

from mailer.deliver.hands.framing import LostConnection, content, pack, read_header
from mailer.deliver.hands.identity import Identity, become
from mailer.deliver.hands.limits import Limits
from mailer.deliver.hands.tasks import Tasks

__all__ = ["main", "serve"]


def serve(connection: socket.socket, tasks: Tasks) -> None:
    """Answer the requests of one connection until it ends."""
    with connection:
        try:
            while (request := read_header(connection.recv)) is not None:
                pieces = content(connection.recv, request["size"])
                answer, octets = tasks.perform(request, pieces)
                # What a failed delivery left unread would be taken for the next request.
                for _ in pieces:
                    pass
                connection.sendall(pack(answer, len(octets)) + octets)
        except (LostConnection, OSError):
            return


def main(arguments: list[str]) -> None:
    uid, gid, groups, root, limits, *descriptors = arguments
    become(Identity(int(uid), int(gid), tuple(int(group) for group in groups.split(",") if group), root))
    os.umask(0o077)
    os.chdir("/")
    tasks = Tasks(Limits.from_text(limits))
    threads = [Thread(target=serve, args=(socket.socket(fileno=int(number)), tasks)) for number in descriptors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1:])
