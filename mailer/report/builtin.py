"""The texts that are sent when the administrator has none of his own: the built-in templates, in bounce(5)'s syntax."""

from __future__ import annotations

__all__ = ["BUILTIN"]

BUILTIN = """\
failure_template = <<END
Charset: us-ascii
Subject: Undelivered Mail Returned to Sender
Postmaster-Subject: Postmaster Copy: Undelivered Mail

The mail system at $myhostname writes to you.

Your message has not reached the recipients named below, and no
further attempt will be made. The reason is given for each of them.
The message, or its header, is enclosed.

If the reason does not help you, write to postmaster at this site
and enclose this report; you need not enclose your own text.
END

delay_template = <<END
Charset: us-ascii
Subject: Delayed Mail (still being retried)
Postmaster-Subject: Postmaster Warning: Delayed Mail

The mail system at $myhostname writes to you.

This is only a warning: there is no need to send your message again.

It has not reached the recipients named below within $delay_warning_time_hours hour(s).
Attempts go on until the message is $maximal_queue_lifetime_days day(s) old.

If the reasons given do not help you, write to postmaster at this
site and enclose this report; you need not enclose your own text.
END

success_template = <<END
Charset: us-ascii
Subject: Successful Mail Delivery Report

The mail system at $myhostname writes to you, as you asked it to.

Your message has been handed over for the recipients named below.
Where it has reached the mailbox, this is the last that you hear of
it; where it has been passed on, other systems may still report.
END

verify_template = <<END
Charset: us-ascii
Subject: Mail Delivery Status Report

The mail system at $myhostname writes to you.

This is the report that you asked for.
END
"""
