"""Distinct moments, and time that passes without waiting. Two events of the same millisecond have no order."""

import json
import re
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

_TICK = timedelta(milliseconds=1)
"""The resolution of Dixa's times and of the records."""

_lock = Lock()
_last = datetime.fromtimestamp(0, UTC)


def moment() -> datetime:
    """Return the current moment once it is later than all earlier moments and all times in Redis, within a tick."""
    global _last  # noqa: PLW0603
    with _lock:
        before = max(_now(), _last)
        while (now := _now()) <= before:
            pass
        _last = now
        return now


def _now() -> datetime:
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


_TIMES = re.compile(r"_(at|due|lease|since)$")
_LIVES = ("dixa:probe", "dixa:failed")
"""Keys with a relevant time to live."""


def pass_time(client: Any, prefix: str, length: timedelta) -> None:
    """Move all times of the surveys and of Dixa's outages back, as if this time had passed."""
    ms = length // _TICK
    _move_records(client, prefix, ms)
    for name in ("offer", "answer", "follow_up"):
        due = client.zrange(f"{prefix}due:{name}", 0, -1, withscores=True)
        if due:
            client.zadd(f"{prefix}due:{name}", {member: score - ms for member, score in due})
    if since := client.get(f"{prefix}dixa:down"):
        client.set(f"{prefix}dixa:down", int(since) - ms)
    past = client.zrange(f"{prefix}dixa:outages", 0, -1, withscores=True)
    client.delete(f"{prefix}dixa:outages")
    for began, ended in past:
        client.zadd(f"{prefix}dixa:outages", {str(int(began) - ms): ended - ms})
    for key in (f"{prefix}{name}" for name in _LIVES):
        if (left := client.pttl(key)) > 0:
            client.pexpire(key, max(left - ms, 1))


def _move_records(client: Any, prefix: str, ms: int) -> None:
    """Move all records in two round trips: tests of outages do this for many surveys, many times."""
    keys = list(client.scan_iter(f"{prefix}survey:*", count=10_000))
    with client.pipeline() as reads, client.pipeline() as writes:
        for key in keys:
            reads.hgetall(key)
        for key, record in zip(keys, reads.execute(), strict=True):
            writes.hset(key, mapping=_move_times(record, ms))
        writes.execute()


def _move_times(record: dict[str, str], ms: int) -> dict[str, str]:
    moved = {name: str(int(value) - ms) for name, value in record.items() if _TIMES.search(name) and value.isdigit()}
    if close := json.loads(record.get("close") or "null"):
        moved["close"] = json.dumps(close | {"closed_at": close["closed_at"] - ms})
    return moved
