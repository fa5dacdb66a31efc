"""What each part promises the others: zope interfaces, one role per module.

A plug-in author needs to read nothing else. Methods declared ``async`` may finish without ever suspending; callers await
them and nobody creates a Deferred for an answer that is already there. Errors meant for a peer are
``mailer.message.status.MailError``; anything else that escapes counts as "cannot tell now".
"""
