"""local(8): users of this system, their aliases and forwarding files, their mailboxes and commands."""
