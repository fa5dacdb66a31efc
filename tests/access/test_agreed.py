"""The cases that are played to the real Postfix and ours side by side (``tests/interop``), replayed in memory, without either:
the recorded replies have to come."""

from __future__ import annotations

from typing import Any

import agreement
import pytest
from test_dialogues import _comparable, _replies
from test_recorded import memory_server

#: Cases with a second server behind ours.
CASES = [
    case
    for case in agreement.tables()
    if "{proxy}" not in str(case.settings) and "smtpd_proxy_filter" not in case.settings
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_case(case: Any) -> None:
    server = memory_server(case.spoken, case.world)
    peer = server.connect(case.spoken.client)
    for exchange in case.spoken.exchanges:
        octets = peer.say(exchange.sent)
        for _ in range(3):
            if octets or not exchange.replies:
                break
            server.clock.advance(1)
            octets += peer.say(b"")
        got = _replies(octets + peer.say(b""))
        assert list(map(_comparable, got)) == list(map(_comparable, exchange.replies)), exchange.source
        assert peer.closed == exchange.hangup, exchange.source
        if exchange.hangup:
            break
