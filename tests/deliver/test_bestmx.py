"""best_mx_transport: mail that would come back to ourselves goes to another transport."""

from twisted.internet.defer import Deferred

from mailer.deliver.smtp.bestmx import BestMx
from mailer.deliver.smtp.desk import Desk
from mailer.deliver.smtp.parameters import ClientParameters
from mailer.deliver.smtp.transport import SmtpTransport
from mailer.message.delivery import DeliveryRequest
from mailer.message.envelope import Envelope, Recipient
from mailer.message.status import Outcome
from mailer.testing.dns import FakeResolver
from mailer.testing.log import RecordingLog
from mailer.testing.network import MemoryNetwork
from mailer.testing.queue import MemoryContent
from mailer.testing.transports import RecordingOutcomes

ZONE = {
    "me.example": {"MX": [(10, "mx.me.example")]},
    "second.example": {"MX": [(10, "other.example"), (20, "mx.me.example")]},
    "mx.me.example": {"A": ["192.0.2.1"]},
    "other.example": {},
}


class Local:
    def __init__(self):
        self.requests = []

    async def deliver(self, request, outcomes):
        self.requests.append(request)
        for recipient in request.recipients:
            outcomes.tell(recipient, Outcome.sent("delivered"))


def deliver(spec, nexthop="me.example", **transports):
    network, log = MemoryNetwork(), RecordingLog()
    best = BestMx(spec, transports, log) if spec else None
    desk = Desk(
        ClientParameters(),
        network,
        lambda: 1e9,
        log,
        FakeResolver(ZONE),
        is_own={"192.0.2.1"}.__contains__,
        best_mx=best,
    )
    recipients = [Recipient("a@me.example"), Recipient("b@me.example")]
    request = DeliveryRequest("QID", Envelope("s@x.example"), MemoryContent(b"x\r\n"), "smtp", nexthop, recipients)
    outcomes, done = RecordingOutcomes(), []
    Deferred.fromCoroutine(SmtpTransport(desk).deliver(request, outcomes)).addBoth(done.append)
    network.settle()
    assert done == [None]
    return log.lines, [(recipient.address, outcome.fate.value, outcome.text) for recipient, outcome in outcomes.told]


def test_mail_is_passed_on():
    local = Local()
    lines, told = deliver("local", local=local)
    assert told == [("a@me.example", "sent", "delivered"), ("b@me.example", "sent", "delivered")]
    assert lines == [f"info QID: passing <{name}@me.example> to transport=local" for name in "ab"]
    (request,) = local.requests
    assert (request.transport, request.nexthop) == ("local", "me.example")
    local = Local()
    deliver("local:there", local=local)
    assert local.requests[0].nexthop == "there"


def test_without_it_mail_is_returned():
    _, told = deliver("")
    assert [fate for _, fate, _ in told] == ["bounced", "bounced"]


def test_a_transport_that_is_not_there():
    lines, told = deliver("local")
    assert lines[0] == "warning QID: cannot pass mail to transport local: there is none"
    assert told[0][1:] == ("bounced", "mail for me.example loops back to myself")


def test_only_the_best_exchanger_may_take_it():
    local = Local()
    _, told = deliver("local", "second.example", local=local)
    assert not local.requests and told[0][1] == "deferred"
