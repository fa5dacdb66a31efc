"""Our postmap and the real one, on the same sources and the same keys: output, complaints and exit status, for every type that
needs no server. The keys are generated: addresses of all shapes, quoting, other alphabets, octets, very long, hostile."""

import difflib
import io
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailer.commands import postmap

REAL = Path("/usr/sbin/postmap")
pytestmark = pytest.mark.skipif(not REAL.exists(), reason="Postfix is not installed")

SPECIAL = [
    *(
        b'"',
        b"\\",
        b'\\"',
        b"''",
        b"%s",
        b"$1",
        b"${1}",
        b"{",
        b"}",
        b"#x",
        b" lead",
        b"trail ",
        b"a b",
        b"\tt",
        b"a:",
        b":",
    ),
    *(
        b"\r",
        b"a\rb",
        b"*",
        b"|/bin/sh",
        b"/etc/passwd",
        b"a,b",
        b"@",
        b"",
        b"'; drop table x; --",
        b"\x01\x7f",
        b"dup",
    ),
    *(
        b"2001:db8::1",
        b"::1",
        b"::ffff:1.2.3.4",
        b"2001:DB8:0:0::1",
        b"fe80::1%eth0",
        b"1.2.3.4",
        b"01.2.3.4",
        b"1.2.3",
    ),
    *("é É ß ẞ ſ İ ı Σ ς ﬁ K Å Ǆ ΐ Ⅷ 🄰 𐐀 ᏸ Ꮡ ŉ".encode().split()),
]
DOMAINS = [
    b"example.com",
    b"Example.NET",
    b"sub.example.com",
    b".example.com",
    b"[1.2.3.4]",
    b"[IPv6:::1]",
    "BÜCHER.example".encode(),
]
PATTERNS = [
    *(
        b"(.*)@(.*)",
        b"^(.)(.)",
        b"([a-z]+)([0-9]*)",
        b"[[:upper:]]+",
        b"^[^@]*$",
        b"\\.",
        b"(a|ab)(c|bcd)?",
        b"x{2,3}",
        b"(x)?y",
    ),
    *(
        b"[0-9]{1,3}\\.[0-9]{1,3}",
        b"[]a]",
        b"[^]a]",
        b"[a-",
        b"(",
        b")",
        b"*a",
        b"{",
        b"a{3",
        b"[[:foo:]]",
        b"a|",
        b"()",
        b"$a",
    ),
]
RESULTS = [
    b"v",
    b"$1",
    b"${1}x",
    b"$(2)",
    b"$$",
    b"a$",
    b"$0",
    b"$9",
    b"x $1 y $2",
    b"${1",
    b"",
    b"OK text",
    b"\xc3\xa9",
]


