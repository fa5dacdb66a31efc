"""Stage 2: what every message passes before it is queued, as cleanup(8) does it."""
