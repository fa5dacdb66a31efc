"""postmap, postalias and newaliases: what they write, say and exit with. The expectations are Postfix's."""

import io
import os
import sys

import pytest

from mailer.commands import newaliases, postalias, postmap

COMMANDS = {"postmap": postmap, "postalias": postalias, "newaliases": newaliases}
USAGE = "postmap: fatal: usage: postmap [-bfFhimnNoprsuUvw] [-c config_dir] [-d key] [-q key] [map_type:]file...\n"


@pytest.fixture
def run(tmp_path, monkeypatch, capfdbinary):
    """``run("postmap ...", stdin="") -> status, output, complaints``, in a directory with a main.cf."""
    (tmp_path / "main.cf").write_text(
        "compatibility_level = 3.6\ndefault_database_type = cdb\nmyhostname = mx.example.com\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAIL_CONFIG", str(tmp_path))

    def run(*words, stdin=b""):
        program, *arguments = words[0].split() + list(words[1:])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = COMMANDS[program].main(arguments)
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return status, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "surrogateescape")

    return run


@pytest.fixture(autouse=True)
def files(tmp_path):
    (tmp_path / "m").write_text("A 1\nb 2\nc 3\n")
    (tmp_path / "dup").write_text("a 1\na 2\n")
    (tmp_path / "al").write_text("Root: me\nx@y: z\n")


lmdb = pytest.importorskip("lmdb", reason="most of this writes lmdb: files")


def test_making_and_asking(run, tmp_path):
    assert run("postmap lmdb:m") == (0, "", "")
    assert run("postmap -q A lmdb:m") == (0, "1\n", "")
    assert run("postmap -q x lmdb:m") == (1, "", "")
    assert run("postmap -q - lmdb:m", stdin=b"b\nx\nC\n") == (0, "b\t2\nC\t3\n", "")
    assert run("postmap -q - lmdb:m", stdin=b"x\n") == (1, "", "")
    assert run("postmap -s lmdb:m") == (0, "a\t1\nb\t2\nc\t3\n", "")
    assert run("postmap m") == (0, "", "")  # default_database_type
    assert (tmp_path / "m.cdb").exists()
    assert run("postmap -q b m") == (0, "2\n", "")


def test_several_tables_are_asked_in_order(run):
    run("postmap lmdb:m")
    run("postmap lmdb:dup")
    assert run("postmap -q a lmdb:dup lmdb:m") == (0, "1\n", "")
    assert run("postmap -q c lmdb:dup lmdb:m") == (0, "3\n", "")
    assert run("postmap -q c lmdb:m fail:x") == (0, "3\n", "")
    assert run("postmap -q c fail:x lmdb:m") == (
        1,
        "",
        "postmap: fatal: table fail:x: query error: Application error\n",
    )


def test_duplicates(run):
    assert run("postmap lmdb:dup") == (0, "", 'postmap: warning: lmdb:dup: duplicate entry: "a"\n')
    assert run("postmap cdb:dup") == (0, "", 'postmap: warning: dup: duplicate entry: "a"\n')
    assert run("postmap -w lmdb:dup") == (0, "", "")
    assert run("postmap -q a lmdb:dup")[1] == "1\n"
    assert run("postmap -r lmdb:dup") == (0, "", "")
    assert run("postmap -q a lmdb:dup")[1] == "2\n"


def test_changing(run):
    run("postmap lmdb:m")
    assert run("postmap -i lmdb:m", stdin=b"b 9\nd 4\n") == (0, "", 'postmap: warning: lmdb:m: duplicate entry: "b"\n')
    assert run("postmap -ir lmdb:m", stdin=b"c 9\n") == (0, "", "")
    assert run("postmap -s lmdb:m")[1] == "a\t1\nb\t2\nc\t9\nd\t4\n"
    assert run("postmap -d A lmdb:m") == (0, "", "")
    assert run("postmap -d A lmdb:m") == (1, "", "")
    assert run("postmap -d - lmdb:m", stdin=b"x\nb\n") == (0, "", "")
    assert run("postmap -s lmdb:m")[1] == "c\t9\nd\t4\n"
    assert run("postmap -i lmdb:new", stdin=b"k v\nonlykey\n") == (
        0,
        "",
        "postmap: warning: stdin, line 2: expected format: key whitespace value\n",
    )


def test_without_folding(run):
    assert run("postmap -f lmdb:m") == (0, "", "")
    assert run("postmap -s lmdb:m")[1] == "A\t1\nb\t2\nc\t3\n"
    assert run("postmap -fq a lmdb:m")[0] == 1 and run("postmap -fq A lmdb:m")[1] == "1\n"


