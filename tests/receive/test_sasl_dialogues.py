"""Dialogues with AUTH recorded from the real Postfix with Dovecot and Cyrus SASL, replayed on ours in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sasl_dialogue
import smtpd_dialogue as dialogue
from auth_servers import DovecotAuth, SaslauthdServer
from smtpd_stand_ins import Server, real_access
from test_dialogues import _as_cleaned, _comparable, _log, _replies

from mailer.config.errors import ConfigError
from mailer.testing.network import MemoryNetwork

VECTORS = sorted(sasl_dialogue.VECTORS.glob("*.txt"))
#: What is no fault of the session but of main.cf we tell when the service starts, not each client.
AT_START = {
    "bad-option": 'unknown SASL security option "nonsense"',
    "unknown-type": "unsupported SASL server implementation: nonsense",
}
#: Recorded with libsasl2's list of every plug-in that is installed; ours lists what can work with saslauthd.
OTHER_LIST = {"cyrus-all"}
#: A warning in which a function of Postfix's speaks of itself.
_INSIDE = "xsasl_cyrus_server_get_mechanism_list: "


def _server(vector: Any, tmp_path: Path) -> Server:
    settings = {"local_recipient_maps": "", "queue_directory": "/q", **vector.main_cf}
    given = [text for mark, text in vector.beside if mark == "smtpd.conf:"]
    if given:
        (tmp_path / "smtpd.conf").write_text("".join(f"{line}\n" for line in given))
        settings["cyrus_sasl_config_path"] = str(tmp_path)
    network = MemoryNetwork()
    dovecot = [text for mark, text in vector.beside if mark == "dovecot:"]
    if "none" not in dovecot:
        realms = [text.rpartition("= ")[2] for text in dovecot if text.startswith("auth_default_realm")]
        network.listeners["/q/private/auth"] = DovecotAuth(*realms)
    network.listeners["/var/run/saslauthd/mux"] = SaslauthdServer()
    return Server(settings, clock=network)


@pytest.mark.parametrize("path", VECTORS, ids=[path.stem for path in VECTORS])
def test_dialogue(path: Path, tmp_path: Path) -> None:
    vector = dialogue.parse(path.read_text())
    if path.stem in AT_START:
        with pytest.raises(ConfigError, match=AT_START[path.stem]):
            _server(vector, tmp_path)
        return
    server = _server(vector, tmp_path)
    server.factory.service.access = real_access(server.context)
    peer = server.connect(vector.client)
    hopeless = any(line.startswith("fatal:") for line in vector.log)
    for exchange in vector.exchanges:
        octets = peer.say(exchange.sent)
        server.clock.settle()
        got = _replies(octets + peer.say(b""))
        if path.stem in OTHER_LIST:
            got = [line for line in got if "-AUTH" not in line]
            exchange.replies = [line for line in exchange.replies if "-AUTH" not in line]
        assert list(map(_comparable, got)) == list(map(_comparable, exchange.replies)), exchange.source
        assert peer.closed == (exchange.hangup or hopeless), exchange.source
        if peer.closed:
            break
    if not peer.closed:
        peer.leave()
    assert list(map(_comparable, _log(server))) == [_comparable(line) for line in vector.log if _INSIDE not in line]
    if vector.message:
        assert _as_cleaned(server.sink.messages[0].content) == vector.message
    assert not [writer for writer in server.sink.writers if writer.state == "open"]
    assert server.factory.sessions == 0
