"""Under whose rights local deliveries happen: what is asked for, in plain data, and the thread or process that does it.

`hands` is the entry: writes into mailboxes, runs of commands and reads of users' files, each as a given user. A process
that is root hands everything to worker processes that have become that user for good.
"""
