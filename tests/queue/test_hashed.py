"""Names of queue files, hashed as Postfix does it."""

import pytest

from mailer.queue.hashed import queue_file_name


@pytest.mark.parametrize(
    ("queue", "queue_id", "depth", "name"),
    [
        ("deferred", "5012A20C0F6", 1, "deferred/5/5012A20C0F6"),
        ("deferred", "5012A20C0F6", 2, "deferred/5/0/5012A20C0F6"),
        ("deferred", "AB", 3, "deferred/A/B/_/AB"),
        ("deferred", "4jYpM63V0rzJ9Hb", 3, "deferred/7/8/2/4jYpM63V0rzJ9Hb"),
        ("deferred", "4jYpM63W5KzJ9Hc", 3, "deferred/7/8/E/4jYpM63W5KzJ9Hc"),
        ("active", "5012A20C0F6", 1, "active/5012A20C0F6"),
    ],
)
def test_names(queue, queue_id, depth, name):
    assert queue_file_name(queue, queue_id, ("deferred", "defer"), depth) == name
