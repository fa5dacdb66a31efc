"""Keys that change: when daemons are replaced, and when not."""

from types import SimpleNamespace

import pytest
from certificates import both, chain_pem, key_pem
from twisted.internet.task import Clock

from mailer.config.maincf import Entry
from mailer.config.settings import Settings
from mailer.master.keys import INTERVAL, KeyWatch
from mailer.testing.log import RecordingLog


class Rig:
    def __init__(self, transports=(), **given):
        self.clock, self.log, self.changes = Clock(), RecordingLog(), 0
        settings = Settings({name: Entry(name, str(value)) for name, value in given.items()})
        services = [
            SimpleNamespace(service=SimpleNamespace(command=command), settings=settings) for command in transports
        ]
        listeners = () if transports else (SimpleNamespace(settings=settings, behind=None),)
        self.watch = KeyWatch(self.clock, self.log, self._changed)
        self.watch.start(SimpleNamespace(listeners=listeners, transports=services))

    def _changed(self):
        self.changes += 1

    def looks(self, count):
        for _ in range(count):
            self.clock.advance(INTERVAL)
        return self.changes


def test_a_changed_chain_file_is_told_of_once_it_has_settled(tmp_path):
    chain = tmp_path / "chain.pem"
    chain.write_bytes(both("a.test"))
    rig = Rig(smtpd_tls_chain_files=chain)
    assert rig.looks(3) == 0
    chain.write_bytes(both("a.test", days=50))
    assert rig.looks(1) == 0 and rig.looks(1) == 1 and rig.looks(3) == 1 and not rig.log.lines


def test_keys_of_no_use_are_reported_once(tmp_path):
    chain = tmp_path / "chain.pem"
    chain.write_bytes(both("a.test"))
    rig = Rig(smtpd_tls_chain_files=chain)
    chain.write_bytes(b"half")
    assert rig.looks(5) == 0
    assert rig.log.lines == [
        f"warning No PEM data in {chain}",
        f"warning error loading private keys and certificates from: {chain}",
        "warning the TLS keys in use stay in use",
    ]
    chain.write_bytes(both("a.test", days=50))
    assert rig.looks(2) == 1


def test_a_pair_counts_when_both_halves_are_new(tmp_path):
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    certificate.write_bytes(chain_pem("a.test"))
    key.write_bytes(key_pem())
    rig = Rig(smtpd_tls_eccert_file=certificate, smtpd_tls_eckey_file=key)
    certificate.write_bytes(chain_pem("a.test", number=7))
    assert rig.looks(2) == 0 and "the TLS keys in use stay in use" in rig.log.lines[-1]
    key.write_bytes(key_pem(number=7))
    assert rig.looks(2) == 1


@pytest.mark.parametrize("command, prefix", [("smtp", "smtp"), ("lmtp", "lmtp")])
def test_clients_have_keys_too(tmp_path, command, prefix):
    chain = tmp_path / "chain.pem"
    chain.write_bytes(both("a.test"))
    rig = Rig((command, "local"), **{f"{prefix}_tls_chain_files": chain})
    chain.write_bytes(both("a.test", days=50))
    assert rig.looks(2) == 1


def test_without_keys_there_is_nothing_to_watch():
    rig = Rig()
    assert not rig.clock.getDelayedCalls()


def test_the_end(tmp_path):
    chain = tmp_path / "chain.pem"
    rig = Rig(smtpd_tls_chain_files=chain)
    rig.watch.stop()
    assert not rig.clock.getDelayedCalls()
