"""What an SMTP or LMTP client changes in messages on their way out: addresses by generic(5), headers and body lines by checks."""
