"""Examples are drawn the same way every time, and a busy machine is no failure."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "thumbnails", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("thumbnails")
