"""The switches of the whole installation: a pause, a restore from a backup, and a drain of the spools.

Every method raises RecordsUnavailable when Redis can't be reached. claim.lua reads the switches.
"""

from datetime import UTC, datetime, timedelta

from service.records.codec import to_ms
from service.records.redis import Store


class Switches(Store):
    """The switches of one installation."""

    @property
    def _restored_key(self) -> str:
        return f"{self._prefix}restored_at"

    @property
    def _draining_key(self) -> str:
        return f"{self._prefix}draining"

    @property
    def _paused_key(self) -> str:
        return f"{self._prefix}paused"

    def pause(self) -> None:
        """Send no surveys until `resume`. Closes and answers are still accepted."""
        since = datetime.now(UTC).isoformat(timespec="seconds")
        self._run_command(lambda: self._confirming("SET", self._paused_key, since, "NX"))

    def resume(self) -> bool:
        """Send surveys again. Return False if they weren't paused."""
        return bool(self._run_command(lambda: self._confirming("DEL", self._paused_key)))

    def paused_since(self) -> str | None:
        """Return the time of the pause in ISO 8601, or None if there is none."""
        found: str | None = self._run_command(lambda: self._redis.get(self._paused_key))
        return found

    def mark_restored(self) -> None:
        """Reconcile every record of this moment with Dixa before its next call: Redis was restored from a backup."""
        seconds, micros = self._run_command(self._redis.time)
        restored_at = seconds * 1000 + micros // 1000
        self._run_command(lambda: self._confirming("SET", self._restored_key, restored_at))

    def delay_answers(self, wait: timedelta) -> None:
        """Let nobody claim an answer for this time: a spool may hold a later one than the record."""
        self._run_command(lambda: self._redis.set(self._draining_key, "", px=max(to_ms(wait), 1)))
