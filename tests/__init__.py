"""The tests. Hypothesis is set up here: Python imports this file before every test."""

from hypothesis import HealthCheck, settings

# How fast a machine is says nothing about the code: an example has no deadline, only the whole test has.
settings.register_profile("afterword", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("afterword")
