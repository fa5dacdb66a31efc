"""The TLS record layer of one connection, between octets that travel and octets that are meant. No sockets, no time.

Its owner passes on what arrives (``receive``), hands over what is to be said (``send``), and sends what ``take`` gives,
after each of these. OpenSSL works on memory here, so the owner decides about reading, writing and their order itself.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL

__all__ = ["TlsFailed", "TlsLayer", "problems_of"]

_PIECE = 65536
#: Numbers that log analysers know, of OpenSSL's commonest complaints (library 20, SSL routines).
_REASONS = {
    "wrong version number": 267, "unsupported protocol": 258, "no shared cipher": 193, "http request": 156,
    "unknown protocol": 252, "https proxy request": 155, "bad packet length": 115, "no suitable signature algorithm": 118,
    "unexpected eof while reading": 294, "certificate verify failed": 134, "decryption failed or bad record mac": 281,
    "packet length too long": 198, "record layer failure": 313, "inappropriate fallback": 373, "unexpected message": 244,
    "version too low": 396, "no protocols available": 191, "peer did not return a certificate": 199,
    "tlsv1 alert protocol version": 1070, "ssl/tls alert handshake failure": 1040, "ssl/tls alert bad certificate": 1042,
    "sslv3 alert handshake failure": 1040, "sslv3 alert bad certificate": 1042, "sslv3 alert certificate unknown": 1046,
    "ssl/tls alert certificate unknown": 1046, "sslv3 alert certificate expired": 1045, "tlsv1 alert unknown ca": 1048,
    "ssl/tls alert certificate expired": 1045, "tlsv1 alert internal error": 1080, "tlsv1 alert decrypt error": 1051,
    "tlsv1 unrecognized name": 1112, "sslv3 alert unexpected message": 1010, "ssl/tls alert unexpected message": 1010,
}  # fmt: skip


class TlsFailed(Exception):
    """The peer's TLS, or ours, is of no use. ``problems`` are lines for the log."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems[0] if problems else "lost connection")
        self.problems = problems


class TlsLayer:
    """``established`` turns True when the handshake is done, ``ended`` when the peer says that it sends no more.

    :param context: SSL.Context. :param server: which side we are.
    :param name: the name that a client asks for (SNI), or "".
    """

    __slots__ = ("connection", "ended", "established")

    def __init__(self, context: SSL.Context, server: bool, name: str = "") -> None:
        connection = SSL.Connection(context, None)
        self.connection: Any = connection
        self.established = False
        self.ended = False
        connection.set_app_data({})
        if server:
            connection.set_accept_state()
        else:
            connection.set_connect_state()
            if name:
                connection.set_tlsext_host_name(name.encode("idna" if not name.isascii() else "ascii"))

    def begin(self) -> None:
        """The client's first words. :raise TlsFailed:"""
        self._shake()

    def receive(self, octets: bytes) -> bytes:
        """Take what arrived; give what it means, maybe nothing yet. :raise TlsFailed:"""
        connection = self.connection
        connection.bio_write(octets)
        if not self.established and not self._shake():
            return b""
        pieces: list[bytes] = []
        try:
            while True:
                pieces.append(connection.recv(_PIECE))
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.ended = True
        except SSL.Error as error:
            raise _failed(error) from None
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def send(self, octets: bytes) -> None:
        """:raise TlsFailed:"""
        view = memoryview(octets)
        try:
            while view:
                view = view[self.connection.send(view) :]
        except SSL.Error as error:
            raise _failed(error) from None

    def take(self) -> bytes:
        """What is to travel now."""
        connection = self.connection
        pieces: list[bytes] = []
        try:
            while True:
                piece = connection.bio_read(_PIECE)
                pieces.append(piece)
                if len(piece) < _PIECE:
                    break
        except SSL.WantReadError:
            pass
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Say that no more will be sent."""
        if self.established:
            try:
                self.connection.shutdown()
            except SSL.Error:
                self.ended = True  # the peer's fault, and there is nobody left to tell

    def _shake(self) -> bool:
        try:
            self.connection.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as error:
            raise _failed(error) from None
        self.established = True
        return True


def _failed(error: SSL.Error) -> TlsFailed:
    return TlsFailed(problems_of(error))


def problems_of(error: SSL.Error) -> list[str]:
    """OpenSSL's complaints as lines for the log; none if the connection just ended."""
    problems: list[str] = []
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    for library, _, reason in entries:
        number = _REASONS.get(reason) if library == "SSL routines" else None
        code = f"{0x0A000000 + number:08X}" if number is not None else ""
        problems.append(f"TLS library problem: error:{code}:{library}::{reason}:")
    return problems
