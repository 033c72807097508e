"""What the log has of a trouble that lasts: its beginning, that it is still there once a minute, and its end."""

from time import monotonic

import structlog

log = structlog.get_logger()

_AGAIN_SECONDS = 60.0


class Complaint:
    """One trouble of a thread that looks again and again: `wrong` and `right` are the events of the log."""

    def __init__(self, wrong: str, right: str) -> None:
        self._wrong = wrong
        self._right = right
        self._again_at = 0.0
        self.problem = ""
        """What was wrong at the last look, if anything."""

    def tell(self, problem: str) -> None:
        """Say what is wrong now, or that nothing is any more. It may be called many times a second."""
        if problem and (problem != self.problem or monotonic() >= self._again_at):
            self._again_at = monotonic() + _AGAIN_SECONDS
            log.warning(self._wrong, problem=problem)
        if self.problem and not problem:
            log.info(self._right)
        self.problem = problem
