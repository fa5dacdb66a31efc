"""What every test shares: hypothesis is deterministic, so a failure on one machine is a failure on all.

With two workers (``pytest -n 2 --dist loadgroup``, as ``.ci/run`` does) one takes the system tests, which mostly wait for other
processes and would disturb each other's clocks, and the other the rest, file by file.
"""

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "mailer", derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("mailer")

#: System tests that look at no clock.
_ELSEWHERE = ("tests/system/test_whole.py",)


def _group(item: pytest.Item) -> str:
    file = item.nodeid.partition("::")[0]
    return "system" if file.startswith("tests/system/") and file not in _ELSEWHERE else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The system tests are the longest way, so they begin first."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=lambda item: _group(item) != "system")
