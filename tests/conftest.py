"""What every test shares: hypothesis is deterministic, so a failure on one machine is a failure on all."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "mailer", derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("mailer")
