"""mailq, postqueue, postsuper, postcat against the running server, as operators use them."""

import json
import re
import signal

from peers import wait_until


class Relay:
    """A server whose relay says what the test wants it to, and the queue as its tools show it."""

    def __init__(self, mta, sink, main=""):
        self.answer = b"451 4.3.0 later"
        self.peer = sink({"RCPT": lambda _: self.answer})
        self.server = mta(f"relayhost = [127.0.0.1]:{self.peer.port}\n{main}")

    def send(self, *names, domain="elsewhere.test"):
        for name in names:
            self.server.send([f"{name}@{domain}"])

    def queue(self):
        """Recipient's name -> the entry, as ``postqueue -j`` shows it."""
        found = {}
        for line in self.server.tool("postqueue", "-j").stdout.splitlines():
            entry = json.loads(line)
            for recipient in entry["recipients"]:
                found[recipient["address"].partition("@")[0]] = {**entry, "reason": recipient.get("delay_reason", "")}
        return found

    def names(self, queue_name):
        return {name for name, entry in self.queue().items() if entry["queue_name"] == queue_name}

    def wait_for(self, queue_name, *names):
        if queue_name == "deferred":  # reading the log costs less than running a tool again and again
            for name in names:
                self.server.wait_for_log(f"to=<{name}@", "status=deferred")
        wait_until(lambda: self.names(queue_name) == set(names), what=f"{names} in {queue_name}")
        return {name: entry["queue_id"] for name, entry in self.queue().items() if entry["queue_name"] == queue_name}

    def postsuper(self, *arguments, input=None, check=True):
        result = self.server.tool("postsuper", *arguments, input=input, check=check)
        return result.stderr.decode().splitlines()

    def relayed(self):
        return sorted(
            rcpt.split()[0][4:-1].decode().partition("@")[0] for _, rcpts, _ in self.peer.messages for rcpt in rcpts
        )


def test_what_the_listings_say(mta, sink):
    relay = Relay(mta, sink)
    assert relay.server.tool("mailq").stdout == relay.server.tool("postqueue", "-p").stdout == b"Mail queue is empty\n"
    assert relay.server.tool("postqueue", "-j").stdout == b""
    relay.server.send(["a@elsewhere.test", "b@elsewhere.test"])
    relay.wait_for("deferred", "a", "b")
    entry = relay.queue()["a"]
    assert entry["sender"] == "sender@example.test" and entry["message_size"] > 100 and entry["arrival_time"] > 1e9
    assert entry["forced_expire"] is False
    assert [recipient["address"] for recipient in entry["recipients"]] == ["a@elsewhere.test", "b@elsewhere.test"]
    assert entry["reason"] == "host 127.0.0.1[127.0.0.1] said: 451 4.3.0 later (in reply to RCPT TO command)"
    lines = relay.server.tool("mailq").stdout.decode().splitlines()
    assert lines[0] == "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------"
    assert re.fullmatch(
        rf"{entry['queue_id']} +{entry['message_size']} \w{{3}} \w{{3}} [ \d]\d [\d:]{{8}}  sender@example\.test",
        lines[1],
    )
    assert lines[2].strip() == f"({entry['reason']})"
    assert [line.strip() for line in lines[3:5]] == ["a@elsewhere.test", "b@elsewhere.test"]
    assert lines[-1] == "-- 0 Kbytes in 1 Request."
    shown = relay.server.tool("postcat", "-q", entry["queue_id"]).stdout.decode()
    assert "sender: sender@example.test" in shown and "recipient: b@elsewhere.test" in shown and "\nhello\n" in shown


def test_hold_and_release(mta, sink):
    relay = Relay(mta, sink)
    relay.send("a", "b")
    ids = relay.wait_for("deferred", "a", "b")
    said = relay.postsuper("-h", ids["a"])
    assert said == [f"postsuper: {ids['a']}: placed on hold", "postsuper: Placed on hold: 1 message"]
    assert relay.names("hold") == {"a"}
    assert f"{ids['a']}!" in relay.server.tool("mailq").stdout.decode()
    relay.answer = b"250 2.1.5 Ok"
    relay.server.tool("postqueue", "-f")
    wait_until(lambda: relay.relayed() == ["b"], what="what is not held")
    relay.server.tool("postqueue", "-i", ids["a"])  # of no effect on what is held
    assert relay.names("hold") == {"a"}
    assert relay.postsuper("-H", ids["a"]) == [
        f"postsuper: {ids['a']}: released from hold",
        "postsuper: Released from hold: 1 message",
    ]
    wait_until(lambda: relay.relayed() == ["a", "b"], what="what was released")
    wait_until(lambda: relay.queue() == {}, what="an empty queue")


def test_hold_and_delete_while_a_delivery_is_under_way(mta, sink):
    relay = Relay(mta, sink)
    relay.answer = b""  # replaced below, once the transaction hangs
    release = []

    def hang(_):
        wait_until(lambda: release, what="the test's word")
        return b"451 4.3.0 now later"

    relay.peer.script["RCPT"] = hang
    relay.send("a", "b")
    ids = relay.wait_for("active", "a", "b")
    assert f"{ids['a']}*" in relay.server.tool("mailq").stdout.decode()
    relay.postsuper("-h", ids["a"])
    relay.postsuper("-d", ids["b"])
    release.append(True)
    relay.wait_for("hold", "a")
    wait_until(lambda: set(relay.queue()) == {"a"}, what="the end of b")
    relay.peer.script["RCPT"] = b"250 2.1.5 Ok"
    relay.postsuper("-H", "ALL")
    wait_until(lambda: relay.relayed() == ["a"], what="what was released")