def test_nul(run):
    run("postmap lmdb:m")
    assert [run(f"postmap {option} b lmdb:m")[0] for option in ("-q", "-Nq", "-nq")] == [0, 0, 1]
    run("postmap -n lmdb:m")
    assert [run(f"postmap {option} b lmdb:m")[0] for option in ("-q", "-Nq", "-nq")] == [0, 1, 0]


def test_utf8(run, tmp_path):
    (tmp_path / "u").write_bytes("É ü\n".encode() + b"b\xe9 x\n")
    assert run("postmap lmdb:u") == (
        0,
        "",
        'postmap: warning: u, line 2: non-UTF-8 input "b? x" -- ignoring this line\n',
    )
    assert run("postmap -q é lmdb:u")[1] == "ü\n"
    assert run("postmap -u lmdb:u") == (0, "", "")
    assert run("postmap -uq É lmdb:u")[1] == "ü\n"
    assert run("postmap -uq é lmdb:u")[0] == 1
    status, _, complaint = run("postmap -q", "b\udce9", "lmdb:u")
    assert status == 1 and "malformed UTF-8 or invalid codepoint" in complaint


def test_values_from_files(run, tmp_path):
    (tmp_path / "F").write_text("one dup\ntwo dup,m\nthree none\n")
    assert run("postmap -F lmdb:F") == (
        0,
        "",
        "postmap: warning: F, line 3: open none: No such file or directory: skipping this entry\n",
    )
    assert run("postmap -q one lmdb:F")[1] == "YSAxCmEgMgo=\n"
    assert run("postmap -Fq two lmdb:F")[1] == "a 1\na 2\n\nA 1\nb 2\nc 3\n\n"
    assert run("postmap -Fs lmdb:F")[1].startswith("one\ta 1\na 2\n\n")
    run("postmap lmdb:m")
    assert run("postmap -Fq b lmdb:m") == (
        1,
        "",
        "postmap: warning: table lmdb:m: key b: malformed BASE64 value: 2\npostmap: fatal: table lmdb:m: query error\n",
    )


MESSAGE = b"""Received: a
 b
Content-Type: multipart/mixed; boundary="b"

pre
--b
Content-Type: message/rfc822

Subject: inner

body
--b--
post
"""


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ("-hq", ["Received: a\n b", 'Content-Type: multipart/mixed; boundary="b"']),
        ("-bq", ["", "pre", "--b", "Content-Type: message/rfc822", "", "Subject: inner", "", "body", "--b--", "post"]),
        (
            "-hmq",
            [
                "Received: a\n b",
                'Content-Type: multipart/mixed; boundary="b"',
                "Content-Type: message/rfc822",
                "Subject: inner",
            ],
        ),
        ("-bmq", ["", "pre", "--b", "", "", "body", "--b--", "post"]),
    ],
)
def test_keys_from_a_message(run, options, keys):
    status, output, _ = run("postmap", options, "-", "regexp:{{/.*/ x}}", stdin=MESSAGE)
    assert (status, output) == (0, "".join(f"{key}\tx\n" for key in keys))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("postmap", USAGE),
        ("postmap -q a", USAGE),
        ("postmap -Z", "postmap: invalid option -- 'Z'\n" + USAGE),
        ("postmap -q", "postmap: option requires an argument -- 'q'\n" + USAGE),
        ("postmap -q a -q b lmdb:m", "postmap: fatal: specify only one of -s -q or -d\n"),
        ("postmap -q a -s lmdb:m", "postmap: fatal: specify only one of -s or -q or -d\n"),
        ("postmap -hq a lmdb:m", 'postmap: fatal: specify -b -h or -m only with "-q -"\n'),
        ("postmap -q a foo:m", "postmap: fatal: unsupported dictionary type: foo\n"),
        ("postmap -q a lmdb:no", "postmap: fatal: open database no.lmdb: No such file or directory\n"),
        ("postmap -q a regexp:no", "postmap: fatal: open no: No such file or directory\n"),
        ("postmap -q a :", 'postmap: fatal: open dictionary: expecting "type:name" form instead of ":"\n'),
        ("postmap lmdb:no", "postmap: fatal: open no: No such file or directory\n"),
        (
            "postmap regexp:m",
            "postmap: fatal: unsupported dictionary type: regexp does not support bulk-mode creation.\n",
        ),
        ("postmap proxy:lmdb:m", "postmap: fatal: can't create maps via the proxy service\n"),
        ("postmap fail:m", "postmap: fatal: table fail:m: write error: Application error\n"),
        ("postmap -s static:m", "postmap: fatal: table static:m: sequence operation is not supported\n"),
        ("postmap -s fail:m", "postmap: fatal: table fail:m: sequence error: Application error\n"),
        ("postmap -d a texthash:m", "postmap: fatal: texthash:m map requires O_RDONLY access mode\n"),
        ("postmap -d a static:m", "postmap: fatal: table static:m: delete operation is not supported\n"),
        ("postmap -c no -q a lmdb:m", "postmap: fatal: open no/main.cf: No such file or directory\n"),
        ("postmap -s", ""),
        ("postalias -h lmdb:m", None),
    ],
)
def test_failures(run, words, complaint):
    status, output, complaints = run(words)
    assert (status, output) == (1, "")
    if complaint is None:
        assert complaints.startswith("postalias: invalid option -- 'h'\npostalias: fatal: usage: postalias [-Nfin")
    else:
        assert complaints == complaint


