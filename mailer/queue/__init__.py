"""Stage 3: the store. Durable before the 250; queue states, recipient status, listing, hold, recovery after a crash."""
