"""Our tables and Postfix's own postmap answer alike, over generated sources and keys. Skipped where there is no Postfix."""

import os
import random
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from twisted.internet.task import Clock

from mailer.interfaces.context import Context
from mailer.interfaces.table import ITableMaker, TableOptions
from mailer.message.status import TemporaryError
from mailer.plugins.registry import installed
from mailer.tables.aliases import alias_entries
from mailer.tables.opening import Tables
from mailer.tables.source import entries
from mailer.tables.text import fold, octets, string
from mailer.testing.log import RecordingLog
from mailer.testing.tables import answer

POSTMAP, POSTALIAS = Path("/usr/sbin/postmap"), Path("/usr/sbin/postalias")


@pytest.fixture(scope="module")
def postfix(tmp_path_factory):
    """``postfix(program, arguments, stdin) -> stdout, complaints`` with a configuration of its own."""
    if not POSTMAP.exists() or POSTMAP.read_bytes()[:4] != b"\x7fELF":
        pytest.skip("no Postfix on this machine")
    place = tmp_path_factory.mktemp("postfix")
    (place / "main.cf").write_text(
        f"compatibility_level = 3.6\nqueue_directory = {place}\ndata_directory = {place}\nmyhostname = mx.example.com\n"
    )
    for name in ("dynamicmaps.cf",):
        if Path("/etc/postfix", name).exists():
            shutil.copy(Path("/etc/postfix", name), place)

    def run(program, *arguments, stdin=b""):
        done = subprocess.run([program, "-c", place, *arguments], input=stdin, capture_output=True)
        complaints = done.stderr.decode("utf-8", "replace").splitlines()
        if any("unsupported dictionary type" in line for line in complaints):
            pytest.skip(complaints[-1])
        return done.stdout, [line.partition(": ")[2] for line in complaints]

    return run


class Ours:
    """Tables of ours over the same files."""

    def __init__(self):
        self.log = RecordingLog()
        settings = SimpleNamespace(
            lmdb_map_size=1 << 24,
            berkeley_db_read_buffer_size=131072,
            berkeley_db_create_buffer_size=1048576,
            alias_maps=(),
            alias_database=(),
        )
        self.context = Context(settings=settings, reactor=Clock(), seconds=lambda: 4e9, log=self.log)
        self.tables = Tables(self.context, TableOptions())

    def ask_all(self, spec, keys):
        """What ``postmap -q -`` prints."""
        table = self.tables.open(spec)
        out = []
        for key in keys:
            try:
                value = answer(table.lookup(key))
            except TemporaryError:
                break
            if value is not None:
                out.append(octets(f"{key}\t{value}\n"))
        return b"".join(out)

    @property
    def complaints(self):
        shown = [line.replace("warning ", "warning: ", 1) for line in self.log.lines]
        return list(dict.fromkeys("".join(char if char.isprintable() else "?" for char in line) for line in shown))


@pytest.fixture
def ours():
    made = Ours()
    yield made
    made.tables.close()


def lines(keys):
    return octets("".join(f"{key}\n" for key in keys))


def agree(postfix, ours, spec, keys, program=POSTMAP):
    printed, complaints = postfix(program, "-q", "-", spec, stdin=lines(keys))
    assert ours.ask_all(spec, keys).decode("utf-8", "replace") == printed.decode("utf-8", "replace")
    return list(dict.fromkeys(complaints))  # postmap reads a file again that is new, and complains again


WORDS = ["a", "B", "user@example.com", '"a b"', 'a"b c"d', "\\x", "k\\ y", "é", "É", "x:", "1.2.3.4", '"q', "#no", "*"]
GAPS = [" ", "\t", "  ", "\n ", "\n\t", "\n#c\n ", "\n\n ", " \x0b"]


def source(chance, count):
    text = []
    for _ in range(count):
        pieces = [chance.choice(WORDS) for _ in range(chance.choice([1, 2, 2, 2, 3]))]
        text.append(
            "".join(word + chance.choice(GAPS) for word in pieces).rstrip("\n") + chance.choice(["\n", "\n\n", " \n"])
        )
    return "".join(text)


KEYS = [word.strip() for word in WORDS] + ["A", "b", "USER@EXAMPLE.COM", "none", '"A B"']


