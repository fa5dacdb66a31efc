"""Where several daemons are born at once: ``python -m mailer.master.nursery KIND ...``, started by master.

It imports what daemons of these kinds need, once, and then forks a daemon for each packet on descriptor 3, whose descriptor is
the new one's control channel. It ends when master hangs up, before any daemon serves. So a start costs the imports of one
process, and the daemons share the memory of what was imported. It holds no secret and reads no configuration; a daemon that
dies later is started by an interpreter of its own.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
from importlib import import_module

from mailer.daemons.kinds import KINDS
from mailer.master import child
from mailer.master.control import receive, send
from mailer.master.preload import preload

__all__ = ["main"]


def main() -> None:
    sock = socket.socket(fileno=child.CONTROL)
    os.set_inheritable(child.CONTROL, False)
    gc.disable()
    for kind in dict.fromkeys(sys.argv[1:]):
        import_module(KINDS[kind][0])
    preload()
    gc.freeze()  # what is shared now stays shared: nobody's collector looks at it
    while (packet := receive(sock)) is not None:
        message, (descriptor,) = packet
        pid = os.fork()
        if pid == 0:
            sock.close()
            gc.enable()
            child.main(descriptor)
            return
        os.close(descriptor)
        send(sock, {"type": "born", "id": message["id"], "pid": pid})


if __name__ == "__main__":
    main()
