"""Each message in tests/vectors/clean comes out of the chain as it came out of Postfix, with the same log."""

import json
from pathlib import Path

import pytest
from clean_vector import Bench

VECTORS = Path(__file__).parent.parent / "vectors" / "clean"
PATHS = sorted(VECTORS.glob("*.json"))


def load(path, tmp_path):
    vector = json.loads(path.read_text())
    for name, rows in vector.get("tables", {}).items():
        (tmp_path / name).write_text("\n".join(rows) + "\n")
    return vector, Bench("\n".join(vector["settings"]) + "\n", tmp_path)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_vector(path, tmp_path):
    vector, bench = load(path, tmp_path)
    expected = vector["expect"]
    if "redirect_to" in expected:
        # Postfix keeps the recipients in the queue and lets the queue manager replace them when it takes the message up.
        expected["recipients"] = [[bench.complete(expected["redirect_to"]), *expected["recipients"][0][1:]]]
    assert bench.send(vector) == expected


def test_there_are_vectors():
    assert len(PATHS) > 200
