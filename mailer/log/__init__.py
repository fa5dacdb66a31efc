"""The mail log: Postfix's line format, cheap enough for the hot path.

People and programs parse these lines (pflogsumm, fail2ban), so they are an interface. Faults of the program itself go to
``twisted.logger``; what happens to mail goes here.
"""

from mailer.log.maillog import MailLog, ServiceLog

__all__ = ["MailLog", "ServiceLog"]
