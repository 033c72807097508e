"""The tests. Hypothesis is set up here: Python imports this file before every test."""

from hypothesis import HealthCheck, settings

# The speed of the machine is no property of the code: only the whole test has a time limit, not an example.
settings.register_profile("afterword", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("afterword")
