"""Finds the degraded parts of this process for `/readyz`.

The check pings Redis and writes a file into the spool's folder, so it runs at most once a second.
"""

from collections.abc import Iterator, Mapping
from threading import Lock
from time import monotonic

from service.records.redis import RecordsRefused, RecordsUnavailable
from service.web.services import Services


class Readiness:
    """The degraded parts, each with its problem."""

    MAX_AGE_SECONDS = 1.0

    def __init__(self, core: Services) -> None:
        self._core = core
        self._lock = Lock()
        self._parts: Mapping[str, str] = {}
        self._until = 0.0

    def degraded(self) -> Mapping[str, str]:
        """Return the degraded parts, at most a second old. Concurrent requests share one check."""
        with self._lock:
            if monotonic() >= self._until:
                self._parts = dict(_degraded(self._core))
                self._until = monotonic() + self.MAX_AGE_SECONDS
            return self._parts


def is_ready(degraded: Mapping[str, str]) -> bool:
    """Return whether webhooks and answers can be saved, in Redis or in the spool."""
    return not {"redis", "spool"} <= set(degraded)


def _degraded(core: Services) -> Iterator[tuple[str, str]]:
    processing = dict(_degraded_processing(core))
    yield from processing.items()
    yield from _degraded_spool(core)
    if core.spool and "redis" not in processing and (overdue := core.spool.overdue()):
        yield "spool_stuck", f"{overdue} waiting for over a minute, though Redis is up"


def _degraded_processing(core: Services) -> Iterator[tuple[str, str]]:
    problem = ""
    try:
        core.records.ping()
    except RecordsRefused as error:
        problem = f"{error}: Redis responds, but refuses writes"
    except RecordsUnavailable as error:
        yield "redis", str(error)
        return
    try:
        yield from _degraded_by_redis(core)
    except RecordsUnavailable as error:
        problem = problem or str(error)
    if problem:
        yield "redis", problem


def _degraded_by_redis(core: Services) -> Iterator[tuple[str, str]]:
    if problems := core.records.problems():
        yield "durability", "; ".join(problems)
    if disagreements := core.processes.find_disagreements():
        yield "settings", "; ".join(disagreements)
    if trouble := core.pace.problem() or core.outage.problem():
        yield "dixa", trouble
    if troubles := core.channels.troubles():
        yield "channels", "; ".join(troubles)
    if since := core.records.paused_since():
        yield "surveys", f"paused since {since}: no surveys are sent. To continue: afterword resume"


def _degraded_spool(core: Services) -> Iterator[tuple[str, str]]:
    if core.spool is None:
        yield "spool", "off"
        return
    if not core.spool.probe():
        yield "spool", "can't be used, or is full"
    elif not core.spool.has_room_for_answers():
        yield "spool_answers", "full for answers and opt-outs: the rest is reserved for webhooks"
    newer = core.spool.left_to_newer()
    if waiting := core.spool.waiting() - newer:
        yield "spool_waiting", f"{waiting} waiting for Redis"
    if newer:
        yield "spool_newer", f"{newer} waiting for the newer version that wrote them"
    if corrupt := core.spool.corrupt():
        yield "spool_corrupt", f"{corrupt} could not be read and were set aside"
