"""ldap: tables and Postfix's own postmap agree on a real slapd, option by option. Skipped without Postfix's LDAP support."""

# ruff: noqa: E501 (a case a line)

import os
import random
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from slapd import Slapd, sample_ldif

from mailer.commands.waiting import OccasionalReactor
from mailer.config.errors import ConfigError
from mailer.config.load import load
from mailer.interfaces.context import Context
from mailer.interfaces.table import TableOptions
from mailer.message.status import TemporaryError
from mailer.tables.opening import Tables
from mailer.tables.text import octets
from mailer.testing.log import RecordingLog

POSTMAP = Path("/usr/sbin/postmap")
BASE = "dc=example,dc=com"

ODD = """
dn: ou=odd,dc=example,dc=com
objectClass: organizationalUnit
ou: odd

dn: cn=many,ou=odd,dc=example,dc=com
objectClass: extensibleObject
objectClass: device
cn: many
mail: many@odd.test
description: zwei@b
description: eins@a
description: plain
description: @nolocal
description: with, comma
description: ü@ü.test
description;lang-en: english
info: second attribute

dn: cn=other,ou=odd,dc=example,dc=com
objectClass: extensibleObject
objectClass: device
cn: other
mail: many@odd.test
description: from the other entry

dn: cn=leaf,ou=odd,dc=example,dc=com
objectClass: extensibleObject
objectClass: device
cn: leaf
mail: leaf@odd.test
description: the leaf
seeAlso: cn=many,ou=odd,dc=example,dc=com

dn: cn=top,ou=odd,dc=example,dc=com
objectClass: extensibleObject
objectClass: device
cn: top
mail: top@odd.test
description: the top
owner: cn=middle,ou=odd,dc=example,dc=com
owner: cn=missing,ou=odd,dc=example,dc=com
owner: cn=other,ou=odd,dc=example,dc=com

dn: cn=middle,ou=odd,dc=example,dc=com
objectClass: extensibleObject
objectClass: device
cn: middle
description: the middle
owner: cn=other,ou=odd,dc=example,dc=com
owner: cn=leaf,ou=odd,dc=example,dc=com

dn: cn=final,ou=odd,dc=example,dc=com
objectClass: extensibleObject
objectClass: device
cn: final
mail: final@odd.test
mailRoutingHost: terminal.test
description: not seen
owner: cn=other,ou=odd,dc=example,dc=com

dn: cn=urls,ou=odd,dc=example,dc=com
objectClass: extensibleObject
objectClass: device
cn: urls
mail: urls@odd.test
labeledURI: ldap:///ou=odd,dc=example,dc=com?description?one?(|(cn=other)(cn=middle))
labeledURI: ldap:///cn=leaf,ou=odd,dc=example,dc=com?description,mail
labeledURI: ldap://elsewhere.test/cn=other,ou=odd,dc=example,dc=com
labeledURI: ldap:///cn=many,ou=odd,dc=example,dc=com?nonsense

dn: cn=badurl,ou=odd,dc=example,dc=com
objectClass: extensibleObject
objectClass: device
cn: badurl
mail: badurl@odd.test
labeledURI: ldap:///cn=leaf,ou=odd,dc=example,dc=com?description?nosuchscope

dn: cn=none,ou=odd,dc=example,dc=com
objectClass: extensibleObject
objectClass: device
cn: none
mail: none@odd.test

dn: ou=aliases,dc=example,dc=com
objectClass: organizationalUnit
ou: aliases

dn: cn=pointer,ou=aliases,dc=example,dc=com
objectClass: alias
objectClass: extensibleObject
cn: pointer
aliasedObjectName: cn=many,ou=odd,dc=example,dc=com

dn: ou=deep,dc=example,dc=com
objectClass: organizationalUnit
ou: deep
""" + "".join(
    f"""
dn: cn=level{number},ou=deep,dc=example,dc=com
objectClass: extensibleObject
objectClass: device
cn: level{number}
mail: level{number}@deep.test
description: level {number}
owner: cn=level{number + 1},ou=deep,dc=example,dc=com
"""
    for number in range(40)
)

