"""ldap: tables over a network in memory: pipelining, fail-over, hung and returning servers, pages, ranges, referrals, groups."""

import errno

import pytest
from scripted_directory import ScriptedDirectory, done, entry, page_cookie, raw_entry, reference, result
from twisted.internet.defer import Deferred

from mailer.config.load import from_text
from mailer.interfaces.context import Context
from mailer.interfaces.table import TableOptions
from mailer.message.status import TemporaryError
from mailer.tables.commons import Commons
from mailer.tables.opening import Tables
from mailer.testing.log import RecordingLog
from mailer.testing.network import MemoryNetwork

ONE, TWO = ("192.0.2.1", 389), ("192.0.2.2", 389)
PLAIN = "search_base = dc=x\nquery_filter = mail=%s\nresult_attribute = to\n"


class Bench:
    def __init__(self, tmp_path, text, servers):
        self.network = MemoryNetwork(servers)
        self.log = RecordingLog()
        self.tmp_path = tmp_path
        context = Context(from_text("").settings, self.network, self.network.seconds, self.log)
        self.tables = Tables(context, TableOptions(), strict=True)
        self.table = self.open("t", text)

    def open(self, name, text):
        path = self.tmp_path / f"{name}.cf"
        hosts = "" if "server_host" in text else "server_host = 192.0.2.1 192.0.2.2\n"
        path.write_text(hosts + text)
        return self.tables.open(f"ldap:{path}")

    def begin(self, key="a@b", table=None):
        results = []
        Deferred.fromCoroutine((table or self.table).lookup(key)).addBoth(results.append)
        return results

    def ask(self, key="a@b", table=None):
        """The answer that comes without time passing; what it raises otherwise."""
        results = self.begin(key, table)
        self.network.settle()
        return self.outcome(results)

    @staticmethod
    def outcome(results):
        assert results, "no answer yet"
        if hasattr(results[0], "value"):
            raise results[0].value
        return results[0]


@pytest.fixture
def one():
    return ScriptedDirectory({"dc=x": [entry("cn=1", to=["x@y", "z@w"]), done()]})


@pytest.fixture
def two():
    return ScriptedDirectory({"dc=x": [entry("cn=2", to=["second"]), done()]})


@pytest.fixture
def bench(tmp_path, one, two):
    def make(text=PLAIN, servers=None):
        return Bench(tmp_path, text, {ONE: one, TWO: two} if servers is None else servers)

    return make


def test_one_connection_serves_many_lookups_and_several_tables(bench, one):
    here = bench()
    results = [here.begin(f"user{number}@b") for number in range(20)]
    other = here.open("u", PLAIN + "size_limit = 5\n")
    here.network.settle()
    assert {here.outcome(each) for each in results} == {"x@y,z@w"}
    assert here.ask("q@b", other) == "x@y,z@w"
    assert len(one.sessions) <= 2 and len(one.binds) == len(one.sessions)
    assert len(one.asked) == 21 and one.asked[-1].size_limit == 5
    asked = one.asked[0]
    assert (asked.base, asked.scope, asked.attributes, asked.time_limit) == ("dc=x", 2, ["to"], 10)
    # Requests that begin in one turn wait for no answers of each other.
    here.tables.close()
    here.network.settle()
    assert one.unbound == len(one.sessions)


def test_answers_in_small_pieces(bench, one):
    one.piece = 1
    here = bench()
    results = [here.begin(f"user{number}@b") for number in range(3)]
    here.network.settle()
    assert {here.outcome(each) for each in results} == {"x@y,z@w"}


def test_no_more_than_a_server_bears_is_asked_at_once(bench, one):
    one.silent = True
    here = bench()
    results = [here.begin(f"user{number}@b") for number in range(300)]
    here.network.settle()
    for _ in range(2):  # as many connections as there may be
        for session in one.sessions:
            session.say(1, result(0x61, 0))
        here.network.settle()
    assert len(one.asked) == 2 * 48  # slapd ends connections with more than a hundred
    one.silent = False
    for session in one.sessions:
        for number in range(2, 50):
            session.say(number, entry("cn=1", to=["late"]), done())
    here.network.settle()
    assert len(one.asked) == 300
    assert [here.outcome(each) for each in results].count("late") == 2 * 48


