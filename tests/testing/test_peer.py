"""The scripted server does as it is told."""

import pytest

from mailer.testing.network import MemoryNetwork
from mailer.testing.peer import DROP, HANG, After, Peer, Script


class Client:
    """Says octets, remembers what it hears."""

    def __init__(self, *scripts):
        self.network = MemoryNetwork()
        self.peer = Peer(*scripts, clock=self.network)
        self.network.listeners["192.0.2.1", 25] = self.peer
        self.call()

    def call(self):
        self.heard, self.lost = b"", False
        self.network.connectTCP("192.0.2.1", 25, self)
        self.network.settle()

    def buildProtocol(self, address):
        return self

    def makeConnection(self, transport):
        self.transport = transport

    def dataReceived(self, data):
        self.heard += data

    def connectionLost(self, reason):
        self.lost = True

    def say(self, octets):
        self.heard = b""
        self.transport.write(octets)
        self.network.settle()
        return self.heard


MESSAGE = b"MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\nDATA\r\nhello\r\n..dot\r\n.\r\n"


@pytest.mark.parametrize("step", [None, 1])
def test_a_message(step):
    client = Client()
    assert client.heard == b"220 peer.example ESMTP\r\n"
    assert client.say(b"EHLO me\r\n").splitlines()[:2] == [b"250-peer.example", b"250-PIPELINING"]
    pieces = [MESSAGE] if step is None else [MESSAGE[n : n + step] for n in range(0, len(MESSAGE), step)]
    heard = b"".join(client.say(piece) for piece in pieces)
    assert [line[:3] for line in heard.splitlines()] == [b"250", b"250", b"250", b"354", b"250"]
    (mail,) = client.peer.mails
    assert (mail.mail, mail.rcpts, mail.content) == (
        "MAIL FROM:<a@x>", ["RCPT TO:<b@x>", "RCPT TO:<c@x>"], b"hello\r\n..dot\r\n",
    )  # fmt: skip
    client.say(b"QUIT\r\n")
    assert client.lost and client.peer.sessions[0].lost and client.peer.commands[0][-2:] == [".", "QUIT"]


def test_an_empty_message():
    client = Client()
    client.say(b"MAIL FROM:<>\r\nRCPT TO:<b@x>\r\nDATA\r\n.\r\n")
    assert client.peer.mails[0].content == b""


def test_lmtp_answers_for_each_accepted_recipient():
    client = Client(Script(lmtp=True, RCPT=["250 ok", "550 no", "250 ok"], DOT=["250 one", "452 two"]))
    heard = client.say(b"LHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\nRCPT TO:<b>\r\nRCPT TO:<c>\r\nDATA\r\nx\r\n.\r\n")
    assert heard.endswith(b"250 one\r\n452 two\r\n")


def test_answers_in_turn_then_the_last_for_ever_and_each_connection_from_the_beginning():
    client = Client(Script(NOOP=["250 one", "450 two"]))
    for _ in range(2):
        assert client.say(b"NOOP\r\nNOOP\r\nNOOP\r\n") == b"250 one\r\n450 two\r\n450 two\r\n"
        client.call()


def test_scripts_in_turn():
    client = Client(Script(GREETING="421 one"), Script(GREETING="220 two"))
    heard = [client.heard]
    for _ in range(2):
        client.call()
        heard.append(client.heard)
    assert heard == [b"421 one\r\n", b"220 two\r\n", b"220 two\r\n"]


def test_drop_and_hang():
    client = Client(Script(MAIL=DROP, RCPT=HANG, NOOP="250 bye|drop"))
    assert client.say(b"RCPT TO:<a>\r\nRSET\r\n") == b"" and not client.lost
    client.call()
    assert client.say(b"MAIL FROM:<>\r\nRSET\r\n") == b"" and client.lost
    client.call()
    assert client.say(b"NOOP\r\nRSET\r\n") == b"250 bye\r\n" and client.lost


def test_a_late_answer_holds_up_those_after_it():
    client = Client(Script(MAIL=After(5, "250 late")))
    assert client.say(b"MAIL FROM:<>\r\nRSET\r\n") == b""
    client.network.advance(5), client.network.settle()
    assert client.heard == b"250 late\r\n250 2.0.0 Ok\r\n"


def test_unknown_commands():
    assert Client().say(b"FOO\r\n").startswith(b"500 ")
