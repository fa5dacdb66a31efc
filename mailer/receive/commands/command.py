"""What a command is to the session that has it carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailer.receive.session import SmtpSession

__all__ = ["Command"]


class Command:
    """One SMTP command; stateless, shared by all sessions.

    ``name`` is its verb in upper case. ``junk``: it achieves nothing, smtpd_junk_command_limit applies. ``ends_group``: a client
    has to wait for its reply before it sends more (RFC 2920). ``counted``: the log's last line counts its successes.
    ``plain``: it may be given without TLS where the server demands that.
    """

    name = ""
    junk = False
    ends_group = False
    counted = True
    plain = False

    async def execute(self, session: SmtpSession, argument: str, line: str) -> bool:
        """Carry it out and reply.

        :param argument: what follows the verb. :param line: the whole line.
        :return: False if it counts as an error of the client's.
        """
        raise NotImplementedError
