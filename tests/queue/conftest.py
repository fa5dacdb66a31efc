"""A store of its own for each test."""

import pytest
from queues import Bench


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    for queue in list(bench.queues):
        bench.stop(queue)