def test_kept_answers_and_merged_questions(bench, one):
    here = bench()
    results = [here.begin("a@b"), here.begin("A@B")]
    here.network.settle()
    assert [here.outcome(each) for each in results] == ["x@y,z@w"] * 2
    assert here.ask("a@b") == "x@y,z@w" and len(one.asked) == 1
    one.answers["dc=x"] = [done()]
    assert here.ask("n@b") is None and here.ask("n@b") is None and len(one.asked) == 2
    here.network.advance(5.1)
    assert here.ask("n@b") is None and len(one.asked) == 3
    here.network.advance(25)
    assert here.ask("a@b") is None and len(one.asked) == 4


def test_fail_over_and_back(bench, one):
    here = bench()
    here.network.listeners[ONE] = errno.ECONNREFUSED
    assert here.ask("a@b") == "second"
    assert "ldap://192.0.2.1:389 is away: Connection refused" in here.log.lines[0]
    here.network.listeners[ONE] = one
    assert here.ask("c@b") == "second"
    here.network.advance(1)
    here.ask("d@b")  # which sends somebody to look
    assert here.ask("e@b") == "x@y,z@w"
    assert "answers again" in here.log.lines[-1]


def test_a_connection_that_was_ended_is_made_again(bench, one):
    here = bench()
    here.ask("a@b")
    for session in one.sessions:
        session.transport.loseConnection()
    here.network.settle()
    assert here.ask("b@b") == "x@y,z@w"
    one.answers["dc=x"] = lambda session, number, asked: session.transport.loseConnection()
    assert here.ask("c@b") == "second"


def test_a_server_that_hangs_is_found_out_and_left(bench, one):
    here = bench()
    here.ask("a@b")
    one.silent = True
    results = [here.begin(f"user{number}@b") for number in range(5)]
    here.network.settle()
    for _ in range(7):
        here.network.advance(1)
        here.network.settle()
    assert one.life_signs >= 1
    assert [here.outcome(each) for each in results] == ["second"] * 5
    assert any("no sign of life" in line for line in here.log.lines)
    here.network.advance(0.1)
    assert here.ask("next@b") == "second"  # at once


def test_a_slow_search_on_a_server_that_lives_is_waited_for(bench, one):
    held = []
    one.answers["dc=x"] = lambda session, number, asked: held.append((session, number))
    here = bench()
    results = here.begin("a@b")
    for _ in range(8):
        here.network.settle()
        here.network.advance(1)
    assert results == [] and one.life_signs >= 1
    session, number = held[0]
    session.say(number, entry("cn=1", to=["late"]), done())
    here.network.settle()
    assert here.outcome(results) == "late"


def test_a_search_without_end_is_temporary_and_abandoned(bench, one):
    one.answers["dc=x"] = lambda session, number, asked: None
    here = bench()
    results = here.begin("a@b")
    here.network.until(lambda: results, 20)
    with pytest.raises(TemporaryError, match="Timed out"):
        here.outcome(results)
    here.network.settle()
    assert len(one.abandoned) == 1
    one.answers["dc=x"] = [entry("cn=1", to=["again"]), done()]
    assert here.ask("b@b") == "again"  # nobody thinks that the server is away


def test_the_whole_lookup_has_one_limit(bench, one):
    """Also when every single search is quick enough."""

    def endless(session, number, asked):
        ident = len(one.asked)
        session.directory.answers[f"cn={ident + 1}"] = endless
        here.network.callLater(2, session.say, number, entry(f"cn={ident}", member=[f"cn={ident + 1}"]), done())

    one.answers["dc=x"] = endless
    here = bench(PLAIN + "special_result_attribute = member\nlookup_time_limit = 7\n")
    results = here.begin("a@b")
    started = here.network.seconds()
    here.network.until(lambda: results, 60)
    assert here.network.seconds() - started <= 8
    with pytest.raises(TemporaryError, match="no answer within 7 seconds"):
        here.outcome(results)


