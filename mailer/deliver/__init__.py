"""Stage 5: transports. Each takes a delivery request and tells every recipient's fate."""
