"""Plain values: how many examples a property is tried with.

`quick` keeps all unit tests together below three seconds; `make test` tries every property again with many more
(`pytest tests/unit -m hypothesis --hypothesis-profile=thorough`).
"""

from hypothesis import HealthCheck, settings

_SLOW_TO_DRAW = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile("quick", max_examples=10, deadline=None, suppress_health_check=_SLOW_TO_DRAW)
settings.register_profile("thorough", max_examples=250, deadline=None, suppress_health_check=_SLOW_TO_DRAW)
settings.load_profile("quick")
