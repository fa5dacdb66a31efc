"""The before-queue content filter (smtpd_proxy_filter): an SMTP server that takes or refuses a message while its client waits."""
