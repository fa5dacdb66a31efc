"""The transports that deliver on this machine; nothing is imported before it is used."""

from mailer.plugins.declaration import Transport

virtual = Transport("virtual", "mailboxes of virtual users, as tables say", "mailer.deliver.virtual.build")
pipe = Transport("pipe", "external commands", "mailer.deliver.pipe.build")
local = Transport("local", "users of this system, aliases, forwarding", "mailer.deliver.local.transport.build")
