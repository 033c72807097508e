"""The findings of this process for `/readyz` and the window: those of the doctor's checks that cost no call outside.

They ping Redis and write a file into the spool's folder, so they are made at most once a second.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from threading import Lock
from time import monotonic

from service.doctor.cheap import CHECKS
from service.doctor.finding import Finding, Level, examine
from service.doctor.installation import Installation
from service.doctor.redis import REACHABLE, WRITABLE
from service.doctor.spool import SPOOL
from service.web.services import Services

_SHOWN = {Level.WARN, Level.FAIL}


Findings = Sequence[tuple[str, Finding]]
"""Findings with the ids of their checks."""


class Readiness:
    """The findings, and the degraded parts with their problems."""

    MAX_AGE_SECONDS = 1.0

    def __init__(self, core: Services) -> None:
        self._core = core
        self._lock = Lock()
        self._found: Findings = ()
        self._found_at = datetime.min.replace(tzinfo=UTC)
        self._made_at = float("-inf")

    def look(self) -> tuple[bool, Mapping[str, str]]:
        """Return whether webhooks and answers can be saved, in Redis or the spool, and the degraded parts.

        They are at most a second old.
        """
        found, _ = self.findings(self.MAX_AGE_SECONDS)
        failed = {name for name, each in found if each.level is Level.FAIL}
        takes_into_redis = failed.isdisjoint({REACHABLE, WRITABLE})
        takes_into_spool = self._core.spool is not None and SPOOL not in failed
        parts: dict[str, list[str]] = {}
        for name, each in found:
            if each.level in _SHOWN:
                parts.setdefault(name, []).append(str(each))
        return takes_into_redis or takes_into_spool, {name: " ".join(lines) for name, lines in parts.items()}

    def findings(self, max_age_seconds: float) -> tuple[Findings, datetime]:
        """Return all findings, and when they were made. Concurrent requests share one look."""
        with self._lock:
            if monotonic() - self._made_at >= max_age_seconds:
                self._found, self._found_at = [*examine(CHECKS, _installation(self._core))], datetime.now(UTC)
                self._made_at = monotonic()
            return self._found, self._found_at


def _installation(core: Services) -> Installation:
    return Installation(
        settings=core.settings,
        records=core.records,
        processes=core.processes,
        channels=core.channels,
        pace=core.pace,
        outage=core.outage,
        spool=core.spool,
    )
