"""What transports are given and asked in tests: a request, a memory of outcomes, hands that work at once."""

from mailer.config.settings import Settings
from mailer.deliver.command.running import run
from mailer.deliver.hands.hands import FileText
from mailer.deliver.hands.tasks import Tasks
from mailer.deliver.mailbox.deposit import WriteFailure
from mailer.interfaces.context import Context
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Envelope, Recipient
from mailer.testing.log import RecordingLog
from mailer.testing.queue import MemoryContent
from mailer.testing.tables import MemoryTables

CONTENT = b"Received: by us\r\nSubject: test\r\n\r\nline one\r\n.dot\r\nFrom here\r\n>From x\r\nlast\r\n"
BODY = CONTENT.replace(b"\r\n", b"\n")


class Outcomes:
    """``told`` holds ``(address, outcome)`` in order, ``log`` ``(address, original, outcome)`` of all that is logged."""

    def __init__(self):
        self.told = []
        self.log = []
        self.unreachable_calls = []

    def tell(self, recipient, outcome, shown=None):
        self.told.append((recipient.address, outcome))
        self.partial(shown or recipient, outcome)

    def partial(self, shown, outcome):
        self.log.append((shown.address, shown.original, outcome))

    def unreachable(self, status, reason):
        self.unreachable_calls.append((status, reason))

    def lines(self):
        """As the log has them."""
        return [f"{address} {one.fate.value} {one.status} {one.text}" for address, one in self.told]


class InlineHands:
    """Does everything at once, as whoever runs the tests; ``identities`` remembers as whom it should have been."""

    def __init__(self):
        self.tasks = Tasks()
        self.identities = []
        self.stopped = False

    async def deliver(self, identity, deposit, content):
        self.identities.append(identity)
        pieces = [piece async for piece in content.chunks()]
        answer, _ = self.tasks.perform({"task": "deposit", "deposit": deposit.as_data()}, pieces)
        if answer:
            raise WriteFailure(**answer)

    async def run(self, identity, command, content):
        self.identities.append(identity)
        pieces = [piece async for piece in content.chunks()]
        return run(command, pieces)  # not by way of the tasks, which run nothing as root

    async def read(self, identity, path):
        answer, text = self.tasks.perform({"task": "read", "path": path, "limit": 1 << 20}, ())
        return FileText(text=text, **answer)

    async def stop(self):
        self.stopped = True


def request(*recipients, sender="sender@v.example", content=CONTENT, probe=False, nexthop="v.example", **more):
    given = [one if isinstance(one, Recipient) else Recipient(one) for one in recipients]
    envelope = Envelope(sender, **more)
    return DeliveryRequest("C644620C013", envelope, MemoryContent(content), "test", nexthop, given, probe=probe)


def context(settings, tables=None, **more):
    given = {"myhostname": "mta.example.org", "compatibility_level": "3.6", **settings}
    return Context(
        settings=Settings({}).with_overrides(given),
        reactor=more.pop("reactor", None),
        seconds=more.pop("seconds", lambda: 1795534940.0),
        log=RecordingLog(),
        tables=MemoryTables(tables or {}),
        **more,
    )