@pytest.mark.parametrize("seed", range(6))
def test_texthash(postfix, ours, tmp_path, seed):
    path = tmp_path / "t"
    path.write_text(source(random.Random(seed), 40))
    os.utime(path, (1e9, 1e9))  # postmap waits for a new file to settle
    complaints = agree(postfix, ours, f"texthash:{path}", KEYS)
    assert ours.complaints == complaints


@pytest.mark.parametrize("type", ["lmdb", "cdb", "hash", "btree"])
@pytest.mark.parametrize("program", [POSTMAP, POSTALIAS], ids=["postmap", "postalias"])
def test_files_that_postfix_wrote(postfix, ours, tmp_path, type, program):
    path = tmp_path / "t"
    text = source(random.Random(7), 30)
    path.write_text(text if program == POSTMAP else text.replace(" ", ": ", 3))
    postfix(program, f"{type}:{path}")
    if any("needs the Python package" in problem for problem in _problems(ours, f"{type}:{path}")):
        pytest.skip(f"{type}: its optional package is missing")
    agree(postfix, ours, f"{type}:{path}", [*KEYS, "@"])


def _problems(ours, spec):
    ours.tables.open(spec)
    return ours.tables.problems + ours.log.lines


@pytest.mark.parametrize("type", ["lmdb", "cdb", "hash", "btree"])
def test_files_that_we_wrote(postfix, ours, tmp_path, type):
    maker = installed(ITableMaker, "lookup table type").find(type)
    path = tmp_path / "t"
    try:
        writer = maker.open(str(path), ours.context, TableOptions(), True)
    except Exception as error:
        if "needs the Python package" in str(error):
            pytest.skip(str(error))
        raise
    for _, key, value in entries(source(random.Random(8), 60), "t", lambda text: None):
        writer.add(fold(key), value)
    for number in range(500):
        writer.add(f"key{number}", f"value {number}")
    writer.close()
    agree(postfix, ours, f"{type}:{path}", [*KEYS, "key0", "key499", "key500"])


ATOMS = [
    "a",
    "b",
    "[ab]",
    "[^a]",
    ".",
    "(a)",
    "(b|c)",
    "(ab)*",
    "[[:digit:]]",
    "\\.",
    "a?",
    "b+",
    "x*",
    "(a|b)c",
    "[a-c]",
]
PERL = ["\\d", "\\w+", "(?:ab)", "(?=a)", "(?!b)", "a*?", "[\\w.]", "\\b", "(?i:A)", "(?<n>b)"]
SUBJECTS = ["a", "b", "ab", "abc", "AC", "bc", "x.y", "a1b2", "", "aab", "bca", "cab", "a b", "ééa", "xxa"]


@pytest.mark.parametrize("type", ["regexp", "pcre"])
@pytest.mark.parametrize("seed", range(3))
def test_patterns(postfix, ours, tmp_path, type, seed):
    """Each pattern is asked by keys that begin with its number. No alternative is the beginning of another."""
    chance = random.Random(seed)
    atoms = ATOMS + (PERL if type == "pcre" else [])
    rules = []
    for number in range(80):
        pattern = "".join(chance.choice(atoms) for _ in range(chance.randint(1, 4)))
        sign = chance.choice(["", "", "", "!"])
        ambiguous = type == "regexp" and ("?" in pattern or "*" in pattern)  # POSIX: the longest; ours: the first
        result = "<$1>" if "(" in pattern.replace("(?", "") and not sign and not ambiguous else f"r{number}"
        flags, end = chance.choice(["", "i", "m"]), chance.choice(["", "", "$"])
        rules.append(f"if /^{number}:/\n{sign}/:{pattern}{end}/{flags} {result}\nendif\n")
    path = tmp_path / "t"
    path.write_text("".join(rules))
    complaints = agree(postfix, ours, f"{type}:{path}", [f"{n}:{subject}" for n in range(80) for subject in SUBJECTS])
    assert ours.complaints == complaints


JUNK = [
    "a",
    "*",
    "+",
    "?",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "1",
    ",",
    "|",
    "^",
    "$",
    "\\",
    "[:alpha:]",
    "-",
    ".",
    "{1,2}",
    "[^",
]


