"""What postmap(1) and postalias(1) do, which differ in the source text they read and in how they write entries.

Complaints go to standard error; the exit status is 0 for success and 1 for a failure or for "not found".
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace

from mailer.commands.instance import default_config_directory
from mailer.commands.mapjob import Complaints, Fatal, Job, Program, parse
from mailer.commands.mapmaking import delete, make
from mailer.commands.mapqueries import list_entries, query, stdin_lines
from mailer.commands.waiting import OccasionalReactor
from mailer.config.errors import ConfigError
from mailer.config.load import load
from mailer.interfaces.context import Context
from mailer.message.status import MailError

__all__ = ["Program", "run"]


def run(program: Program, argv: list[str] | None) -> int:
    """Run a command. :return: the exit status."""
    log = Complaints(program.name)
    try:
        return _run(parse(program, sys.argv[1:] if argv is None else argv), log)
    except Fatal as error:
        if str(error):
            log.fatal(str(error))
    except ConfigError as error:
        log.fatal(str(error))
    except MailError as error:
        log.fatal(error.cause or str(error))
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing more can be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _run(job: Job, log: Complaints) -> int:
    directory = job.directory or default_config_directory()
    try:
        job.settings = load(directory, need_master=False).settings
    except ConfigError as error:
        raise Fatal(str(error) if error.file else error.problem) from None
    log.settings = job.settings
    utf8 = job.options.utf8 and job.settings.smtputf8_enable
    if (job.headers or job.body) and not job.force_utf8:
        utf8 = False
    job.options = replace(job.options, utf8=utf8)
    job.context = Context(settings=job.settings, reactor=OccasionalReactor(), seconds=time.time, log=log)
    if job.query is not None:
        return 0 if query(job) else 1
    if job.key is not None:
        keys = stdin_lines(sys.stdin.buffer) if job.key == "-" else iter([job.key])
        return 0 if delete(job, [job.typed(spec) for spec in job.specs], list(keys)) else 1
    if job.listing:
        return 0 if list_entries(job) else 1
    for spec in job.specs:
        type, colon, path = spec.partition(":")
        make(job, *((type, path) if colon else (job.settings.default_database_type, spec)))
    return 0