def test_nobody_answers(bench, one, two):
    here = bench(servers={})
    for _ in range(3):
        with pytest.raises(TemporaryError) as raised:
            here.ask("a@b")
    assert raised.value.cause == (
        "LDAP: ldap://192.0.2.1:389: Connection refused; ldap://192.0.2.2:389: Connection refused"
    )
    assert len(here.network.dialled) == 2  # others are told at once
    here.network.listeners.update({ONE: one, TWO: two})
    here.network.advance(1)
    assert here.ask("a@b") == "x@y,z@w"


def test_stale_values_while_nobody_answers_but_no_stale_absence(bench, one, two):
    here = bench()
    here.ask("a@b")
    one.answers["dc=x"] = two.answers["dc=x"] = [done()]
    assert here.ask("n@b") is None
    here.network.listeners.update({ONE: errno.ECONNREFUSED, TWO: errno.ECONNREFUSED})
    for session in one.sessions + two.sessions:
        session.transport.loseConnection()
    here.network.settle()
    here.network.advance(40)
    assert here.ask("a@b") == "x@y,z@w"
    with pytest.raises(TemporaryError):
        here.ask("n@b")
    here.network.advance(3700)
    with pytest.raises(TemporaryError):
        here.ask("a@b")


def test_a_bind_that_is_refused(bench, one):
    one.bind_code = 49
    here = bench(PLAIN + "bind_dn = cn=me\nbind_pw = no\n", None)
    assert here.ask("a@b") == "second"
    assert here.log.lines == [
        "warning LDAP: ldap://192.0.2.1:389 is away: Unable to bind with dn cn=me: 49 (Invalid credentials)"
    ]


def test_busy_servers_pass_the_question_on(bench, one):
    one.answers["dc=x"] = [done(51)]
    assert bench().ask("a@b") == "second"


@pytest.mark.parametrize("code", [1, 3, 4, 11, 32, 50, 53, 80])
def test_every_other_verdict_is_temporary(bench, one, code):
    one.answers["dc=x"] = [entry("cn=1", to=["partial"]), done(code, "because")]
    here = bench(PLAIN + "page_size = 0\n")
    with pytest.raises(TemporaryError):
        here.ask("a@b")
    assert f"{code}: " in here.log.lines[0]
    assert here.ask("", here.table) is None


def test_garbage_is_no_answer(bench, one):
    one.answers["dc=x"] = lambda session, number, asked: session.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    here = bench()
    assert here.ask("a@b") == "second"
    assert "malformed answer" in here.log.lines[0]


def test_a_server_that_says_good_bye(bench, one):
    here = bench()
    here.ask("a@b")
    for session in one.sessions:
        session.say(0, result(0x78, 52, "going down"))
    here.network.settle()
    one.sessions.clear()
    assert here.ask("b@b") == "x@y,z@w"


def test_pages_when_a_server_gives_too_little(bench, one):
    def pages(session, number, asked):
        if asked.page is None:
            session.say(number, entry("cn=1", to=["1"]), done(4))
            return
        size, cookie = asked.page
        at = int(cookie or b"0")
        following = b"%d" % (at + 2) if at < 4 else b""
        found = [entry(f"cn={each}", to=[str(each)]) for each in (at, at + 1)]
        session.say(number, *found, done(), controls=page_cookie(following))

    one.answers["dc=x"] = pages
    here = bench(PLAIN + "page_size = 2\n")
    assert here.ask("a@b") == "0,1,2,3,4,5"
    assert [asked.page for asked in one.asked] == [None, (2, b""), (2, b"2"), (2, b"4")]
    limited = here.open("u", PLAIN + "page_size = 2\nsize_limit = 5\n")
    with pytest.raises(TemporaryError, match="Size limit exceeded"):
        here.ask("a@b", limited)


