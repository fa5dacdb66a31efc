"""How the SMTP server talks: the dialogue itself, filters before the queue, policy services and AUTH.

The meanings follow postconf(5), smtpd(8), SMTPD_PROXY_README, SMTPD_POLICY_README and SASL_README.
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

protocol = Area("smtpd-protocol")
proxy = Area("smtpd-proxy")
policy = Area("smtpd-policy")
sasl = Area("smtpd-sasl")

PARAMETERS: tuple[Parameter, ...] = (
    protocol.string(
        "smtpd_banner",
        "$myhostname ESMTP $mail_name",
        "Text that follows status 220 in the greeting; it should start with the host name.",
        minimum=1,
    ),
    protocol.tables(
        "smtpd_command_filter", "", "Table that rewrites a client's command line before it is interpreted."
    ),
    protocol.boolean(
        "smtpd_delay_open_until_valid_rcpt",
        "yes",
        "Whether no queue file is opened before the first acceptable recipient.",
    ),
    protocol.tables(
        "smtpd_discard_ehlo_keyword_address_maps",
        "",
        "Tables by client address with the EHLO keywords that are not announced to that client.",
    ),
    protocol.list("smtpd_discard_ehlo_keywords", "", "EHLO keywords, in any case, that are announced to no client."),
    protocol.boolean(
        "smtpd_hide_client_session",
        "no",
        "Whether the Received header leaves out the client's name, address and session details.",
    ),
    protocol.integer(
        "smtpd_history_flush_threshold",
        "100",
        "Lines of command history that are kept before it is flushed at EHLO, RSET or end of data.",
        minimum=1,
    ),
    protocol.list("smtpd_noop_commands", "", "Commands that are answered with 250 Ok and otherwise ignored."),
    protocol.string(
        "smtpd_service_name",
        "smtpd",
        "Internal service to which postscreen passes the connections that it accepts.",
        minimum=1,
    ),
    protocol.time(
        "smtpd_timeout",
        "${stress?{10}:{300}}s",
        "Seconds to wait for a client's next request or for it to take a reply.",
        minimum=1,
    ),
    protocol.boolean(
        "strict_rfc821_envelopes",
        "no",
        "Whether MAIL FROM and RCPT TO addresses need angle brackets and must hold no comments.",
    ),
    protocol.integer(
        "tcp_windowsize",
        "0",
        "TCP buffer size in bytes for routers that break window scaling, zero for the system's own.",
    ),
    proxy.string("smtpd_proxy_ehlo", "$myhostname", "Name that is sent in EHLO to a before-queue content filter."),
    proxy.string("smtpd_proxy_filter", "", "Host and port, or UNIX socket, of a before-queue SMTP content filter."),
    proxy.list(
        "smtpd_proxy_options",
        "",
        "Options for the before-queue filter, such as speed_adjust to receive all content first.",
    ),
    proxy.time(
        "smtpd_proxy_timeout",
        "100s",
        "Seconds to connect to, send to or receive from a before-queue content filter.",
        minimum=1,
    ),
    proxy.choice(
        "smtpd_upstream_proxy_protocol",
        "",
        "Protocol by which a load balancer in front conveys the client's address to the SMTP server.",
        ("", "haproxy"),
    ),
    proxy.time(
        "smtpd_upstream_proxy_timeout",
        "5s",
        "Seconds to wait for the load balancer's header before a session starts.",
        minimum=1,
    ),
    policy.string(
        "smtpd_policy_service_default_action",
        "451 4.3.5 Server configuration problem",
        "Access action that applies when a policy service cannot be asked.",
        minimum=1,
    ),
    policy.time(
        "smtpd_policy_service_max_idle",
        "300s",
        "Seconds after which an unused policy service connection is closed.",
        minimum=1,
    ),
    policy.time(
        "smtpd_policy_service_max_ttl",
        "1000s",
        "Seconds after which a busy policy service connection is closed.",
        minimum=1,
    ),
    policy.string(
        "smtpd_policy_service_policy_context",
        "",
        "Text that is sent as the policy_context attribute of policy requests.",
    ),
    policy.integer(
        "smtpd_policy_service_request_limit",
        "0",
        "Requests over one policy service connection before it is closed, zero for no limit.",
    ),
    policy.time(
        "smtpd_policy_service_retry_delay",
        "1s",
        "Seconds between attempts to repeat a failed policy request.",
        minimum=1,
    ),
    policy.time(
        "smtpd_policy_service_timeout",
        "100s",
        "Seconds to connect to, send to or receive from a policy service.",
        minimum=1,
    ),
    policy.integer(
        "smtpd_policy_service_try_limit",
        "2",
        "Attempts to send one policy request before the default action is used.",
        minimum=1,
    ),
    sasl.boolean(
        "broken_sasl_auth_clients", "no", "Whether AUTH is also announced in the old AUTH= form for outdated clients."
    ),
    sasl.string("cyrus_sasl_config_path", "", "Directories that are searched for Cyrus SASL configuration files."),
    sasl.integer(
        "plaintext_reject_code", "450", "Reply code with which reject_plaintext_session refuses unencrypted sessions."
    ),
    sasl.string(
        "smtpd_sasl_application_name", "smtpd", "Former name of smtpd_sasl_path, without effect.", deprecated=True
    ),
    sasl.boolean(
        "smtpd_sasl_auth_enable", "no", "Whether clients may log in to the SMTP server with the AUTH command."
    ),
    sasl.boolean("smtpd_sasl_authenticated_header", "no", "Whether the login name is recorded in the Received header."),
    sasl.list("smtpd_sasl_exceptions_networks", "", "Networks and addresses to which AUTH is not announced."),
    sasl.string("smtpd_sasl_local_domain", "", "Realm that is given to the SASL server for login names without one."),
    sasl.list(
        "smtpd_sasl_mechanism_filter",
        "!external, static:rest",
        "Patterns that choose which of the server's SASL mechanisms are announced.",
    ),
    sasl.string(
        "smtpd_sasl_path",
        "smtpd",
        "Back-end specific place of the SASL server, such as a socket for Dovecot.",
        minimum=1,
    ),
    sasl.integer(
        "smtpd_sasl_response_limit",
        "12288",
        "Longest SASL response in bytes that is accepted from a client.",
        minimum=12288,
    ),
    sasl.list(
        "smtpd_sasl_security_options",
        "noanonymous",
        "Properties, such as noanonymous, that the server's SASL mechanisms must have.",
    ),
    sasl.string("smtpd_sasl_service", "smtp", "Service name that is passed to the SASL server back end.", minimum=1),
    sasl.list(
        "smtpd_sasl_tls_security_options",
        "$smtpd_sasl_security_options",
        "Properties that the server's SASL mechanisms must have inside a TLS session.",
    ),
    sasl.string(
        "smtpd_sasl_type", "cyrus", "SASL back end that the SMTP server uses, such as dovecot or cyrus.", minimum=1
    ),
)