HOSTILE = [
    "*", "user1*", "(", ")", "user1@example.com)(mail=*", "\\", "\\2a", "a\\", "user*@example.com", "", "@", "user1@",
    "@example.com", "user1@@example.com", "ü@example.com", "us\ter1@example.com", " user1@example.com", "user1@example.com ",
    "x" * 2000 + "@example.com", "user1,dc=com", "#user1@example.com", 'us"er1@example.com', "user1+x@example.com",
    "user1@sub.example.com", "example.com", "user1@EXAMPLE.com", "USER1@example.com", "user1;x@example.com", "%s@example.com",
    "many@odd.test", "top@odd.test", "many", "a&b@example.com", "<user1>@example.com", "user1=x@example.com", "$(x)@odd.test",
]  # fmt: skip

MAIL = "query_filter = (mail=%s)\nresult_attribute = "

#: Parameters, and the keys that matter for them.
CASES = [
    ("plain", MAIL + "mailDeliveryAddress", []),
    ("two attributes", MAIL + "description, info", ["many@odd.test"]),
    ("attribute order", MAIL + "info description", ["many@odd.test"]),
    ("attribute with options", MAIL + "description;lang-en", ["many@odd.test"]),
    ("no parentheses", "query_filter = mail=%s\nresult_attribute = uid", []),
    ("white space in the filter", "query_filter = (& (mail=%s) (objectClass=*) )\nresult_attribute = cn", []),
    ("or, not, presence", "query_filter = (&(|(mail=%s)(uid=%u))(!(mailStatus=disabled))(cn=*))\nresult_attribute=uid",
     ["user19@example.com", "user5@example.com"]),
    ("substrings", "query_filter = (mail=%u@*.com)\nresult_attribute=uid", []),
    ("comparisons", "query_filter = (&(mail>=%s)(mail<=%s)(cn~=anna*))\nresult_attribute=uid", []),
    ("extensible", "query_filter = (mail:caseIgnoreIA5Match:=%s)\nresult_attribute=uid", []),
    ("extensible dn", "query_filter = (&(mail=%s)(ou:dn:=people))\nresult_attribute=uid", []),
    ("local part", "query_filter = uid=%u\nresult_attribute = uid", ["user7", "user7@elsewhere"]),
    ("domain part", "query_filter = (&(mail=%s)(mail=*%d))\nresult_attribute = uid", []),
    ("labels", "query_filter = mail=%u@%2.%1\nresult_attribute = uid", ["user7@sub.example.com", "user7@com", "user7@a..example.com"]),
    ("percent", "query_filter = (|(mail=%s)(cn=100%%))\nresult_attribute = uid", []),
    ("upper case in the query", "query_filter = (&(mail=%S)(uid=%U)(mail=*%D))\nresult_attribute = uid", []),
    ("base with expansions", "search_base = uid=%u,ou=people,dc=%2,dc=%1\nquery_filter = mail=%s\nresult_attribute = uid", []),
    ("base that is not there", "search_base = ou=nowhere,dc=example,dc=com\n" + MAIL + "uid", ["user1@example.com"]),
    ("base that is no name", "search_base = nonsense\n" + MAIL + "uid", ["user1@example.com"]),
    ("scope base", "search_base = uid=%u,ou=people,dc=example,dc=com\nscope = base\nquery_filter = objectClass=*\nresult_attribute = uid", []),
    ("scope one", "search_base = ou=people,dc=example,dc=com\nscope = one\n" + MAIL + "uid", []),
    ("scope one above", "scope = one\n" + MAIL + "uid", []),
    ("result format", MAIL + "mailRoutingHost\nresult_format = relay:[%s]", []),
    ("result parts", MAIL + "description\nresult_format = <%u|%d>", ["many@odd.test"]),
    ("result local part", MAIL + "description\nresult_format = <%u>", ["many@odd.test"]),
    ("result of the key", MAIL + "uid\nresult_format = %S %U %D %2 %1 %%", []),
    ("result of too many labels", MAIL + "uid\nresult_format = %5", ["user1@example.com"]),
    ("old result filter", MAIL + "uid\nresult_filter = (%s)", []),
    ("fixed result", MAIL + "description\nresult_format = OK", ["many@odd.test"]),
    ("domain", MAIL + "uid\ndomain = example.com", []),
    ("domain list", MAIL + "uid\ndomain = other.test, inline:{example.com=x}", []),
    ("domain not", MAIL + "uid\ndomain = !example.com odd.test", ["many@odd.test"]),
    ("no result attribute", MAIL, ["user1@example.com", "leaf@odd.test"]),
    ("special", MAIL + "description\nspecial_result_attribute = owner", ["top@odd.test"]),
    ("leaf", MAIL + "\nleaf_result_attribute = description\nspecial_result_attribute = owner", ["top@odd.test", "leaf@odd.test"]),
    ("terminal", MAIL + "description\nterminal_result_attribute = mailRoutingHost\nspecial_result_attribute = owner", ["final@odd.test"]),
    ("two special ones", MAIL + "description\nspecial_result_attribute = owner, seeAlso", ["top@odd.test"]),
    ("urls", MAIL + "description\nspecial_result_attribute = labeledURI", ["urls@odd.test", "badurl@odd.test"]),
    ("groups", MAIL + "\nspecial_result_attribute = member\nleaf_result_attribute = mail", ["team0@example.com", "department1@example.com"]),
    ("expansion limit", MAIL + "\nspecial_result_attribute = member\nleaf_result_attribute = mail\nexpansion_limit=20\nsize_limit=0",
     ["team0@example.com", "department1@example.com"]),
    ("expansion limit one less", MAIL + "\nspecial_result_attribute = member\nleaf_result_attribute = mail\nexpansion_limit=19\nsize_limit=0",
     ["team0@example.com"]),
    ("size limit", "query_filter = (|(mail=%s)(cn=anna*))\nresult_attribute = uid\nsize_limit = 3", ["many@odd.test"]),
    ("size limit just right", MAIL + "description\nsize_limit = 2", ["many@odd.test"]),
    ("size limit from expansion limit", MAIL + "description\nexpansion_limit = 1", ["user1@example.com", "many@odd.test"]),
    ("recursion limit", MAIL + "description\nspecial_result_attribute = owner\nrecursion_limit = 3", ["level37@deep.test", "level35@deep.test"]),
    ("deep", MAIL + "description\nspecial_result_attribute = owner", ["level0@deep.test"]),
    ("dereference never", "search_base = ou=aliases,dc=example,dc=com\n" + MAIL + "description", ["many@odd.test"]),
    ("dereference searching", "search_base = ou=aliases,dc=example,dc=com\ndereference = 1\n" + MAIL + "description", ["many@odd.test"]),
    ("dereference finding", "search_base = cn=pointer,ou=aliases,dc=example,dc=com\ndereference = 2\n" + MAIL + "description", ["many@odd.test"]),
    ("dereference always", "search_base = ou=aliases,dc=example,dc=com\ndereference = 3\n" + MAIL + "description", ["many@odd.test"]),
    ("fixed filter", "query_filter = (mail=leaf@odd.test)\nresult_attribute = description", ["a", "b@c"]),
    ("bad filter", "query_filter = (mail=%s\nresult_attribute = uid", ["user1@example.com"]),
    ("filter that is none", "query_filter = %s\nresult_attribute = uid", ["uid=user1", "(uid=user1)"]),
    ("bind by name", "bind_dn = cn=admin,dc=example,dc=com\nbind_pw = admin\n" + MAIL + "uid", ["user1@example.com"]),
    ("bind refused", "bind_dn = cn=admin,dc=example,dc=com\nbind_pw = wrong\n" + MAIL + "uid", ["user1@example.com"]),
    ("no bind", "bind = no\n" + MAIL + "uid", ["user1@example.com"]),
    ("bind none", "bind = none\n" + MAIL + "uid", ["user1@example.com"]),
    ("bind simple", "bind = simple\n" + MAIL + "uid", ["user1@example.com"]),
    ("version 2", "version = 2\n" + MAIL + "uid", ["user1@example.com"]),
    ("version 7", "version = 7\n" + MAIL + "uid", ["user1@example.com"]),
    ("odd values of parameters", "scope = up\ndereference = 8\ncache = yes\ncache_size = 5\n" + MAIL + "uid", ["user1@example.com"]),
    ("unknown attribute", MAIL + "nosuchattribute", ["user1@example.com"]),
    ("no such value", MAIL + "description", ["none@odd.test", "user1@example.com"]),
]  # fmt: skip

