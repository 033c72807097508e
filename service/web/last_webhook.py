"""When this process last accepted a webhook: each report of the process passes it on, for `afterword doctor`."""

from time import time


class LastWebhook:
    """The time of the last one, in seconds since 1970, or 0."""

    def __init__(self) -> None:
        self._at = 0.0

    def note(self) -> None:
        """Note a webhook that came now."""
        self._at = time()

    def at(self) -> float:
        """Return the time of the last one."""
        return self._at
