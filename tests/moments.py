"""Moments that must differ are given, not taken from the clock: two events of one millisecond are in no order."""

from datetime import UTC, datetime, timedelta
from threading import Lock

_TICK = timedelta(milliseconds=1)
"""Dixa and the records tell time in milliseconds."""

_lock = Lock()
_last = datetime.fromtimestamp(0, UTC)


def moment() -> datetime:
    """Give a moment later than each that this gave before, and than all that Redis has written until now."""
    global _last  # noqa: PLW0603
    now = datetime.now(UTC)
    with _lock:
        _last = max(now.replace(microsecond=now.microsecond // 1000 * 1000), _last) + _TICK
        return _last
