"""How daemons are started, watched and ended, and under which names they find each other.

The meanings follow postconf(5) and master(8).
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

process = Area("process-control")

PARAMETERS: tuple[Parameter, ...] = (
    process.time(
        "application_event_drain_time",
        "100s",
        "Seconds the postkick command waits for its request to be taken.",
        minimum=1,
    ),
    process.string(
        "cleanup_service_name",
        "cleanup",
        "Master.cf service that completes and rewrites messages before they are queued.",
        minimum=1,
    ),
    process.time(
        "daemon_timeout", "18000s", "Seconds that a daemon may take for a request before a watchdog ends it.", minimum=1
    ),
    process.integer(
        "default_process_limit", "100", "Most processes of a service when master.cf gives no number.", minimum=1
    ),
    process.string(
        "defer_service_name",
        "defer",
        "Master.cf service that records deferred recipients and their reasons.",
        minimum=1,
    ),
    process.string(
        "dnsblog_service_name",
        "dnsblog",
        "Master.cf service that looks clients up in DNS blocklists for postscreen.",
        minimum=1,
    ),
    process.integer("dont_remove", "0", "Not zero to keep finished messages in the saved queue, as a debugging aid."),
    process.string(
        "flush_service_name", "flush", "Master.cf service that keeps the lists of deferred mail for ETRN.", minimum=1
    ),
    process.integer("fork_attempts", "5", "Attempts to create a process before it counts as a failure.", minimum=1),
    process.time("fork_delay", "1s", "Seconds between attempts to create a process.", minimum=1),
    process.list(
        "import_environment",
        (
            "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ XAUTHORITY DISPLAY LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME "
            "XDG_RUNTIME_DIR"
        ),
        "Environment variables, or name=value pairs, that a daemon takes from its parent.",
    ),
    process.time("ipc_idle", "5s", "Seconds after which a client closes an unused internal channel.", minimum=1),
    process.time(
        "ipc_timeout", "3600s", "Seconds to send or receive on an internal channel before the request fails.", minimum=1
    ),
    process.time("ipc_ttl", "1000s", "Seconds after which a client closes a busy internal channel.", minimum=1),
    process.list("master_service_disable", "", "Services, as name/type or type, to which the master does not listen."),
    process.time("max_idle", "100s", "Seconds that an idle daemon waits for a request before it ends.", minimum=1),
    process.integer("max_use", "100", "Requests that a daemon serves before it ends.", minimum=1),
    process.string(
        "pickup_service_name",
        "pickup",
        "Master.cf service that takes locally submitted mail from the maildrop directory.",
        minimum=1,
    ),
    process.string("process_id", "", "Process id of the running command or daemon, which cannot be set."),
    process.string("process_name", "", "Name of the running command or daemon, which cannot be set."),
    process.string("queue_service_name", "qmgr", "Master.cf service of the queue manager.", minimum=1),
    process.string("service_name", "", "Name in master.cf of the running service, which cannot be set."),
    process.time(
        "service_throttle_time", "60s", "Seconds the master waits before it starts a failing service again.", minimum=1
    ),
    process.string("showq_service_name", "showq", "Master.cf service that lists the queue for mailq.", minimum=1),
    process.time(
        "stale_lock_time", "500s", "Age in seconds from which a mailbox lock file is considered left behind.", minimum=1
    ),
    process.string(
        "tlsmgr_service_name", "tlsmgr", "Master.cf service that keeps TLS session caches and random seeds.", minimum=1
    ),
    process.time("trigger_timeout", "10s", "Seconds to wake a daemon up before the attempt is given up.", minimum=1),
)
