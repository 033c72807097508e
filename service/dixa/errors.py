"""Reasons why no call to Dixa gets through now. All other failures of a call are in `service.surveys.errors`."""

from service.surveys.errors import NotNow


class NoSlot(NotNow):
    """The rate limit has no slot within the time that the caller waits."""


class TokenRefused(NotNow):
    """Dixa refuses the token. There may be others."""


class DixaDown(NotNow):
    """Dixa as a whole is down. Everybody waits, and one claim at a time probes it."""
