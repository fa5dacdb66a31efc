"""Mailboxes as files: maildir, mbox, their locks, and under whose rights they are written.

All file work is plain blocking code that knows nothing of Twisted; `hands` decides where it runs: in a thread of this
process, or in a worker process that has given up every right but its user's.
"""
