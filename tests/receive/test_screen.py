"""The screen beyond the recorded dialogues: limits, stress, time, TLS, what is remembered and for how long."""

from __future__ import annotations

import pytest
from certificates import both
from screen_stand_ins import Lists, Screened
from test_tls import Encrypted

from mailer.config.errors import ConfigError
from mailer.receive.screen.paths import address_in
from mailer.receive.screen.stamps import Stamps, Trial
from mailer.tables.cache import Cache

DEEP = {"postscreen_bare_newline_enable": "yes"}
TEASER = b"220-postfix.test ESMTP Postfix\r\n"
BANNER = b"220 postfix.test ESMTP Postfix\r\n"


def greeted(world, **more):
    peer = world.connect(**more)
    assert peer.transport.received() == TEASER
    world.wait(2.1)
    assert peer.transport.received() == BANNER
    return peer


def test_the_server_behind_it_takes_mail_from_who_passes():
    world = Screened({})
    peer = greeted(world)
    assert peer.replies(b"HELO x\r\n")[-1] == "250 postfix.test"
    peer.say(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<x@postfix.test>\r\nDATA\r\n")
    assert peer.replies(b"hello\r\n.\r\n")[0].startswith("250 2.0.0 Ok")
    (message,) = world.sink.messages
    assert message.envelope.client.address == "127.0.0.2"
    assert world.screen.checking == 0
    assert world.front.connections == world.factory.connections != set()


def test_too_many_connections_of_one_client():
    world = Screened({"postscreen_client_connection_count_limit": "2"})
    first, second = world.connect(), world.connect()
    third = world.connect()
    assert third.replies() == ["421 4.7.0 Error: too many connections"] and third.closed
    assert world.connect("127.0.0.3").transport.received() == TEASER
    assert world.told[3:5] == [
        "postscreen: NOQUEUE: reject: CONNECT from [127.0.0.2]:P: too many connections",
        "postscreen: DISCONNECT [127.0.0.2]:P",
    ]
    first.leave()
    second.leave()
    assert world.connect().transport.received() == TEASER


def test_too_many_clients_under_test_and_stress():
    settings = {"postscreen_pre_queue_limit": "10", "postscreen_greet_wait": "${stress?{1}:{4}}s"}
    world = Screened(settings)
    peers = [world.connect(f"127.0.1.{number}") for number in range(10)]
    assert peers[9].replies() == ["421 4.3.2 All screening ports are busy"] and peers[9].closed
    assert not any(peer.closed for peer in peers[:9])
    assert world.told[9:11] == [
        "postscreen: entering STRESS mode with 9 connections",
        "postscreen: CONNECT from [127.0.1.9]:P to [127.0.0.1]:P",
    ]
    assert world.told[11] == "postscreen: reject: connect from [127.0.1.9]:P: all screening ports busy"
    assert world.screen.greet_wait == 1
    world.wait(1.2)
    assert BANNER in peers[8].transport.received()  # came when there was stress
    assert peers[0].transport.received() == TEASER
    world.wait(3)
    assert "postscreen: leaving STRESS mode with 7 connections" in world.told
    assert world.screen.greet_wait == 4


def test_commands_have_a_time_limit():
    world = Screened({**DEEP, "postscreen_command_time_limit": "5s"})
    peer = greeted(world)
    for _ in range(4):  # an octet now and then does not help
        assert peer.say(b"N") == b""
        world.wait(1)
    world.wait(3)
    assert peer.replies() == ["421 4.4.2 postfix.test Error: timeout exceeded"] and peer.closed
    assert world.told[-2:] == [
        "postscreen: COMMAND TIME LIMIT from [127.0.0.2]:P after CONNECT",
        "postscreen: DISCONNECT [127.0.0.2]:P",
    ]


def test_the_server_behind_it_has_time_limits_of_its_own():
    world = Screened({"postscreen_command_time_limit": "5s", "smtpd_timeout": "100s"})
    peer = greeted(world)
    world.wait(90)
    assert not peer.closed
    world.wait(12)
    assert peer.closed


def test_a_flood_before_the_greeting_is_not_kept():
    world = Screened({"postscreen_dnsbl_sites": "slow.test"})
    peer = world.connect()
    for _ in range(20):
        if peer.transport.producerState == "paused":
            break
        peer.say(b"x" * 10000)
    assert peer.transport.producerState == "paused"


def test_starttls_in_front(tmp_path):
    (tmp_path / "server.pem").write_bytes(both("postfix.test"))
    tls = {"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": str(tmp_path / "server.pem")}
    world = Screened({**DEEP, **tls, "smtpd_tls_loglevel": "1"})
    peer = greeted(world)
    assert b"250-STARTTLS\r\n" in peer.say(b"EHLO x\r\n")
    assert peer.say(b"STARTTLS\r\n") == b"220 2.0.0 Ready to start TLS\r\n"
    client = Encrypted(peer)
    assert b"STARTTLS" not in client.say(b"EHLO x\r\n")
    assert client.say(b"STARTTLS\r\n") == b"554 5.5.1 Error: TLS already active\r\n"
    assert client.say(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<x@y.test>\r\n").endswith(
        b"450 4.3.2 Service currently unavailable\r\n"
    )
    client.say(b"QUIT\r\n")
    assert peer.closed
    assert world.told[1] == "tlsproxy: CONNECT from [127.0.0.2]:P"
    assert world.told[2].startswith("tlsproxy: Anonymous TLS connection established from [127.0.0.2]:P: TLSv1.3 with")
    assert world.told[-2:] == ["postscreen: PASS NEW [127.0.0.2]:P", "postscreen: DISCONNECT [127.0.0.2]:P"]


def test_a_handshake_that_fails(tmp_path):
    (tmp_path / "server.pem").write_bytes(both("postfix.test"))
    tls = {"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": str(tmp_path / "server.pem")}
    world = Screened({**DEEP, **tls})
    peer = greeted(world)
    peer.say(b"STARTTLS\r\n")
    peer.say(b"EHLO in plaintext\r\n")
    assert peer.closed
    assert [line for line in world.told if "warning" not in line][2:] == [
        "tlsproxy: TLS handshake failed for service=smtpd peer=[127.0.0.2]:P",
        "tlsproxy: DISCONNECT [127.0.0.2]:P",
        "postscreen: HANGUP after T from [127.0.0.2]:P in tests after SMTP handshake",
        "postscreen: DISCONNECT [127.0.0.2]:P",
    ]


def test_one_question_for_clients_from_one_address():
    world = Screened(
        {"postscreen_dnsbl_sites": "bl.test, bl.test=127.0.0.9*3, wl.test*-1", "postscreen_greet_action": "drop"}
    )
    for _ in range(3):
        world.connect()
    assert sorted(world.lists.asked) == ["2.0.0.127.bl.test", "2.0.0.127.wl.test"]
    world.wait(2.2)
    assert not any("rank" in line for line in world.told)  # 1 - 1
    world.connect()
    assert len(world.lists.asked) == 2  # they have passed


def test_refusals_name_the_list_of_most_weight():
    world = Screened({"postscreen_dnsbl_sites": "wl.test*-1, bl.test, bl2.test*3", "postscreen_dnsbl_action": "drop"})
    peer = world.connect()
    world.wait(2.2)
    assert peer.replies()[-1] == "521 5.7.1 Service unavailable; client [127.0.0.2] blocked using bl2.test"
    assert "postscreen: DNSBL rank 3 for [127.0.0.2]:P" in world.told


def test_lists_that_answer_too_late_are_not_waited_for():
    world = Screened(
        {"postscreen_dnsbl_sites": "slow.test", "postscreen_dnsbl_timeout": "1s", "postscreen_greet_banner": ""}
    )
    peer = world.connect()
    world.wait(0.9)
    assert peer.transport.received() == b""
    world.wait(0.3)
    assert peer.transport.received() == BANNER
    world.wait(2)
    assert "postscreen: warning: dnsblog reply timeout 1s for slow.test" in world.told
    assert "postscreen: PASS NEW [127.0.0.2]:P" in world.told


@pytest.mark.parametrize(("ttl", "seconds"), [(5.0, 60), (300.0, 300), (1e6, 3600)])
def test_how_long_a_blocklists_silence_counts(ttl, seconds):
    world = Screened({"postscreen_dnsbl_sites": "none.test"}, Lists(ttl))
    greeted(world)
    stamps = world.cache.get("127.0.0.2").split(";")
    assert abs(int(stamps[Trial.DNSBL]) - (world.screen.seconds() + seconds)) < 2


def test_what_is_remembered_outlives_the_process(tmp_path):
    world = Screened({})
    cache = Cache(f"btree:{tmp_path}/cache", world.context, "postscreen_cache")
    greeted(Screened({}, cache=cache))
    cache.close()
    again = Screened({}, cache=Cache(f"btree:{tmp_path}/cache", world.context, "postscreen_cache"))
    assert again.connect().transport.received() == BANNER
    assert "postscreen: PASS OLD [127.0.0.2]:P" in again.told


def test_what_is_no_use_any_more_is_forgotten():
    world = Screened({"postscreen_greet_ttl": "1h", "postscreen_cache_retention_time": "1d"})
    greeted(world)
    world.clock.advance(12 * 3600 + 1)
    assert len(world.cache) == 1
    world.clock.advance(86400)
    assert len(world.cache) == 0
    assert world.log.lines[-1] == "info cache internal:postscreen_cache full cleanup: retained=0 dropped=1 entries"
    world.screen.close()


def test_stamps():
    wanted = {Trial.PREGREET, Trial.DNSBL}
    new = Stamps(wanted)
    assert new.fresh and new.due(wanted, 1000) == wanted and str(new) == "0;0;1;1;1"
    new.passed(Trial.PREGREET, 2000.7)
    assert new.due(wanted, 1000) == {Trial.DNSBL}
    again = Stamps(wanted, "2000;2000;1;1;1")
    assert not again.fresh and again.due(wanted, 2000) == set() and again.due(wanted, 2001) == wanted
    more = Stamps(wanted | {Trial.PIPELINING}, "2000;2000;1;1;1")  # switched on since then
    assert more.fresh and more.due(wanted | {Trial.PIPELINING}, 1000) == {Trial.PIPELINING}
    for broken in ("", "1;2", "a;b;c;d;e", "1;2;3;4;5;6", "²;1;1;1;1"):
        assert Stamps(wanted, broken).due(wanted, 1000) == wanted


@pytest.mark.parametrize(
    ("argument", "address"),
    [("FROM:<a@b>", "a@b"), ("from: a@b", "a@b"), ("FROM:", ""), ("FROM", None), ("", None), ("TO:<>", ""),
     ('TO:<"a b"@c> X=Y', "a b@c"), ("TO:<@x,@y:a@b>", "a@b"), ("TO:<a@b", "a@b"), ('TO:<"a\\"b@c', '"a\\"b@c'),
     ('TO:"', '"'), ("TO:a b", "a")],
)  # fmt: skip
def test_addresses(argument, address):
    assert address_in(argument) == address


@pytest.mark.parametrize(
    "settings",
    [
        {"postscreen_dnsbl_sites": "bl.test*x"},
        {"postscreen_dnsbl_sites": "bl.test=127.0.0.[1"},
        {"postscreen_dnsbl_min_ttl": "2h", "postscreen_dnsbl_max_ttl": "1h"},
    ],
)
def test_what_makes_no_sense_is_told_at_start(settings):
    with pytest.raises(ConfigError):
        Screened(settings)


def test_a_command_filter_that_cannot_tell_ends_the_session():
    world = Screened({**DEEP, "postscreen_command_filter": "fail:x"})
    peer = greeted(world)
    assert peer.replies(b"EHLO x\r\n") == ["421 4.3.0 postfix.test Server local data error"] and peer.closed


def test_footers():
    maps = "regexp:{{/command not recognized/ \\c, really}}"
    world = Screened(
        {**DEEP, "smtpd_reject_footer": "from $client_address, $$5", "postscreen_reject_footer_maps": maps}
    )
    peer = greeted(world)
    assert peer.replies(b"FOO\r\n") == ["502 5.5.2 Error: command not recognized, really"]
    assert peer.replies(b"EHLO\r\n") == ["501-Syntax: EHLO hostname", "501 from 127.0.0.2, $5"]
