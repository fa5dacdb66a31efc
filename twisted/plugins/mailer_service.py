"""``twistd mailer``."""

from twisted.application.service import ServiceMaker

mailer = ServiceMaker("mailer", "mailer.tap", "A mail transfer agent that stands where Postfix stands.", "mailer")