def test_an_empty_value_is_shown_with_a_warning(run):
    assert run("postmap -q", "a", "inline:{a=}") == (
        0,
        "\n",
        "postmap: warning: table inline:{a=}: key a: empty string result is not allowed\n"
        "postmap: warning: table inline:{a=} should return NO RESULT in case of NOT FOUND\n",
    )


@pytest.mark.parametrize(("source", "made"), [(0o600, 0o600), (0o640, 0o640), (0o666, 0o644), (0o400, 0o600)])
def test_permissions_are_the_source_s(run, tmp_path, source, made):
    os.chmod(tmp_path / "m", source)
    run("postmap cdb:m")
    assert os.stat(tmp_path / "m.cdb").st_mode & 0o777 == made
    os.unlink(tmp_path / "m.cdb")
    run("postmap -p cdb:m")
    assert os.stat(tmp_path / "m.cdb").st_mode & 0o777 == 0o644


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives up being root")
def test_root_writes_as_the_owner_of_the_source(run, tmp_path):
    place = tmp_path / "theirs"
    place.mkdir()
    for directory in [place, *place.parents]:
        if directory.owner() == "root" and directory.stat().st_mode & 0o5 != 0o5:
            os.chmod(directory, directory.stat().st_mode | 0o5)
    source = place / "m"
    source.write_text("a 1\n")
    os.chown(source, 65534, 65534)
    assert run("postmap cdb:theirs/m")[0] == 1  # the directory is root's
    os.chown(place, 65534, 65534)
    assert run("postmap cdb:theirs/m") == (0, "", "")
    assert os.stat(place / "m.cdb").st_uid == 65534
    assert run("postmap -o lmdb:theirs/m") == (0, "", "")
    assert os.stat(place / "m.lmdb").st_uid == 0
    assert os.geteuid() == 0


class TestPostalias:
    def test_making_asking_listing(self, run):
        assert run("postalias lmdb:al") == (0, "", "postalias: warning: al, line 2: name must be local\n")
        assert run("postalias -q ROOT lmdb:al") == (0, "me\n", "")
        assert run("postalias -q - lmdb:al", stdin=b"root\n") == (0, "root:\tme\n", "")
        status, output, _ = run("postalias -s lmdb:al")
        lines = dict(line.split(":\t") for line in output.splitlines())
        assert status == 0 and lines.pop("YP_LAST_MODIFIED").isdigit()
        assert lines == {"@": "@", "YP_MASTER_NAME": "mx.example.com", "root": "me"}

    def test_nis_entries_have_no_nul(self, run, tmp_path):
        run("postalias lmdb:al")
        with lmdb.open(str(tmp_path / "al.lmdb"), subdir=False, readonly=True, lock=False) as env, env.begin() as txn:
            keys = [key for key, _ in txn.cursor()]
        assert keys == [b"@\0", b"YP_LAST_MODIFIED", b"YP_MASTER_NAME", b"root\0"]

    def test_changing(self, run):
        run("postalias lmdb:al")
        assert run("postalias -i lmdb:al", stdin=b"you: x\n") == (0, "", "")
        assert run("postalias -q you lmdb:al")[1] == "x\n"
        assert run("postalias -d root lmdb:al") == (0, "", "")

    def test_newaliases(self, run, tmp_path):
        (tmp_path / "al").write_text("root: me\n")
        with open(tmp_path / "main.cf", "a") as file:
            file.write("alias_database = lmdb:al, cdb:al\n")
        assert run("newaliases") == (0, "", "")
        assert run("postalias -q root lmdb:al")[1] == run("postalias -q root cdb:al")[1] == "me\n"
        os.unlink(tmp_path / "al.cdb")
        assert run("newaliases -oAcdb:al") == (0, "", "")
        assert (tmp_path / "al.cdb").exists()
        assert run("newaliases -C none") == (
            75,
            "",
            "newaliases: fatal: open none/main.cf: No such file or directory\n",
        )
