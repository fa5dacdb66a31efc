"""Mailboxes as files: maildir, mbox and their locks. Plain blocking code that knows nothing of Twisted or of users."""