class Material:
    """Keys and sources, the same for the same seed."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.keys = list(dict.fromkeys([*SPECIAL, *(self.key() for _ in range(900))]))
        values = [b"v", b"OK", b"a b  c", b"x, y", b"\xff\xfe", b"\xc3\xa9", b"trail  ", b'"q"']
        lines = [key + b" " + self.pick(values) for key in self.chance.sample(self.keys, 500)]
        lines += [
            b"# comment",
            b" continued",
            b"",
            b"novalue",
            b"dup 1",
            b"DUP 2",
            b'"a b" v',
            b"k: v",
            b"   ",
            b"x\0y z",
        ]
        self.chance.shuffle(lines)
        self.source = b"\n".join(lines) + b"\n"

    def pick(self, choices):
        return self.chance.choice(choices)

    def word(self):
        return bytes(self.pick(b"abcXYZ019.-+_") for _ in range(self.chance.randrange(1, 8)))

    def key(self):
        kind = self.chance.randrange(10)
        if kind < 4:
            return self.word() + b"@" + self.pick(DOMAINS)
        if kind < 6:
            return (
                self.pick([self.word() + b"+", b'"' + self.word() + b" ", b"@", b""])
                + self.word()
                + b'"@'
                + self.pick(DOMAINS)
            )
        if kind == 6:
            return self.word() * self.pick([1, 50, 300])
        if kind == 7:
            octets = bytes(self.chance.randrange(1, 256) for _ in range(self.chance.randrange(1, 12)))
            return octets.replace(b"\n", b"")
        return b"%d.%d.%d.%d" % tuple(self.chance.randrange(0, 260) for _ in range(4))

    def rules(self):
        """For regexp: and pcre:, some of them wrong."""
        lines = []
        for _ in range(25):
            key = self.pick(self.keys)[:40].replace(b"\r", b"")
            quoted = b"".join(b"\\" + bytes([c]) if c in rb"/.\+*?()[]{}|^$" else bytes([c]) for c in key)
            pattern = self.pick([b"^" + quoted + b"$", quoted, b"@" + quoted, self.pick(PATTERNS)])
            flags = self.pick([b"", b"", b"i", b"m", b"x", b"q"])
            lines.append(
                self.pick([b"", b"", b"!", b"if "]) + b"/" + pattern + b"/" + flags + b" " + self.pick(RESULTS)
            )
            lines.append(self.pick([b"# c", b"", b"endif", b"ENDIF x", b"foo bar", b"/open v", b"!!/x/ v"]))
        return b"\n".join(lines) + b"\n"

    def networks(self):
        """For cidr:, some of them wrong."""
        odd = [
            b"2001:db8::/32",
            b"::1",
            b"[1.2.3.0]/24",
            b"0.0.0.0/0",
            b"1.2.3.4/33",
            b"x",
            b"1.2.3.4/",
            b"[1.2.3.4",
            b"!10.0.0.0/8",
        ]
        lines = []
        for _ in range(15):
            net = b"%d.%d.0.0/%d" % (
                self.chance.randrange(224),
                self.chance.randrange(256),
                self.chance.randrange(8, 33),
            )
            lines.append(self.pick([net, net, self.pick(odd)]) + self.pick([b" v", b"", b"\t\xc3\xa9"]))
            lines.append(self.pick([b"# c", b"", b"endif", b"ENDIF x", b"if 0.0.0.0/0", b"if !1.0.0.0/8"]))
        return b"\n".join(lines) + b"\n"


@pytest.fixture
def both(tmp_path, monkeypatch, capfdbinary):
    """``both("-q - type:name", data)``: what the real one and ours did, which must be the same; gives that. ``real`` is what the
    real one did if it was asked before."""
    (tmp_path / "main.cf").write_text(f"compatibility_level = 3.6\nqueue_directory = {tmp_path}\n")
    monkeypatch.chdir(tmp_path)

    def run(arguments, data=b"", ours_only=False, real=None):
        words = ["-c", str(tmp_path), *arguments]
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        status = postmap.main(words)
        sys.stdout.flush()
        ours = (*capfdbinary.readouterr(), status)
        if ours_only:
            return ours
        expected = real or asked(tmp_path, arguments, data)
        if ours != expected:
            told = [_shown(side[0].split(b"\n") + side[1].split(b"\n")) for side in (expected, ours)]
            lines = "\n".join(line[:200] for line in [*difflib.unified_diff(*told, "real", "ours", n=0)][:20])
            pytest.fail(f"{arguments}: {expected[2]} {ours[2]}\n{lines}")
        return ours

    return run


def asked(directory, arguments, data=b""):
    """What the real one writes, says and exits with."""
    command = [REAL, "-c", str(directory), *arguments]
    real = subprocess.run(command, input=data, capture_output=True, timeout=60, cwd=directory)
    return real.stdout, real.stderr, real.returncode


def _shown(lines):
    return [repr(line) for line in lines]


def known(type):
    return type in subprocess.run(["/usr/sbin/postconf", "-m"], capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize(
    ("type", "flags"),
    [
        ("hash", ""),
        ("hash", "-u"),
        ("hash", "-r"),
        ("btree", "-n"),
        ("cdb", ""),
        ("cdb", "-N"),
        ("lmdb", ""),
        ("lmdb", "-f"),
    ],
)
def test_files(type, flags, both, tmp_path):
    if not known(type):
        pytest.skip(f"this Postfix has no {type}")
    material = Material(f"{type}{flags}")
    source, keys = material.source, material.keys
    if type == "lmdb":  # where the real one ends at the first key that is too long
        source = b"\n".join(line for line in source.split(b"\n") if len(line) < 400)
        keys = [key for key in keys if 0 < len(key) < 400]
    flags = flags.split()
    suffix = {"hash": "db", "btree": "db"}.get(type, type)
    (tmp_path / "t").write_bytes(source)
    both([*flags, f"{type}:t"])  # ours first, then the real one writes the same file
    query = b"\n".join(keys) + b"\n"
    for asked in ([], ["-f"], ["-u"]):
        found = both([*asked, "-q", "-", f"{type}:t"], query)
        assert found[0] or asked == [] or found[2]
    listed = both([*flags, "-s", f"{type}:t"])
    (tmp_path / f"t.{suffix}").unlink()
    ours = both([*flags, f"{type}:t"], ours_only=True)
    assert ours[2] == 0
    again = both([*flags, "-q", "-", f"{type}:t"], query)
    assert again[0]
    if type != "cdb":
        assert sorted(both([*flags, "-s", f"{type}:t"])[0].split(b"\n")) == sorted(listed[0].split(b"\n"))
        both([*flags, "-d", "no such key", f"{type}:t"])


@pytest.mark.parametrize("flags", ["", "-f", "-u"])
def test_source_text(flags, both, tmp_path):
    material = Material(flags)
    (tmp_path / "t").write_bytes(material.source)
    assert both([*flags.split(), "-q", "-", "texthash:t"], b"\n".join(material.keys) + b"\n")[0]


@pytest.mark.parametrize("type", ["regexp", "pcre"])
@pytest.mark.parametrize("seed", range(3))
def test_rules(type, seed, both, tmp_path):
    if not known(type):
        pytest.skip(f"this Postfix has no {type}")
    material = Material(seed)
    (tmp_path / "t").write_bytes(material.rules())
    for flags in ([], ["-u"]):
        both([*flags, "-q", "-", f"{type}:t"], b"\n".join(material.keys) + b"\n")


@pytest.mark.parametrize("seed", range(3))
def test_networks(seed, both, tmp_path):
    material = Material(seed)
    (tmp_path / "t").write_bytes(material.networks())
    both(["-q", "-", "cidr:t"], b"\n".join(material.keys) + b"\n")


SPECS = [
    *(
        "static:x",
        "static:{ a b }",
        "static:{a",
        "static:",
        "inline:{a=b}",
        "inline:{ {a = b c}, {Abc = $x} }",
        "inline:{a}",
    ),
    *(
        "inline:{",
        "inline:{=x}",
        "inline:{a=}",
        "inline:{a=1, A=2}",
        "inline:",
        "unionmap:{static:a,static:b}",
        "unionmap:{}",
    ),
    *("unionmap:{inline:{a=b},static:x}", "unionmap:{ {inline:{a=b}}, static:x}", "pipemap:{static:a,inline:{a=b}}"),
    *(
        "pipemap:{",
        "pipemap:{x}",
        "randmap:{x}",
        "randmap:{}",
        "randmap:x",
        "environ:x",
        "environ:",
        "unix:passwd.byname",
    ),
    *("unix:group.byname", "unix:x", "fail:x", "nosuch:x", "hash:none", "texthash:none", "cidr:none", "regexp:none"),
    *(
        "texthash:/",
        "regexp:{{/a/ b}}",
        "regexp:{/a/ b}",
        "cidr:{{1.2.3.0/24 x}}",
        "cidr:{",
        "internal:x",
        "socketmap:x",
    ),
    *("socketmap:foo:bar:x", "dbm:x", "sdbm:x", "memcache:/none"),
]


def test_the_other_types(both, tmp_path):
    calls = []
    for spec in SPECS:
        if spec.startswith("pcre") and not known("pcre"):
            continue
        calls += [
            (["-q", "-", spec], b"\n".join(SPECIAL) + b"\n"),
            (["-q", "root", spec], b""),
            (["-d", "a", spec], b""),
        ]
        if not spec.startswith("inline"):  # the real one's order is that of its hash
            calls.append((["-s", spec], b""))
        # Of types that nobody has Debian's own asks whether a package is missing.
        if not spec.startswith(("hash", "nosuch", "dbm", "sdbm")):
            calls += [([spec], b""), (["-i", spec], b"a b\n")]
    # The real one sleeps for a second before it ends with a complaint: many at a time.
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda call: asked(tmp_path, *call), calls))
    for (arguments, data), answer in zip(calls, answers, strict=True):
        both(arguments, data, real=answer)
