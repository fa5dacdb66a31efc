"""Listings as Postfix 3.7 prints them: the expected texts were taken from there."""

import json
import time

import pytest

from mailer.message.listing import QueueListing
from mailer.queue.mailq import json_lines, table_lines

REFUSED = "connect to 127.0.0.1[127.0.0.1]:9: Connection refused"
SUSPENDED = f"delivery temporarily suspended: {REFUSED}"


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def listed(queue_id, state, size, sender, recipients, arrival=1795534781.5, expired=False):
    return QueueListing(queue_id, state, arrival, size, sender, expired, recipients)


def test_short_queue_ids():
    rows = [
        listed("1E19120C391", "deferred", 5288, "s@b.example", [("c@example.org", SUSPENDED)]),
        listed("6939220C0D3", "deferred", 13200279, "", [("c@z.example", REFUSED), ("q q@example.org", REFUSED)]),
        listed(
            "1B9EC20C05D",
            "active",
            262,
            "s@b.example",
            [("b@y.example", ""), ("c@z.example", REFUSED), ("b2@y.example", ""), ("d@z.example", REFUSED)],
            expired=True,
        ),
        listed("859C520C0A4", "hold", 282, "s@b.example", [("b@example.org", "")], expired=True),
        listed("23BE620C01E", "maildrop", 95, "root", [("l1@z.example", "")]),
    ]
    assert (
        "\n".join(table_lines(rows, long_ids=False))
        == """\
-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------
1E19120C391    5288 Tue Nov 24 15:39:41  s@b.example
(delivery temporarily suspended: connect to 127.0.0.1[127.0.0.1]:9: Connection refused)
                                         c@example.org

6939220C0D3 13200279 Tue Nov 24 15:39:41  MAILER-DAEMON
                       (connect to 127.0.0.1[127.0.0.1]:9: Connection refused)
                                         c@z.example
                                         "q q"@example.org

1B9EC20C05D*#     262 Tue Nov 24 15:39:41  s@b.example
                       (connect to 127.0.0.1[127.0.0.1]:9: Connection refused)
                                         c@z.example
                                         d@z.example
                                                          (reason unavailable)
                                         b@y.example
                                         b2@y.example

859C520C0A4!#     282 Tue Nov 24 15:39:41  s@b.example
                                         b@example.org

23BE620C01E      95 Tue Nov 24 15:39:41  root
                                         l1@z.example

-- 12896 Kbytes in 5 Requests."""
    )


def test_long_queue_ids():
    rows = [listed("4jYnMl59R8zJ9gX", "hold", 12282, "", [("r1@z.example", REFUSED)], 1795535443)]
    assert (
        "\n".join(table_lines(rows, long_ids=True))
        == """\
----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------
4jYnMl59R8zJ9gX!     12282 Tue Nov 24 15:50:43 MAILER-DAEMON
                       (connect to 127.0.0.1[127.0.0.1]:9: Connection refused)
                                               r1@z.example

-- 11 Kbytes in 1 Request."""
    )


def test_an_empty_queue():
    assert list(table_lines([], long_ids=False)) == ["Mail queue is empty"]
    assert list(json_lines([])) == []


def test_json():
    row = listed("1E91920C3A1", "deferred", 273, "", [("c@example.org", SUSPENDED), ("q q@example.org", "")])
    assert list(json_lines([row])) == [
        '{"queue_name": "deferred", "queue_id": "1E91920C3A1", "arrival_time": 1795534781, "message_size": 273,'
        ' "forced_expire": false, "sender": "MAILER-DAEMON", "recipients": [{"address": "c@example.org",'
        ' "delay_reason": "delivery temporarily suspended: connect to 127.0.0.1[127.0.0.1]:9: Connection refused"},'
        ' {"address": "\\"q q\\"@example.org"}]}'
    ]


def test_octets_that_are_no_text_cannot_reach_the_terminal():
    row = listed("A1", "active", 1, "a\udcff\x1b[2J@b", [("x\n@y", "bad\rreason")])
    table = list(table_lines([row], long_ids=False))
    assert all(line.isprintable() for line in table)
    (line,) = json_lines([row])
    line.encode("utf-8")
    assert "\n" not in line and "\x1b" not in line
    assert json.loads(line)["recipients"][0]["address"].endswith("@y")
