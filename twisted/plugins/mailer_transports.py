"""The transports that come with mailer; nothing is imported before it is used."""

from mailer.plugins.declaration import Transport

smtp = Transport("smtp", "SMTP to other hosts", "mailer.deliver.smtp.transport.build_smtp")
relay = Transport("relay", "SMTP to other hosts, for domains we relay to", "mailer.deliver.smtp.transport.build_smtp")
lmtp = Transport("lmtp", "LMTP to mail stores", "mailer.deliver.smtp.transport.build_lmtp")
error = Transport("error", "return or defer mail, the nexthop being the reason", "mailer.deliver.error.build")
retry = Transport("retry", "defer mail, the nexthop being the reason", "mailer.deliver.error.build_retry")
discard = Transport("discard", "throw mail away, the nexthop being the reason", "mailer.deliver.discard.build")
