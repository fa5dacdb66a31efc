"""The contract of restrictions, and greylisting itself, with a clock of one's own."""

from mailer_greylist.greylist import Greylist

from mailer.interfaces.context import Context
from mailer.message.envelope import Client, Envelope
from mailer.message.session import Session
from mailer.plugins.declaration import Restriction
from mailer.testing.log import RecordingLog
from mailer.testing.restrictions import MemoryExamination, RestrictionContract
from mailer.testing.tables import answer


class TestContract(RestrictionContract):
    factory = Restriction("defer_greylisted", "greylisting", "mailer_greylist.greylist.build", takes="number")
    argument = "300"

    def context(self):
        return Context(settings=None, reactor=None, seconds=lambda: 0.0, log=RecordingLog())


def attempt(greylist, address="192.0.2.7", recipient="u@example.com"):
    client = Client(address=address)
    session = Session(client, "RCPT", Envelope(sender="a@example.org", client=client), recipient)
    return answer(greylist.check(MemoryExamination(session)))


def test_whoever_comes_again_is_let_in():
    now = [0.0]
    greylist = Greylist(300, lambda: now[0])
    assert attempt(greylist).code == 450
    now[0] = 299.0
    assert "1 seconds" in attempt(greylist).text
    now[0] = 300.0
    assert attempt(greylist, address="192.0.2.99") is None
    assert attempt(greylist, recipient="v@example.com").code == 450


def test_a_network_that_always_comes_again_is_trusted():
    now = [0.0]
    greylist = Greylist(300, lambda: now[0])
    for number in range(5):
        assert attempt(greylist, recipient=f"u{number}@example.com").code == 450
    now[0] = 300.0
    for number in range(5):
        assert attempt(greylist, recipient=f"u{number}@example.com") is None
    assert attempt(greylist, recipient="new@example.com") is None
