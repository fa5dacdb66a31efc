"""Berkeley DB files without the library: our reader and writers on each other, on damaged files, and beside the real postmap."""

import contextlib
import os
import random
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.tables.bdb.hashfile import hash_image, hashed
from mailer.tables.bdb.page import PAGE_SIZE
from mailer.tables.bdb.read import entries
from mailer.tables.bdb.treefile import tree_image

IMAGES = {"hash": hash_image, "btree": tree_image}
BYTES = st.binary(max_size=30) | st.integers(1, 9000).map(lambda length: b"x" * length)

real = pytest.mark.skipif(shutil.which("postmap", path="/usr/sbin") is None, reason="Postfix is not installed")


@pytest.mark.parametrize("type", IMAGES)
class TestBothWays:
    @given(data=st.dictionaries(BYTES, BYTES, max_size=60))
    def test_what_is_written_is_read(self, type, data):
        pages = IMAGES[type](data)
        assert {len(page) for page in pages} == {PAGE_SIZE}
        back = list(entries(b"".join(pages)))
        assert len(back) == len(data) and dict(back) == data
        if type == "btree":
            assert [key for key, _ in back] == sorted(data)

    @given(damage=st.lists(st.tuples(st.integers(0, 12 * PAGE_SIZE), st.binary(min_size=1, max_size=4)), max_size=4))
    def test_a_damaged_file_is_told_or_read(self, type, damage):
        """Nothing but ValueError, and an end."""
        file = bytearray(b"".join(IMAGES[type](_many(200, large=4))))
        for place, octets in damage:
            file[place % len(file) : place % len(file) + len(octets)] = octets
        with contextlib.suppress(ValueError):
            assert sum(1 for _ in entries(bytes(file))) < len(file)

    def test_a_file_cut_anywhere(self, type):
        file = b"".join(IMAGES[type](_many(200, large=4)))
        for end in range(0, len(file), 509):
            try:
                list(entries(file[:end]))
            except ValueError:
                continue
            assert end >= len(file) - PAGE_SIZE

    def test_chains_in_a_circle_end(self, type):
        file = bytearray(b"".join(IMAGES[type](_many(2))))
        file[PAGE_SIZE + 16] = 1  # the first page follows itself
        with pytest.raises(ValueError, match="page 1 is not the"):
            list(entries(bytes(file)))


def _many(count, large=0):
    chance = random.Random(7)
    found = {}
    for number in range(count):
        key = bytes(chance.randrange(1, 256) for _ in range(chance.choice((1, 5, 20, 40)))).replace(b"\n", b"z")
        value = b"v" * chance.choice((1, 10, 50, 300))
        if number < large:
            key *= 1500 // len(key) * (1 + number % 3)
        elif number < 2 * large:
            value = chance.randbytes(chance.choice((900, 1100, 5000, 30000))).replace(b"\0", b"x").replace(b"\n", b"y")
        found[key + str(number).encode() + b"\0"] = value + b"\0"
    return found


def test_the_library_would_know_the_hash():
    """The check value that every file of the library has."""
    assert hashed(b"%$sniglet^&\0") == 0x5E688DD1


@pytest.mark.parametrize("data", [b"", b"x" * 5000, b"\0" * 8192])
def test_no_such_file(data):
    with pytest.raises(ValueError, match="not a Berkeley DB file"):
        list(entries(data))


@real
@pytest.mark.parametrize("type", IMAGES)
class TestBesideTheLibrary:
    """The real postmap, which uses it."""

    @pytest.fixture
    def postmap(self, tmp_path):
        (tmp_path / "main.cf").write_text(f"compatibility_level = 3.6\nqueue_directory = {tmp_path}\n")

        def run(*arguments, data=None):
            command = ["/usr/sbin/postmap", "-c", tmp_path, *arguments]
            return subprocess.run(command, input=data, capture_output=True, timeout=60)

        return run

    def test_ours_is_read_and_changed_by_the_real_one(self, type, postmap, tmp_path):
        data = _many(3000, large=12)
        path = tmp_path / "t.db"
        path.write_bytes(b"".join(IMAGES[type](data)))
        spec = f"{type}:{tmp_path / 't'}"
        asked = postmap("-uf", "-q", "-", spec, data=b"".join(key[:-1] + b"\n" for key in data))
        assert asked.stderr == b""
        assert asked.stdout == b"".join(key[:-1] + b"\t" + value[:-1] + b"\n" for key, value in data.items())
        added = {b"new%d\0" % number: b"x%d\0" % number for number in range(2000)}
        changed = postmap("-uf", "-i", spec, data=b"".join(k[:-1] + b" " + v[:-1] + b"\n" for k, v in added.items()))
        assert (changed.returncode, changed.stderr) == (0, b"")
        assert dict(entries(path.read_bytes())) == data | added
        listed = postmap("-uf", "-s", spec)
        ours = b"".join(k[:-1] + b"\t" + v[:-1] + b"\n" for k, v in entries(path.read_bytes()))
        assert listed.stdout == ours
        if shutil.which("db5.3_verify"):
            assert subprocess.run(["db5.3_verify", path], capture_output=True).returncode == 0

    def test_the_real_ones_are_read(self, type, postmap, tmp_path):
        source = b"".join(b"user%d@example.com value%d\n" % (number, number) for number in range(3000))
        source += b"k" * 3000 + b" v\nx " + b"y" * 9000 + b"\n" + b"z" * 5000 + b" " + b"w" * 20000 + b"\n"
        source += b"user1@example.com again\n"
        (tmp_path / "t").write_bytes(source)
        assert postmap(f"{type}:{tmp_path / 't'}").returncode == 0
        back = list(entries((tmp_path / "t.db").read_bytes()))
        expected = dict(line.split(b" ") for line in source.splitlines()[:-1])
        assert {key[:-1]: value[:-1] for key, value in back} == expected and len(back) == len(expected)
        listed = postmap("-s", f"{type}:{tmp_path / 't'}").stdout
        assert listed == b"".join(key[:-1] + b"\t" + value[:-1] + b"\n" for key, value in back)

    def test_without_nul(self, type, postmap, tmp_path):
        (tmp_path / "t").write_text("a 1\n")
        assert postmap("-n", f"{type}:{tmp_path / 't'}").returncode == 0
        assert list(entries((tmp_path / "t.db").read_bytes())) == [(b"a", b"1")]

    def test_after_many_deletions(self, type, postmap, tmp_path):
        (tmp_path / "t").write_text("".join(f"key{number} {'v' * (number % 300 + 1)}\n" for number in range(3000)))
        spec = f"{type}:{tmp_path / 't'}"
        postmap(spec)
        postmap("-d", "-", spec, data=b"".join(b"key%d\n" % number for number in range(3000) if number % 3))
        back = dict(entries((tmp_path / "t.db").read_bytes()))
        assert sorted(back) == sorted(b"key%d\0" % number for number in range(0, 3000, 3))
        assert os.path.getsize(tmp_path / "t.db") % PAGE_SIZE == 0
