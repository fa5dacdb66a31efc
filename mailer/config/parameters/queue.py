"""The queue and its scheduler: life times, concurrency, preemption and limits by transport.

The meanings follow postconf(5), qmgr(8), flush(8) and SCHEDULER_README.
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

queue = Area("queue-scheduler")

PARAMETERS: tuple[Parameter, ...] = (
    queue.time(
        "bounce_queue_lifetime",
        "5d",
        "Longest time, in days by default, that a bounce is retried before it is given up.",
        unit="d",
        maximum=8640000,
    ),
    queue.integer(
        "default_delivery_slot_cost",
        "5",
        "Deliveries that one message must complete to earn a slot for a preempting one, in any transport.",
    ),
    queue.integer(
        "default_delivery_slot_discount",
        "50",
        "Percentage of the needed slots that any transport forgives a preempting message.",
        maximum=100,
    ),
    queue.integer(
        "default_delivery_slot_loan", "3", "Slots that any transport lends to a preempting message in advance."
    ),
    queue.integer(
        "default_destination_concurrency_failed_cohort_limit",
        "1",
        "Whole windows of failures after which a destination is considered dead, zero for never.",
    ),
    queue.integer(
        "default_destination_concurrency_limit",
        "20",
        "Most simultaneous deliveries to one destination for any transport.",
    ),
    queue.string(
        "default_destination_concurrency_negative_feedback",
        "1",
        "Amount by which a failed delivery shrinks a destination's window, such as 1/concurrency.",
        minimum=1,
    ),
    queue.string(
        "default_destination_concurrency_positive_feedback",
        "1",
        "Amount by which a successful delivery widens a destination's window, such as 1/concurrency.",
        minimum=1,
    ),
    queue.time(
        "default_destination_rate_delay",
        "0s",
        "Seconds between deliveries to one destination for any transport, zero for no delay.",
    ),
    queue.integer(
        "default_destination_recipient_limit", "50", "Most recipients of one delivery request for any transport."
    ),
    queue.integer(
        "default_extra_recipient_limit",
        "1000",
        "Recipient slots in memory that any transport keeps for preempting messages.",
    ),
    queue.integer(
        "default_minimum_delivery_slots",
        "3",
        "Deliveries that a message needs before other messages may preempt it, in any transport.",
    ),
    queue.integer("default_recipient_limit", "20000", "Most recipients in memory for any transport."),
    queue.time(
        "default_recipient_refill_delay",
        "5s",
        "Longest time in seconds between loading further recipients of a large message.",
        minimum=1,
    ),
    queue.integer(
        "default_recipient_refill_limit",
        "100",
        "Fewest recipients that are loaded at once for a large message.",
        minimum=1,
    ),
    queue.time(
        "default_transport_rate_delay",
        "0s",
        "Seconds between any two deliveries through one transport, zero for no delay.",
    ),
    queue.list("defer_transports", "", "Transports whose mail is deferred until the queue is flushed."),
    queue.boolean(
        "destination_concurrency_feedback_debug", "no", "Whether changes of destination windows are logged in detail."
    ),
    queue.list(
        "fast_flush_domains",
        "$relay_domains",
        "Domains for which a list of deferred mail is kept, so that ETRN is fast.",
    ),
    queue.time(
        "fast_flush_purge_time",
        "7d",
        "Time, in days by default, after which an empty flush list of a domain is removed.",
        unit="d",
        minimum=1,
    ),
    queue.time(
        "fast_flush_refresh_time",
        "12h",
        "Time, in hours by default, after which an idle non-empty flush list is refreshed.",
        unit="h",
        minimum=1,
    ),
    queue.integer(
        "hash_queue_depth",
        "1",
        "Levels of subdirectories in the queues that are spread over several directories.",
        minimum=1,
    ),
    queue.list(
        "hash_queue_names",
        "deferred, defer",
        "Queues that are spread over several levels of subdirectories.",
        minimum=1,
    ),
    queue.integer(
        "initial_destination_concurrency",
        "5",
        "Simultaneous deliveries with which a new destination starts.",
        minimum=1,
    ),
    queue.integer(
        "local_destination_concurrency_limit",
        "2",
        "Most simultaneous deliveries to one recipient by the local transport.",
    ),
    queue.integer(
        "local_destination_recipient_limit", "1", "Most recipients of one delivery request to the local transport."
    ),
    queue.time(
        "maximal_backoff_time",
        "4000s",
        "Longest time in seconds between attempts to deliver a deferred message.",
        minimum=1,
    ),
    queue.time(
        "maximal_queue_lifetime",
        "5d",
        "Longest time, in days by default, that mail is retried before it is bounced.",
        unit="d",
        maximum=8640000,
    ),
    queue.time(
        "minimal_backoff_time",
        "300s",
        "Shortest time in seconds between attempts to deliver a deferred message or reach a dead host.",
        minimum=1,
    ),
    queue.time(
        "qmgr_clog_warn_time",
        "300s",
        "Shortest time in seconds between warnings that one destination fills the active queue.",
    ),
    queue.time(
        "qmgr_daemon_timeout",
        "1000s",
        "Seconds that the queue manager may take for a request before a watchdog ends it.",
        minimum=1,
    ),
    queue.integer(
        "qmgr_fudge_factor",
        "100",
        "Share of resources for large mailing lists in the old queue manager, without effect.",
        deprecated=True,
    ),
    queue.time(
        "qmgr_ipc_timeout",
        "60s",
        "Seconds that the queue manager waits on an internal communication channel.",
        minimum=1,
    ),
    queue.integer("qmgr_message_active_limit", "20000", "Most messages in the active queue.", minimum=1),
    queue.integer(
        "qmgr_message_recipient_limit",
        "20000",
        "Most recipients that the queue manager holds in memory over all messages.",
        minimum=1,
    ),
    queue.integer(
        "qmgr_message_recipient_minimum", "10", "Fewest recipients in memory that every message is granted.", minimum=1
    ),
    queue.integer(
        "queue_minfree",
        "0",
        "Free bytes that the queue file system must have for mail to be accepted, zero for no check.",
    ),
    queue.time("queue_run_delay", "300s", "Seconds between scans of the deferred queue.", minimum=1),
    queue.integer(
        "relay_destination_concurrency_limit",
        "$default_destination_concurrency_limit",
        "Most simultaneous deliveries to one destination by the relay transport.",
    ),
    queue.integer(
        "relay_destination_recipient_limit",
        "$default_destination_recipient_limit",
        "Most recipients of one delivery request to the relay transport.",
    ),
    queue.integer(
        "smtp_destination_concurrency_limit",
        "$default_destination_concurrency_limit",
        "Most simultaneous deliveries to one destination by the smtp transport.",
    ),
    queue.integer(
        "smtp_destination_recipient_limit",
        "$default_destination_recipient_limit",
        "Most recipients of one delivery request to the smtp transport.",
    ),
    queue.integer(
        "transport_delivery_slot_cost",
        "$default_delivery_slot_cost",
        "Deliveries that one message must complete to earn a preemption slot, for one transport.",
    ),
    queue.integer(
        "transport_delivery_slot_discount",
        "$default_delivery_slot_discount",
        "Percentage of the needed slots that one transport forgives a preempting message.",
        maximum=100,
    ),
    queue.integer(
        "transport_delivery_slot_loan",
        "$default_delivery_slot_loan",
        "Slots that one transport lends to a preempting message in advance.",
    ),
    queue.integer(
        "transport_destination_concurrency_failed_cohort_limit",
        "$default_destination_concurrency_failed_cohort_limit",
        "Whole windows of failures after which one transport takes a destination for dead.",
    ),
    queue.integer(
        "transport_destination_concurrency_limit",
        "$default_destination_concurrency_limit",
        "Most simultaneous deliveries to one destination, for one transport.",
    ),
    queue.string(
        "transport_destination_concurrency_negative_feedback",
        "$default_destination_concurrency_negative_feedback",
        "Amount by which a failed delivery shrinks a window, for one transport.",
    ),
    queue.string(
        "transport_destination_concurrency_positive_feedback",
        "$default_destination_concurrency_positive_feedback",
        "Amount by which a successful delivery widens a window, for one transport.",
    ),
    queue.time(
        "transport_destination_rate_delay",
        "$default_destination_rate_delay",
        "Seconds between deliveries to one destination, for one transport.",
    ),
    queue.integer(
        "transport_destination_recipient_limit",
        "$default_destination_recipient_limit",
        "Most recipients of one delivery request, for one transport.",
    ),
    queue.integer(
        "transport_extra_recipient_limit",
        "$default_extra_recipient_limit",
        "Recipient slots in memory that one transport keeps for preempting messages.",
    ),
    queue.integer(
        "transport_initial_destination_concurrency",
        "$initial_destination_concurrency",
        "Simultaneous deliveries with which a destination of one transport starts.",
        minimum=1,
    ),
    queue.integer(
        "transport_minimum_delivery_slots",
        "$default_minimum_delivery_slots",
        "Deliveries that a message needs before others may preempt it, for one transport.",
    ),
    queue.integer(
        "transport_recipient_limit", "$default_recipient_limit", "Most recipients in memory, for one transport."
    ),
    queue.time(
        "transport_recipient_refill_delay",
        "$default_recipient_refill_delay",
        "Longest time in seconds between loading further recipients, for one transport.",
        minimum=1,
    ),
    queue.integer(
        "transport_recipient_refill_limit",
        "$default_recipient_refill_limit",
        "Fewest recipients that are loaded at once, for one transport.",
        minimum=1,
    ),
    queue.time(
        "transport_retry_time",
        "60s",
        "Seconds between attempts to reach a delivery transport that does not respond.",
        minimum=1,
    ),
    queue.time(
        "transport_time_limit",
        "$command_time_limit",
        "Seconds that a command run by the named pipe or spawn service may take.",
        minimum=1,
    ),
    queue.time(
        "transport_transport_rate_delay",
        "$default_transport_rate_delay",
        "Seconds between any two deliveries, for one transport.",
    ),
    queue.integer(
        "virtual_destination_concurrency_limit",
        "$default_destination_concurrency_limit",
        "Most simultaneous deliveries to one destination by the virtual transport.",
    ),
    queue.integer(
        "virtual_destination_recipient_limit",
        "$default_destination_recipient_limit",
        "Most recipients of one delivery request to the virtual transport.",
    ),
)
