"""Every main.cf parameter, declared as data: name, type, default, bounds and one sentence.

The modules beside this one hold the declarations by area; this one joins them. Defaults are main.cf text as the newest
reference release has it. A few that are computed at run time (such as myhostname or mynetworks) are empty here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from mailer.config.declaration import Parameter
from mailer.config.parameters import (
    bounce,
    content,
    installation,
    limits,
    lmtp_client,
    lmtp_tls,
    local_delivery,
    logs,
    milters,
    own,
    postscreen,
    processes,
    queue,
    rewriting,
    routing,
    smtp_client,
    smtp_tls,
    smtpd_access,
    smtpd_protocol,
    smtpd_replies,
    smtpd_tls,
    tables,
    tls,
    tlsproxy,
    verification,
)

__all__ = ["PARAMETERS", "join"]


def join(groups: Iterable[Iterable[Parameter]]) -> Mapping[str, Parameter]:
    """All parameters of ``groups`` by name, sorted; ValueError when a name is declared twice."""
    joined: dict[str, Parameter] = {}
    for group in groups:
        for parameter in group:
            if parameter.name in joined:
                raise ValueError(f"parameter declared twice: {parameter.name}")
            joined[parameter.name] = parameter
    return MappingProxyType(dict(sorted(joined.items())))


PARAMETERS: Mapping[str, Parameter] = join(
    module.PARAMETERS
    for module in (
        routing,
        smtpd_access,
        smtpd_protocol,
        smtpd_replies,
        smtpd_tls,
        limits,
        queue,
        smtp_client,
        smtp_tls,
        lmtp_client,
        lmtp_tls,
        bounce,
        local_delivery,
        logs,
        tables,
        rewriting,
        content,
        installation,
        processes,
        verification,
        milters,
        tls,
        tlsproxy,
        postscreen,
        own,
    )
)
