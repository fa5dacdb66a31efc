"""What a SASL back end needs around it, and a client that has nothing to say."""

from __future__ import annotations

from types import SimpleNamespace

from mailer.config.maincf import Entry
from mailer.config.settings import Settings
from mailer.interfaces.context import Context
from mailer.tables.opening import Tables, table_types
from mailer.testing.log import RecordingLog


class World:
    """Runs what does not wait: without a thread pool work is done at once."""

    def __init__(self, **settings):
        self.log = RecordingLog()
        settings = Settings({name: Entry(name, str(value)) for name, value in settings.items()})
        context = Context(settings, SimpleNamespace(seconds=lambda: 0.0), lambda: 0.0, self.log)
        self.context = Context(
            settings, context.reactor, context.seconds, self.log, tables=Tables(context, types=table_types())
        )


def run(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


async def never(challenge):
    raise AssertionError(challenge)
