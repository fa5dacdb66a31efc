"""Stage 1: messages come in, by SMTP and by local submission."""
