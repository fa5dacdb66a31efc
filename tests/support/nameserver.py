"""A name server in a thread: answers from a zone in a dict, and says of some names that it has validated them."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from twisted.names import dns

TLSA = 52


class NameServer:
    """``zone``: ``{name: {type: [payload ...]}}``, types and payloads being those of twisted.names (TLSA: bytes); ``secure``:
    names whose answers have the AD bit; ``fails``: ``(name, type)`` answered SERVFAIL. ``asked`` records ``(name, type)``."""

    def __init__(self, zone, secure=(), fails=(), address="127.0.0.1", port=0):
        self.zone, self.secure, self.fails = zone, set(secure), set(fails)
        self.asked = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, port))
        self.port = self._socket.getsockname()[1]
        self._socket.settimeout(0.05)
        self._open = True
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while self._open:
            try:
                octets, peer = self._socket.recvfrom(4096)
            except TimeoutError:
                continue
            with suppress(OSError):
                self._socket.sendto(self._answer(octets), peer)

    def _answer(self, octets):
        question = dns.Message()
        question.fromStr(octets)
        query = question.queries[0]
        name = query.name.name.decode().lower()
        self.asked.append((name, query.type))
        known = self.zone.get(name)
        code = dns.ESERVER if (name, query.type) in self.fails else dns.OK if known is not None else dns.ENAME
        answer = dns.Message(
            question.id, answer=1, recDes=1, recAv=1, rCode=code, authenticData=name in self.secure, maxSize=0
        )
        answer.queries = [query]
        for payload in (known or {}).get(query.type, ()) if code == dns.OK else ():
            if isinstance(payload, bytes):
                payload = dns.UnknownRecord(payload)
            answer.answers.append(dns.RRHeader(name.encode(), query.type, dns.IN, 300, payload))
        return answer.toStr()

    def close(self):
        self._open = False
        self._thread.join()
        self._socket.close()