def test_delete_one_some_and_all(mta, sink):
    relay = Relay(mta, sink)
    relay.send("a", "b", "c", "d", "e")
    ids = relay.wait_for("deferred", "a", "b", "c", "d", "e")
    assert relay.postsuper("-d", ids["a"]) == [f"postsuper: {ids['a']}: removed", "postsuper: Deleted: 1 message"]
    said = relay.postsuper("-d", "-", input=f"{ids['b']}\n{ids['c']}\n".encode())
    assert said[-1] == "postsuper: Deleted: 2 messages"
    assert set(relay.queue()) == {"d", "e"}
    relay.postsuper("-h", ids["d"])
    assert relay.postsuper("-d", "ALL", "hold")[-1] == "postsuper: Deleted: 1 message"
    assert set(relay.queue()) == {"e"}
    assert relay.postsuper("-d", "ALL")[-1] == "postsuper: Deleted: 1 message"
    assert relay.queue() == {}
    relay.answer = b"250 2.1.5 Ok"
    relay.send("f")  # the server goes on
    wait_until(lambda: relay.relayed() == ["f"], what="the next message")
    assert relay.postsuper("-d", ids["a"]) == ["postsuper: Deleted: 0 messages"]
    said = relay.postsuper("-d", "../../etc")
    assert said == ["postsuper: warning: invalid mail queue id: ../../etc", "postsuper: Deleted: 0 messages"]


def test_requeue_applies_what_main_cf_says_now(mta, sink):
    relay = Relay(mta, sink)
    relay.send("old")
    ids = relay.wait_for("deferred", "old")
    (relay.server.directory / "main.cf").open("a").write(
        "virtual_alias_maps = inline:{old@elsewhere.test=new@example.test}\n"
    )
    relay.server.process.send_signal(signal.SIGHUP)
    relay.server.wait_for_log("reload -- configuration")
    assert relay.postsuper("-r", "ALL")[-1] == "postsuper: Requeued: 1 message"
    (content,) = relay.server.wait_for_mail("new")
    assert b"Subject: test" in content and content.count(b"\nReceived: ") == 2
    wait_until(lambda: relay.queue() == {}, what="an empty queue")
    assert ids["old"] in relay.server.log()


def test_flush_one_and_flush_a_site(mta, sink):
    relay = Relay(mta, sink, "fast_flush_domains = one.test, two.test\n")
    relay.send("a", "b", domain="one.test")
    relay.send("c", domain="two.test")
    relay.send("d", domain="three.test")
    ids = relay.wait_for("deferred", "a", "b", "c", "d")
    relay.answer = b"250 2.1.5 Ok"
    relay.server.tool("postqueue", "-i", ids["a"])
    wait_until(lambda: relay.relayed() == ["a"], what="the one that was named")
    relay.server.tool("postqueue", "-s", "two.test")
    wait_until(lambda: relay.relayed() == ["a", "c"], what="the site's mail")
    refused = relay.server.tool("postqueue", "-s", "three.test", check=False)
    assert refused.returncode == 69
    assert refused.stderr == b'postqueue: fatal: Flush service is not configured for destination "three.test"\n'
    with relay.server.smtp() as client:
        client.ehlo()
        assert client.docmd("ETRN", "one.test") == (250, b"Queuing started")
        assert client.docmd("ETRN", "three.test")[0] == 459
    wait_until(lambda: relay.relayed() == ["a", "b", "c"], what="ETRN's mail")
    assert relay.names("deferred") == {"d"}
    relay.server.tool("sendmail", "-q")
    wait_until(lambda: relay.queue() == {}, what="an empty queue")


def test_expired_mail_is_returned_when_it_is_its_turn(mta, sink):
    relay = Relay(mta, sink)
    relay.send("a", "b")
    ids = relay.wait_for("deferred", "a", "b")
    assert relay.postsuper("-f", ids["a"])[-2:] == [
        "postsuper: Force-expired: 1 message",
        "postsuper: Released from hold: 0 messages",
    ]
    relay.server.tool("postqueue", "-i", ids["a"])
    (content,) = relay.server.wait_for_mail("sender")
    assert b"a@elsewhere.test" in content
    relay.server.wait_for_log("status=force-expired, returned to sender")
    relay.postsuper("-e", "ALL", "deferred")
    assert relay.queue()["b"]["forced_expire"] is True
    relay.server.tool("postqueue", "-f")
    relay.server.wait_for_mail("sender", 2)
    wait_until(lambda: relay.queue() == {}, what="an empty queue")


def test_tools_while_the_server_is_down(mta, sink):
    relay = Relay(mta, sink)
    relay.send("a", "b")
    ids = relay.wait_for("deferred", "a", "b")
    relay.server.stop()
    listing = relay.server.tool("mailq")
    assert (
        b"a@elsewhere.test" in listing.stdout and b"Mail system is down -- accessing queue directly" in listing.stderr
    )
    relay.postsuper("-d", ids["a"])
    relay.postsuper("-h", ids["b"])
    flushed = relay.server.tool("postqueue", "-f", check=False)
    assert flushed.returncode == 69 and flushed.stderr.endswith(b"Cannot flush mail queue - mail system is down\n")
    relay.answer = b"250 2.1.5 Ok"
    relay.server.start()
    assert relay.names("hold") == {"b"} and len(relay.queue()) == 1
    relay.postsuper("-H", "ALL")
    wait_until(lambda: relay.relayed() == ["b"], what="what was released")
