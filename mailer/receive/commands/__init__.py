"""The SMTP server's commands, one module each."""