WRONG = [
    "bind = maybe",
    "size_limit = x",
    "timeout = 5s",
    "recursion_limit = 0",
    "chase_referrals = 2",
    "start_tls = maybe",
    "query_filter = %x",
    "result_format = %",
    "search_base = %0",
    "expansion_limit = 9999999999",
    "nonsense",
    "= x",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    if not POSTMAP.exists() or POSTMAP.read_bytes()[:4] != b"\x7fELF":
        pytest.skip("no Postfix on this machine")
    place = tmp_path_factory.mktemp("postfix")
    (place / "main.cf").write_text(
        f"compatibility_level = 3.6\nqueue_directory = {place}\ndata_directory = {place}\nmyhostname = mx.example.com\n"
    )
    for name in ("dynamicmaps.cf", "dynamicmaps.cf.d"):
        source = Path("/etc/postfix", name)
        if source.is_dir():
            shutil.copytree(source, place / name)
        elif source.exists():
            shutil.copy(source, place)
    return place


@pytest.fixture(scope="module")
def slapd(tmp_path_factory):
    import tempfile

    with tempfile.TemporaryDirectory(prefix="ld-") as directory:
        # A limit that is lower than the number of people, which pages get around.
        server = Slapd(Path(directory), sample_ldif(400) + ODD, "allow bind_v2")
        server.start()
        yield server
        server.stop()


def theirs(place, spec, keys):
    """``found lines, complaints`` of the real one; keys after one that cannot be told are not asked."""
    done = subprocess.run(
        [POSTMAP, "-c", place, "-q", "-", spec],
        input=b"".join(octets(key) + b"\n" for key in keys),
        capture_output=True,
    )
    complaints = done.stderr.decode("utf-8", "replace").splitlines()
    if any("unsupported dictionary type: ldap" in line for line in complaints):
        pytest.skip("Postfix has no LDAP support here")
    return done.stdout, [line.partition(": ")[2] for line in complaints]


class Ours:
    def __init__(self, place):
        self.log = RecordingLog()
        self.reactor = OccasionalReactor()
        settings = load(place, need_master=False).settings
        self.context = Context(settings=settings, reactor=self.reactor, seconds=time.time, log=self.log)
        self.tables = Tables(self.context, TableOptions(), strict=True)

    def ask_all(self, spec, keys):
        table = self.tables.open(spec)
        out = []
        for key in keys:
            try:
                value = self.reactor.finish(table.lookup(key))
            except TemporaryError:
                break
            if value is not None:
                out.append(octets(f"{key}\t{value}\n"))
        self.tables.close()
        return b"".join(out)


@pytest.fixture
def ours(place):
    return Ours(place)


def keys_for(extra):
    chosen = random.Random(5)
    people = [f"user{chosen.randrange(500)}@example.com" for _ in range(10)]
    return extra or people + [key for key in HOSTILE if "\n" not in key]


@pytest.fixture(scope="module")
def recorded(place, slapd, tmp_path_factory):
    """What the real one says to all cases: ``recorded(name) -> spec, found, complaints``. Side by side, for it sleeps a
    while whenever something is wrong."""
    directory = tmp_path_factory.mktemp("cf")

    def ask(case):
        name, text, extra = case
        path = directory / f"{name.replace(' ', '-').replace('=', '-').replace('%', 'p')}.cf"
        base = "" if "search_base" in text else f"search_base = {BASE}\n"
        path.write_text(f"server_host = {slapd.url}\n{base}{text}\n")
        spec = f"ldap:{path}"
        found, complaints = theirs(place, spec, keys_for(extra))
        if len(extra) > 1 and any("fatal" in line for line in complaints):  # what it has found before is lost then
            found = b"".join(theirs(place, spec, [key])[0] for key in extra)
        return spec, found, complaints

    cases = CASES + [(text, text, ["user1@example.com"]) for text in WRONG]
    with ThreadPoolExecutor(24) as pool:
        answers = dict(zip([name for name, _, _ in cases], pool.map(ask, cases), strict=True))
    return answers.__getitem__


@pytest.mark.parametrize(("name", "extra"), [pytest.param(case[0], case[2], id=case[0]) for case in CASES])
def test_same_answers(recorded, ours, name, extra):
    spec, found, complaints = recorded(name)
    assert ours.ask_all(spec, keys_for(extra)) == found, (complaints, ours.log.lines)


@pytest.mark.parametrize("text", WRONG)
def test_same_complaints_about_parameters(recorded, ours, text):
    spec, _, complaints = recorded(text)
    with pytest.raises(ConfigError) as raised:
        ours.tables.open(spec)
    error = raised.value
    where = f"{error.file}, line {error.line}: " if error.line else ""
    assert f"fatal: {where}{error.problem}" == complaints[-1]


@pytest.mark.parametrize("name", ["fixed filter", "bad filter", "version 7", "odd values of parameters", "size limit",
                                  "expansion limit one less", "base that is not there"])  # fmt: skip
def test_same_warnings(recorded, ours, name):
    spec, _, complaints = recorded(name)
    ours.ask_all(spec, next(extra for case, _, extra in CASES if case == name))
    expected = [line.rstrip() for line in complaints if line.startswith("warning")]
    assert [line.replace("warning ", "warning: ", 1) for line in ours.log.lines] == expected


def test_the_old_way_in_main_cf(place, slapd, ours, tmp_path):
    text = f"people_server_host = {slapd.url}\npeople_search_base = ou=people,{BASE}\npeople_query_filter = mail=%s\n"
    (tmp_path / "main.cf").write_text((place / "main.cf").read_text() + text + "people_result_attribute = uid\n")
    for name in ("dynamicmaps.cf", "dynamicmaps.cf.d"):
        if (place / name).exists():
            os.symlink(place / name, tmp_path / name)
    keys = ["user1@example.com", "nobody@example.com"]
    found, _ = theirs(tmp_path, "ldap:people", keys)
    assert Ours(tmp_path).ask_all("ldap:people", keys) == found == b"user1@example.com\tuser1\n"


def test_over_a_unix_socket(place, slapd, ours, tmp_path):
    path = tmp_path / "t.cf"
    path.write_text(f"server_host = {slapd.socket_url}\nsearch_base = {BASE}\n{MAIL}uid\n")
    found, _ = theirs(place, f"ldap:{path}", ["user1@example.com"])
    assert ours.ask_all(f"ldap:{path}", ["user1@example.com"]) == found == b"user1@example.com\tuser1\n"


def test_sasl_external_over_a_unix_socket(place, slapd, ours, tmp_path):
    path = tmp_path / "t.cf"
    path.write_text(
        f"server_host = {slapd.socket_url}\nsearch_base = {BASE}\nbind = sasl\nsasl_mechs = EXTERNAL\n{MAIL}uid\n"
    )
    found, complaints = theirs(place, f"ldap:{path}", ["user1@example.com"])
    assert ours.ask_all(f"ldap:{path}", ["user1@example.com"]) == found == b"user1@example.com\tuser1\n", complaints


def test_more_than_a_server_gives_at_once_comes_in_pages(tmp_path, ours):
    import tempfile

    with tempfile.TemporaryDirectory(prefix="ld-") as directory:
        server = Slapd(
            Path(directory), sample_ldif(700), "", "limits * size.soft=50 size.hard=50 size.prtotal=unlimited"
        )
        server.start()
        try:
            text = (
                f"server_host = {server.url}\nsearch_base = {BASE}\nquery_filter = (cn=anna*)\nresult_attribute = uid\n"
            )
            (tmp_path / "t.cf").write_text(text + "page_size = 20\n")
            value = ours.ask_all(f"ldap:{tmp_path / 't.cf'}", ["all"])
            assert value.count(b",") == 69
            (tmp_path / "u.cf").write_text(text + "page_size = 0\n")
            other = Ours.__new__(Ours)
            other.__dict__.update(ours.__dict__)
            other.tables = Tables(ours.context, TableOptions(), strict=True)
            assert other.ask_all(f"ldap:{tmp_path / 'u.cf'}", ["all"]) == b""
            assert any("Size limit exceeded" in line for line in ours.log.lines)
        finally:
            server.stop()
