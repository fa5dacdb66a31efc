"""Each message in tests/vectors/clean comes out of the chain as it came out of Postfix, with the same log."""

import json
import random
from pathlib import Path

import pytest
from clean_vector import Bench

VECTORS = Path(__file__).parent.parent / "vectors" / "clean"
PATHS = sorted(VECTORS.glob("*.json"))


def load(path, tmp_path):
    vector = json.loads(path.read_text())
    for name, rows in vector.get("tables", {}).items():
        (tmp_path / name).write_text("\n".join(rows) + "\n")
    bench = Bench("\n".join(vector["settings"]) + "\n", tmp_path)
    expected = vector["expect"]
    if "redirect_to" in expected:
        # Postfix keeps the recipients in the queue and lets the queue manager replace them when it takes the message up.
        expected["recipients"] = [[bench.complete(expected["redirect_to"]), *expected["recipients"][0][1:]]]
    return vector, bench


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_vector(path, tmp_path):
    vector, bench = load(path, tmp_path)
    assert bench.send(vector) == vector["expect"]


def octets(content):
    return [content[at : at + 1] for at in range(len(content))]


def pieces(seed):
    chance = random.Random(seed)

    def cut(content):
        at, found = 0, []
        while at < len(content):
            size = chance.choice((1, 2, 3, 7, 30, 500, 5000))
            found.append(content[at : at + size])
            at += size
        return found

    return cut


SMALL = [path for path in PATHS if path.stat().st_size < 12000]


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_vector_in_pieces(path, tmp_path):
    vector, bench = load(path, tmp_path)
    for cut in (octets, pieces(1), pieces(2)):
        assert bench.send(vector, cut) == vector["expect"]


def test_there_are_vectors():
    assert len(PATHS) > 300
