"""Match lists. The expectations are Postfix's, seen with debug_peer_list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.config.errors import ConfigError
from mailer.config.values import split_list
from mailer.message.status import TemporaryError
from mailer.tables.match import AddressList, DomainList, StringList, matches_subdomains
from mailer.testing.tables import answer


def addresses(bench, text, parents=False):
    return AddressList(split_list(text), bench.context, "mynetworks", parents)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", False),
        ("127.0.0.1", True),
        ("[127.0.0.1]", True),
        ("127.0.0.0/8", True),
        ("[127.0.0.0]/8", True),
        ("[127.0.0.0/8]", True),
        ("127.0.0.0/08", True),
        ("0.0.0.0/0", True),
        ("[::1]/128", False),
        ("[::]/0", False),
        ("10.0.0.0/8 127.0.0.0/8", True),
        ("!127.0.0.1, 127.0.0.0/8", False),
        ("!10.0.0.0/8, 127.0.0.0/8", True),
        ("127.0.0.0/8, !127.0.0.1", True),
        ("!!127.0.0.1", True),
        ("!!!127.0.0.1, static:x", False),
        ("LOCALHOST", True),
        ("host", False),
        ("{127.0.0.1}", False),
        ("127.1", False),
        ("127.0.0.01", False),
        ("localhost/8", False),
        ("127.0.0.0/+8", False),
        ("[127.0.0.0]8", False),
        ("inline:{127.0.0.1=x}", True),
        ("inline:{localhost=x}", True),
        ("inline:{127.0.0=x}", False),
        ("cidr:{{127.0.0.0/8 x}}", True),
        ("regexp:{{/^localhost$/ x}}", True),
        ("!static:x, 127.0.0.1", False),
        ("127.0.0.0/8, fail:x", True),
    ],
)
def test_localhost(bench, text, matches):
    made = addresses(bench, text)
    assert answer(made.match("localhost", "127.0.0.1")) is matches
    assert bench.lines == [] and made.problems == []


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("127.0.0.1/8", 'non-null host address bits in "127.0.0.1/8", perhaps you should use "127.0.0.0/8" instead'),
        (
            "10.0.0.1/8, 127.0.0.1",
            'non-null host address bits in "10.0.0.1/8", perhaps you should use "10.0.0.0/8" instead',
        ),
        ("0.0.0.0/99", 'bad mask length in "0.0.0.0/99"'),
        ("127/8", 'bad network value in "127/8"'),
        ("abc/8", 'bad network value in "abc/8"'),
        ("127.0.0.0/", 'bad mask value in "127.0.0.0/"'),
        ("127.0.0.0/8/8", 'bad mask value in "127.0.0.0/8/8"'),
    ],
)
def test_networks_that_make_no_sense(bench, text, warning):
    made = addresses(bench, text)
    assert made.problems == [f"mynetworks: {warning}"]
    with pytest.raises(TemporaryError):
        answer(made.match("localhost", "127.0.0.1"))
    assert bench.lines == [f"warning mynetworks: {warning}"]


def test_what_makes_no_sense_matters_only_when_the_search_gets_there(bench):
    made = addresses(bench, "127.0.0.1, 10.0.0.1/8, [::1]")
    assert answer(made.match("", "127.0.0.1"))
    assert answer(made.match("", "::1"))
    with pytest.raises(TemporaryError):
        answer(made.match("", "127.0.0.2"))


def test_tables_that_cannot_tell(bench):
    for text in ("fail:x", "!fail:x", "10.0.0.1 fail:x 127.0.0.1"):
        with pytest.raises(TemporaryError):
            answer(addresses(bench, text).match("localhost", "127.0.0.1"))
        assert bench.lines[-1] == "warning mynetworks: fail:x: table lookup problem"


def test_no_pattern_and_no_table(bench):
    with pytest.raises(ConfigError, match="mynetworks: no pattern after '!'"):
        addresses(bench, "127.0.0.1 !")
    with pytest.raises(ConfigError, match='expecting "type:name" form instead of "::1"'):
        addresses(bench, "::1")


def test_ipv6(bench):
    made = addresses(bench, "[2001:db8::]/32 [::1]")
    assert answer(made.match("", "2001:db8:1::1")) and answer(made.match("", "::1"))
    assert not answer(made.match("", "2001:db9::1")) and not answer(made.match("", "127.0.0.1"))


class TestFiles:
    def test_patterns_from_a_file(self, bench, tmp_path):
        path = tmp_path / "networks"
        path.write_text("# ours\n10.0.0.0/8, 127.0.0.0/8\n\nhost.example\n  !192.0.2.1 192.0.2.0/24\n")
        made = addresses(bench, f"{path} !172.16.0.0/12")
        expected = {"10.1.1.1": True, "127.0.0.1": True, "192.0.2.1": False, "192.0.2.2": True, "172.16.0.1": False}
        assert {address: answer(made.match("", address)) for address in expected} == expected
        assert answer(made.match("HOST.example", "1.1.1.1"))

    def test_a_sign_before_the_name_turns_all_round(self, bench, tmp_path):
        path = tmp_path / "networks"
        path.write_text("10.0.0.0/8 !192.0.2.1\n")
        made = addresses(bench, f"!{path} 0.0.0.0/0")
        assert [answer(made.match("", a)) for a in ("10.1.1.1", "192.0.2.1", "1.1.1.1")] == [False, True, True]

    def test_files_name_files_and_tables(self, bench, tmp_path):
        (tmp_path / "one").write_text(f"{tmp_path}/two\n")
        (tmp_path / "two").write_text("inline:{1.1.1.1=x}\n")
        made = addresses(bench, f"{tmp_path}/one")
        assert answer(made.match("", "1.1.1.1")) and not answer(made.match("", "1.1.1.2"))

    def test_a_file_that_names_itself(self, bench, tmp_path):
        (tmp_path / "one").write_text(f"{tmp_path}/one\n")
        made = addresses(bench, f"{tmp_path}/one")
        with pytest.raises(TemporaryError):
            answer(made.match("", "1.1.1.1"))
        assert any("too many" in line for line in bench.lines)

    def test_a_missing_file_cannot_tell_until_it_is_there(self, bench, tmp_path):
        path = tmp_path / "networks"
        made = addresses(bench, f"{path}")
        assert bench.lines == [f"error open file {path}: No such file or directory"]
        with pytest.raises(TemporaryError):
            answer(made.match("localhost", "127.0.0.1"))
        assert bench.lines[1:] == [
            f"warning non-existent:{path} is unavailable. open file {path}: No such file or directory",
            f"warning mynetworks: non-existent:{path}: table lookup problem",
        ]
        path.write_text("127.0.0.1\n")
        bench.clock.advance(1)
        assert answer(made.match("localhost", "127.0.0.1"))

    def test_a_changed_file_is_noticed(self, bench, tmp_path):
        path = tmp_path / "networks"
        path.write_text("10.0.0.1\n")
        made = addresses(bench, f"{path}")
        assert not answer(made.match("", "127.0.0.1"))
        path.write_text("127.0.0.1\n10.0.0.1\n")
        bench.clock.advance(1)
        assert answer(made.match("", "127.0.0.1"))


class TestDomains:
    @pytest.mark.parametrize(
        ("pattern", "parents", "matching"),
        [
            ("example.com", False, {"example.com"}),
            (".example.com", False, {"www.example.com", "a.b.example.com", ".example.com"}),
            ("example.com", True, {"example.com", "www.example.com", "a.b.example.com"}),
            (".example.com", True, {".example.com"}),
            ("inline:{example.com=x}", False, {"example.com"}),
            ("inline:{.example.com=x}", False, {"www.example.com", "a.b.example.com", ".example.com"}),
            ("inline:{example.com=x}", True, {"example.com", "www.example.com", "a.b.example.com"}),
            ("regexp:{{/^example\\.com$/ x}}", True, {"example.com"}),
        ],
    )
    def test_parents(self, bench, pattern, parents, matching):
        made = DomainList((pattern,), bench.context, "relay_domains", parents)
        domains = ["example.com", "www.example.com", "a.b.example.com", ".example.com", "xexample.com", "com", ""]
        assert {domain for domain in domains if answer(made.match(domain.upper()))} == matching

    def test_networks_are_only_names_here(self, bench):
        made = DomainList(("10.0.0.1/8", "a/b"), bench.context, "mydestination")
        assert made.problems == [] and answer(made.match("a/B"))

    def test_unicode(self, bench):
        made = DomainList(("Ünïcode.example",), bench.context, "mydestination")
        assert answer(made.match("üNÏCODE.example"))

    @given(
        st.lists(st.sampled_from(["a.b", "b", ".b", "!a.b", "!b", "c.a.b", "!.a.b"]), max_size=5),
        st.sampled_from(["a.b", "b", "c.a.b", "x.b", "d"]),
        st.booleans(),
    )
    def test_sets_change_nothing(self, patterns, domain, parents):
        """The list as a whole answers as its patterns one by one."""

        def one(pattern):
            if pattern == domain:
                return True
            return domain.endswith("." + pattern if parents else pattern) and (parents or pattern[0] == ".")

        expected = next((p[0] != "!" for p in patterns if one(p.lstrip("!"))), False)

        class Context:
            log = tables = reactor = None

        assert answer(DomainList(patterns, Context, "x", parents).match(domain)) is expected


def test_strings_have_no_parents(bench):
    made = StringList(("Root", "inline:{me=x}", "!static:x", "you"), bench.context, "authorized_mailq_users")
    assert [answer(made.match(name)) for name in ("root", "ME", "you", "x.root")] == [True, True, False, False]
    assert made and not StringList((), bench.context, "x")


def test_whether_subdomains_match_is_a_setting():
    class Settings:
        parent_domain_matches_subdomains = ("debug_peer_list", "relay_domains")

    assert matches_subdomains(Settings, "relay_domains") and not matches_subdomains(Settings, "mynetworks")