def test_ranges_of_values_are_completed(bench, one):
    def answer(session, number, asked):
        (name,) = asked.attributes
        if name == "to":
            session.say(number, raw_entry("cn=1", [("to", []), ("to;range=0-1", ["v0", "v1"])]), done())
        elif name == "to;range=2-*":
            session.say(number, raw_entry("cn=1", [("to;Range=2-3", ["v2", "v3"])]), done())
        else:
            session.say(number, raw_entry("cn=1", [("to;range=4-*", ["v4"])]), done())

    one.answers = {"*": answer}
    assert bench().ask("a@b") == "v0,v1,v2,v3,v4"
    assert [asked.base for asked in one.asked] == ["dc=x", "cn=1", "cn=1"]
    assert one.asked[1].scope == 0


def test_a_range_that_is_missing_is_no_short_list(bench, one):
    one.answers["dc=x"] = [raw_entry("cn=1", [("to;range=0-1", ["v0", "v1"])]), done()]
    one.answers["cn=1"] = [entry("cn=1"), done()]
    with pytest.raises(TemporaryError, match="from number 2 on"):
        bench().ask("a@b")


def test_referrals_are_followed_only_where_that_is_wanted(bench, one, two):
    one.answers["dc=x"] = [
        entry("cn=1", to=["here"]),
        reference("ldap://192.0.2.9/", "ldap://192.0.2.2/dc=y??sub"),
        done(),
    ]
    two.answers["dc=y"] = [entry("cn=2", to=["there"]), done()]
    text = "server_host = 192.0.2.1\nbind_dn = cn=me\nbind_pw = secret\n" + PLAIN
    here = bench(text)
    assert here.ask("a@b") == "here"
    chasing = here.open("u", text + "chase_referrals = yes\n")
    assert here.ask("a@b", chasing) == "here,there"
    assert b"secret" in one.binds[0] and b"secret" not in two.binds[0]
    one.answers["dc=x"] = [done(10, referrals=["ldap://192.0.2.2/dc=y"])]
    assert here.ask("b@b", chasing) == "there"
    with pytest.raises(TemporaryError, match="Referral"):
        here.ask("b@b")
    two.answers["dc=y"] = [done(10, referrals=["ldap://192.0.2.1/dc=x"])]
    with pytest.raises(TemporaryError):
        here.ask("c@b", chasing)


GROUPS = PLAIN + "special_result_attribute = member\nleaf_result_attribute = mail\n"


def test_members_are_looked_up_side_by_side_and_come_in_order(bench, one):
    held = []

    def hold(session, number, asked):
        held.append((session, number, asked.base))

    members = [f"cn={number}" for number in range(30)]
    one.answers = {"dc=x": [entry("cn=g", member=members), done()], "*": hold}
    here = bench(GROUPS)
    results = here.begin("a@b")
    here.network.settle()
    assert len(held) == 20
    while held:
        session, number, base = held.pop()
        session.say(number, entry(base, mail=[base[3:]]), done())
        here.network.settle()
    assert here.outcome(results) == ",".join(str(number) for number in range(30))


def test_groups_that_contain_each_other_and_members_of_several(bench, one):
    one.answers = {
        "dc=x": [entry("cn=g", member=["cn=a", "cn=b"]), done()],
        "cn=a": [entry("cn=a", member=["cn=b", "cn=p"]), done()],
        "cn=b": [entry("cn=b", member=["cn=a", "cn=p"]), done()],
        "cn=p": [entry("cn=p", mail=["p"]), done()],
    }
    here = bench(GROUPS)
    assert here.ask("a@b") == "p,p,p,p"
    assert sorted(asked.base for asked in one.asked) == ["cn=a", "cn=b", "cn=p", "dc=x"]  # each once


def test_very_deep_groups(bench, one):
    one.answers = {f"cn={level}": [entry("cn=x", member=[f"cn={level + 1}"]), done()] for level in range(500)}
    one.answers["dc=x"] = [entry("cn=g", member=["cn=0"]), done()]
    one.answers["cn=500"] = [entry("cn=p", mail=["deep"]), done()]
    here = bench(GROUPS)
    assert here.ask("a@b") == "deep"


