"""A reporter over a queue in memory."""

import time

import pytest
from reports import NOW, Desk

from mailer.config.settings import Settings
from mailer.interfaces.context import Context
from mailer.report.reporter import Reporter
from mailer.testing.log import RecordingLog
from mailer.testing.queue import MemoryQueue


@pytest.fixture
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def desk(utc):
    def make(**settings):
        given = {
            "myhostname": "mta.example.org",
            "mydomain": "example.org",
            "myorigin": "origin.example.org",
            "compatibility_level": "3.6",
            **settings,
        }
        queue, log = MemoryQueue(lambda: NOW), RecordingLog()
        context = Context(
            settings=Settings({}).with_overrides(given),
            reactor=None,
            seconds=lambda: NOW,
            log=log,
            name="bounce",
            sink=queue,
        )
        return Desk(Reporter(context), queue, log)

    return make