@pytest.mark.parametrize("type", ["regexp", "pcre"])
def test_what_is_wrong_with_patterns(postfix, ours, tmp_path, type):
    """Rules are accepted or refused alike; for most mistakes in the same words."""
    chance = random.Random(11)
    path = tmp_path / "t"
    path.write_text(
        "".join(f"/{''.join(chance.choice(JUNK) for _ in range(chance.randint(1, 6)))}/ x\n" for _ in range(400))
    )
    _, theirs = postfix(POSTMAP, "-q", "zzz", f"{type}:{path}")
    ours.ask_all(f"{type}:{path}", ["zzz"])

    def numbers(complaints):
        return {line.partition(", line ")[2].partition(":")[0] for line in complaints}

    assert numbers(ours.complaints) == numbers(theirs)
    different = set(ours.complaints) ^ set(theirs)
    assert len(different) <= (0 if type == "regexp" else len(theirs) // 3)


def test_cidr(postfix, ours, tmp_path):
    chance = random.Random(12)
    octet = lambda: chance.choice([0, 1, 2, 10, 127, 128, 255])  # noqa: E731 - three letters of a table
    text = []
    for number in range(300):
        prefix = chance.choice([0, 1, 8, 16, 24, 31, 32, 33])
        address = chance.choice(
            [f"{octet()}.{octet()}.{octet()}.{octet()}", f"{octet()}.0.0.0", "2001:db8::", "::1", "x"]
        )
        pattern = chance.choice([address, f"{address}/{prefix}", f"[{address}]/{prefix}", f"[{address}"])
        text.append(f"{chance.choice(['', '', '', '!'])}{pattern} v{number}\n")
    path = tmp_path / "t"
    path.write_text("".join(text[:100]) + "if 10.0.0.0/8\n" + "".join(text[100:200]) + "endif\n" + "".join(text[200:]))
    keys = [f"{octet()}.{octet()}.{octet()}.{octet()}" for _ in range(200)] + [
        "2001:db8::1",
        "::1",
        "::2",
        "x",
        "1.2.3",
    ]
    assert agree(postfix, ours, f"cidr:{path}", keys) == ours.complaints


@pytest.mark.parametrize(
    "spec",
    [
        "static:{some text}",
        "inline:{a=1, {B = two words}, b=3 x={y}}",
        "unionmap:{inline:{a=1},inline:{a=2,b=3},static:x}",
        "pipemap:{inline:{a=b,b=c},inline:{b=d}}",
        "regexp:{{/^a(.*)/ <$1>}, {!/b/ none}}",
        "cidr:{{1.2.3.0/24 x}}",
        "unix:passwd.byname",
        "unix:group.byname",
        "environ:x",
        "randmap:{one}",
    ],
)
def test_tables_without_files(postfix, ours, spec):
    agree(postfix, ours, spec, ["a", "A", "b", "abc", "1.2.3.4", "root", "nobody", "x", "é"])


TOKENS = [
    "a",
    "b.c",
    "@",
    "x@y",
    ",",
    ":",
    " ",
    "  ",
    '"q r"',
    '"',
    "(c)",
    "(",
    "<",
    ">",
    "[1.2]",
    "\\",
    ";",
    "é",
    "|",
    "/f",
]


def test_aliases(postfix, tmp_path):
    chance = random.Random(13)
    path = tmp_path / "al"
    path.write_text(
        "".join(f"k{n}: {''.join(chance.choice(TOKENS) for _ in range(chance.randint(1, 8)))}\n" for n in range(400))
        + "".join(f"{''.join(chance.choice(TOKENS) for _ in range(3))}{n}: v\n" for n in range(200))
    )
    _, complaints = postfix(POSTALIAS, f"lmdb:{path}")
    listed, _ = postfix(POSTMAP, "-s", f"lmdb:{path}")
    theirs = dict(string(line).split("\t", 1) for line in listed.split(b"\n") if line)
    for key in ("@", "YP_LAST_MODIFIED", "YP_MASTER_NAME"):
        del theirs[key]
    found, warnings = {}, []
    for _, name, value in alias_entries(path.read_text(), str(path), warnings.append):
        found.setdefault(fold(name), value)
    assert found == theirs
    assert [f"warning: {line}" for line in warnings] == [line for line in complaints if "duplicate" not in line]