def test_one_member_that_cannot_be_had_fails_the_lookup(bench, one):
    one.answers = {
        "dc=x": [entry("cn=g", member=["cn=a", "cn=b"]), done()],
        "cn=a": [entry("cn=a", mail=["a"]), done()],
        "cn=b": [done(50)],
    }
    with pytest.raises(TemporaryError, match="Had some trouble with entries returned by search: Insufficient access"):
        bench(GROUPS).ask("a@b")
    one.answers["cn=b"] = [done(32)]
    assert bench(GROUPS).ask("a@b") == "a"


def test_limits_of_values_and_depth(bench, one):
    one.answers["dc=x"] = [entry("cn=1", to=["1", "2", "3"]), done()]
    here = bench(PLAIN + "expansion_limit = 2\nsize_limit = 0\n")
    with pytest.raises(TemporaryError, match="Expansion limit exceeded"):
        here.ask("a@b")
    one.answers = {"*": [entry("cn=1", member=["cn=2"]), done()], "cn=2": [entry("cn=2", member=["cn=3"]), done()]}
    with pytest.raises(TemporaryError, match="Recursion limit exceeded"):
        bench(GROUPS + "recursion_limit = 2\n").ask("a@b")


def test_terminal_and_leaf_attributes(bench, one):
    text = GROUPS + "terminal_result_attribute = final\n"
    one.answers = {
        "dc=x": [entry("cn=g", mail=["not"], to=["ordinary"], member=["cn=a", "cn=b"]), done()],
        "cn=a": [entry("cn=a", mail=["leaf"]), done()],
        "cn=b": [entry("cn=b", final=["final"], member=["cn=never"], mail=["not"]), done()],
    }
    here = bench(text)
    assert here.ask("a@b") == "ordinary,leaf,final"
    assert one.asked[0].attributes == ["final", "mail", "to", "member"]


def test_domains_and_parts_decide_before_anybody_is_asked(bench, one):
    here = bench(PLAIN + "domain = b, inline:{other.test=x}\nresult_format = %s.%2\n")
    for key in ("a", "@b", "b", "a@c", "a@b", "", "\udcff@b"):
        assert here.ask(key) is None
    assert one.asked == []
    assert here.ask("a@other.test") == "x@y.other,z@w.other"


def test_values_that_are_not_utf8_cannot_be_told(bench, one):
    one.answers["dc=x"] = [b"\x64\x13\x04\x04cn=1\x30\x0b\x30\x09\x04\x02to\x31\x03\x04\x01\xff", done()]
    with pytest.raises(TemporaryError, match="non-UTF-8 value"):
        bench().ask("a@b")


def test_hostile_keys_ask_for_themselves_only(bench, one):
    here = bench(PLAIN.replace("dc=x", "uid=%u,dc=x"))
    one.answers["*"] = [done()]
    here.ask("a)(mail=*,cn=admin@b")
    asked = one.asked[0]
    assert asked.base == r"uid=a)(mail=*\2Ccn=admin,dc=x"
    assert asked.filter[:1] == b"\xa3" and b"a)(mail=*,cn=admin@b" in asked.filter


def test_lookups_under_way_when_all_is_closed_end_at_once(bench, one):
    one.answers["dc=x"] = lambda session, number, asked: None
    here = bench()
    results = here.begin("a@b")
    here.network.settle()
    here.tables.close()
    here.network.settle()
    with pytest.raises(TemporaryError, match="closed"):
        here.outcome(results)
    assert len(one.sessions) == 1 and not one.sessions[0].open


def test_the_same_table_of_two_services_asks_once(bench, one):
    here = bench()
    commons = Commons()
    context = Context(from_text("").settings, here.network, here.network.seconds, here.log)
    services = [Tables(context, TableOptions(), strict=True, commons=commons) for _ in range(2)]
    first, second = (service.open(here.table.name) for service in services)
    assert first is not second
    assert here.ask("a@b", first) == here.ask("a@b", second) == "x@y,z@w"
    assert len(one.asked) == len(one.sessions) == 1
    services[0].close()
    assert here.ask("b@b", second) == "x@y,z@w"
    commons.close()
    here.network.settle()
    assert not one.sessions[0].open
