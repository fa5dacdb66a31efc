"""A directory server in memory that answers as a test says, and remembers what it was asked."""

from dataclasses import dataclass

from twisted.internet.protocol import Factory, Protocol

from mailer.tables.ldap.ber import children, enumerated, header, integer, message_end, octets, packed

BIND, UNBIND, SEARCH, ABANDON, EXTENDED = 0x60, 0x42, 0x63, 0x50, 0x77


@dataclass
class Asked:
    base: str
    scope: int
    dereference: int
    size_limit: int
    time_limit: int
    filter: bytes
    attributes: list
    page: tuple | None = None  # size, cookie


def number(data, element):
    _, start, stop = element
    return int.from_bytes(data[start:stop], "big", signed=True)


def text(data, element):
    _, start, stop = element
    return data[start:stop].decode()


def parse_search(data, start, stop, rest, end):
    parts = children(data, start, stop)
    base, scope, deref, size, time, _, filter_, attributes = parts
    names = [text(data, part) for part in children(data, attributes[1], attributes[2])]
    page = None
    if rest < end:
        _, first, last = header(data, rest, end)
        control = children(data, first, last)[0]
        value = children(data, control[1], control[2])[-1]
        inner = data[value[1] : value[2]]
        _, a, b = header(inner, 0, len(inner))
        size_part, cookie = children(inner, a, b)
        page = (number(inner, size_part), inner[cookie[1] : cookie[2]])
    filter_start = parts[5][2]
    return Asked(
        text(data, base), number(data, scope), number(data, deref), number(data, size), number(data, time),
        data[filter_start : filter_[2]], names, page,
    )  # fmt: skip


def entry(dn, **attributes):
    """Attributes are lists of values."""
    return raw_entry(dn, list(attributes.items()))


def raw_entry(dn, attributes):
    encoded = b"".join(
        packed(0x30, octets(name.encode()) + packed(0x31, b"".join(octets(value.encode()) for value in values)))
        for name, values in attributes
    )
    return packed(0x64, octets(dn.encode()) + packed(0x30, encoded))


def reference(*urls):
    return packed(0x73, b"".join(octets(url.encode()) for url in urls))


def result(tag, code, text="", referrals=(), more=b""):
    extra = packed(0xA3, b"".join(octets(url.encode()) for url in referrals)) if referrals else b""
    return packed(tag, enumerated(code) + octets(b"") + octets(text.encode()) + extra + more)


def done(code=0, text="", referrals=()):
    return result(0x65, code, text, referrals)


def page_cookie(cookie):
    value = packed(0x30, integer(0) + octets(cookie))
    return packed(0xA0, packed(0x30, octets(b"1.2.840.113556.1.4.319") + octets(value)))


class Session(Protocol):
    def __init__(self, directory):
        self.directory = directory
        self.buffer = b""
        self.open = True

    def connectionMade(self):
        self.directory.sessions.append(self)

    def connectionLost(self, reason):
        self.open = False

    def dataReceived(self, data):
        self.buffer += data
        while (end := message_end(self.buffer, 0, 1 << 24)) is not None and end <= len(self.buffer):
            message, self.buffer = self.buffer[:end], self.buffer[end:]
            self.take(message)

    def take(self, message):
        _, start, stop = header(message, 0, len(message))
        ident = header(message, start, stop)
        ident_number = number(message, ident)
        tag, first, last = header(message, ident[2], stop)
        directory = self.directory
        if tag == BIND:
            directory.binds.append(message[first:last])
            if not directory.silent:
                self.say(ident_number, result(0x61, directory.bind_code))
        elif tag == SEARCH:
            asked = parse_search(message, first, last, last, stop)
            if not asked.base and asked.attributes == ["1.1"]:
                directory.life_signs += 1
                if not directory.silent:
                    self.say(ident_number, done())
                return
            directory.asked.append(asked)
            if not directory.silent:
                directory.answer(self, ident_number, asked)
        elif tag == ABANDON:
            directory.abandoned.append(int.from_bytes(message[first:last], "big"))
        elif tag == UNBIND:
            directory.unbound += 1
            self.transport.loseConnection()

    def say(self, ident, *operations, controls=b""):
        data = b"".join(
            packed(0x30, integer(ident) + operation + (controls if operation is operations[-1] else b""))
            for operation in operations
        )
        piece = self.directory.piece
        for at in range(0, len(data), piece or len(data)):
            self.transport.write(data[at : at + (piece or len(data))])


class ScriptedDirectory(Factory):
    """:param answers: base -> list of operations to answer with (`entry`, `done` ...); "*" for other bases. A function is
    called with session, number and Asked."""

    noisy = False

    def __init__(self, answers=None):
        self.answers = answers or {}
        self.sessions = []
        self.asked = []
        self.binds = []
        self.abandoned = []
        self.unbound = 0
        self.life_signs = 0
        self.bind_code = 0
        self.silent = False
        self.piece = 0  # octets in one write; 0: all

    def buildProtocol(self, addr):
        return Session(self)

    def answer(self, session, ident, asked):
        operations = self.answers.get(asked.base, self.answers.get("*", [done()]))
        if callable(operations):
            operations(session, ident, asked)
        else:
            session.say(ident, *operations)
