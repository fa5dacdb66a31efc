"""Authentication servers in memory that say what the real ones were heard to say: Dovecot's auth service, saslauthd."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from sasl_dialogue import USERS, saslauthd_answer
from twisted.internet.protocol import Factory, Protocol

MECHANISMS = (
    "MECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nMECH\tCRAM-MD5\tdictionary\tactive\n"
    "MECH\tSCRAM-SHA-256\tmutual-auth\nMECH\tANONYMOUS\tanonymous\nMECH\tEXTERNAL\n"
)
_WHERE = {"AUTH": "initial response", "CONT": "continued response"}


class _Dovecot(Protocol):
    def connectionMade(self):
        self.factory.connections.append(self)
        self._buffer = b""
        self._under_way = {}
        self.greeted = False
        self._write(self.factory.greeting)

    def _write(self, text):
        self.transport.write(text.encode("utf-8", "surrogateescape"))

    def dataReceived(self, data):
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            text = line.decode("utf-8", "surrogateescape")
            self.factory.heard.append(text)
            verb, *fields = text.split("\t")
            if verb in ("AUTH", "CONT"):
                self._take(verb, fields)

    def _take(self, verb, fields):
        number = fields[0]
        if verb == "AUTH":
            initial = next((field[5:] for field in fields if field.startswith("resp=")), None)
            steps = _MECHANISMS.get(fields[1].upper(), _external)(self.factory)
            self._under_way[number] = steps
            said = next(steps)
            if initial is None:
                return self._say(number, said)
        else:
            initial, steps = fields[1], self._under_way[number]
        if self.factory.drop:
            return self.transport.abortConnection()
        if self.factory.script:
            return self._write(self.factory.script.pop(0).replace("#", number) + "\n")
        try:
            octets = (
                base64.b64decode(initial.encode("utf-8", "surrogateescape"), validate=True) if initial != "=" else b""
            )
        except binascii.Error:
            return self._write(f"FAIL\t{number}\tcode=invalid_base64\treason=Invalid base64 data in {_WHERE[verb]}\n")
        return self._say(number, steps.send(octets.decode("utf-8", "surrogateescape")))

    def _say(self, number, said):
        if isinstance(said, bytes):
            self._write(f"CONT\t{number}\t{base64.b64encode(said).decode()}\n")
        else:
            good, fields = said
            self._write("\t".join(["OK" if good else "FAIL", number, *fields]) + "\n")


def _checked(factory, user, password, target=""):
    # A name that is not valid UTF-8 is nobody's, and Dovecot says so without naming it.
    if not user:
        return False, []
    good = USERS.get(user) == password and target in ("", user)
    extra = ["nologin"] if good and user == "closed" else []
    if factory.realm:
        good, user = False, f"{user}@{factory.realm}"
    return good, [f"user={user}", *extra]


def _plain(factory):
    said = yield b""
    parts = said.split("\0")
    yield _checked(factory, parts[1], parts[2], parts[0]) if len(parts) == 3 else (False, [])


def _login(factory):
    name = yield b"Username:"
    if not name:
        name = yield b"Username:"
    password = yield b"Password:"
    yield _checked(factory, name, password)


def _cram(factory):
    challenge = b"<1896.697170952@postoffice.example>"
    said = yield challenge
    name, _, digest = said.rpartition(" ")
    expected = hmac.new(USERS.get(name, "").encode(), challenge, hashlib.md5).hexdigest()
    yield digest == expected and name in USERS, [f"user={name}"]


def _anonymous(factory):
    yield b""
    yield True, ["user=anonymous"]


def _external(factory):
    yield b""
    yield False, []


_MECHANISMS = {"PLAIN": _plain, "LOGIN": _login, "CRAM-MD5": _cram, "ANONYMOUS": _anonymous, "EXTERNAL": _external}


class DovecotAuth(Factory):
    """``heard`` are the lines that came. ``drop``: connections end instead of an answer; ``script``: what is answered instead,
    with ``#`` for the number; ``realm``: every login fails under a name in it."""

    protocol = _Dovecot
    noisy = False

    def __init__(self, realm=""):
        self.greeting = f"VERSION\t1\t2\n{MECHANISMS}SPID\t4711\nCUID\t1\nCOOKIE\t29251d21\nDONE\n"
        self.heard = []
        self.connections = []
        self.drop = False
        self.script = []
        self.realm = realm


class _Saslauthd(Protocol):
    def connectionMade(self):
        self._buffer = b""

    def dataReceived(self, data):
        self._buffer += data
        texts, rest = [], self._buffer
        while len(rest) >= 2 and len(rest) >= 2 + int.from_bytes(rest[:2], "big"):
            length = int.from_bytes(rest[:2], "big")
            texts.append(rest[2 : 2 + length])
            rest = rest[2 + length :]
        if len(texts) == 4:
            self.factory.heard.append(tuple(texts))
            try:
                said = saslauthd_answer(*(text.decode() for text in texts)).encode()
            except UnicodeDecodeError:  # as the recorded one did
                return self.transport.loseConnection()
            self.transport.write(len(said).to_bytes(2, "big") + said)
            self.transport.loseConnection()
        return None


class SaslauthdServer(Factory):
    protocol = _Saslauthd
    noisy = False

    def __init__(self):
        self.heard = []
