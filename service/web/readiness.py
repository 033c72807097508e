"""The findings of this process for `/readyz`: those of the doctor's checks that cost no call outside.

They ping Redis and write a file into the spool's folder, so they are made at most once a second.
"""

from collections.abc import Mapping
from threading import Lock
from time import monotonic

from service.doctor.cheap import CHECKS
from service.doctor.finding import Level, examine
from service.doctor.installation import Installation
from service.doctor.redis import REACHABLE, WRITABLE
from service.doctor.spool import SPOOL
from service.web.services import Services

_SHOWN = {Level.WARN, Level.FAIL}


class Readiness:
    """The degraded parts, each with its problem."""

    MAX_AGE_SECONDS = 1.0

    def __init__(self, core: Services) -> None:
        self._core = core
        self._lock = Lock()
        self._parts: Mapping[str, str] = {}
        self._is_ready = True
        self._until = 0.0

    def look(self) -> tuple[bool, Mapping[str, str]]:
        """Return whether webhooks and answers can be saved, in Redis or the spool, and the degraded parts.

        They are at most a second old. Concurrent requests share one look.
        """
        with self._lock:
            if monotonic() >= self._until:
                self._is_ready, self._parts = _examine(self._core)
                self._until = monotonic() + self.MAX_AGE_SECONDS
            return self._is_ready, self._parts


def _examine(core: Services) -> tuple[bool, Mapping[str, str]]:
    installation = Installation(
        settings=core.settings,
        records=core.records,
        processes=core.processes,
        channels=core.channels,
        pace=core.pace,
        outage=core.outage,
        spool=core.spool,
    )
    found = list(examine(CHECKS, installation))
    failed = {name for name, each in found if each.level is Level.FAIL}
    takes_into_redis = failed.isdisjoint({REACHABLE, WRITABLE})
    takes_into_spool = core.spool is not None and SPOOL not in failed
    parts: dict[str, list[str]] = {}
    for name, each in found:
        if each.level in _SHOWN:
            parts.setdefault(name, []).append(str(each))
    return takes_into_redis or takes_into_spool, {name: " ".join(lines) for name, lines in parts.items()}
