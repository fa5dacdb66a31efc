"""Stage 4: what is delivered next, where, how much at once, and when it is tried again.

The algorithm (`scheduler` and what it imports) is pure: it sees messages, recipients, destinations and a time that it is
told. `qmgr` binds it to the queue, to addressing, to transports and to the reactor. See docs/schedule.rst.
"""
