"""Which receivers have had the digest of a day. Every method raises RecordsUnavailable when Redis can't be reached."""

from datetime import timedelta
from typing import Final

from service.records.redis import Store

_KEPT_FOR: Final = timedelta(days=8)


class DigestSlots(Store):
    """The slots of one installation."""

    def is_taken(self, name: str) -> bool:
        """Return whether this receiver has had it, or may have."""
        return bool(self._run_command(lambda: self._redis.exists(self._key(name))))

    def take(self, name: str) -> bool:
        """Take a slot before the digest is sent. Return False if it is taken."""
        return bool(self._run_command(lambda: self._redis.set(self._key(name), 1, nx=True, px=_KEPT_FOR)))

    def release(self, name: str) -> None:
        """Release a slot: nothing was sent."""
        self._run_command(lambda: self._redis.delete(self._key(name)))

    def _key(self, name: str) -> str:
        return f"{self._prefix}digest:{name}"
