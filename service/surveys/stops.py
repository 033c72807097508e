"""Who wants no surveys any more: a hash of the requester's id in Redis, for good, and nothing else.

The key of the hash is random, made once and kept beside the hashes: with one made from SECRET_KEYS everybody would be
forgotten when an old key is dropped. All methods raise RecordsUnavailable when Redis can't be asked.
"""

import hmac
import secrets

from service.surveys.store import Store


class HashedStops(Store):
    """The stops of one installation."""

    def add(self, requester_id: str) -> None:
        """Ask this requester nothing any more; a second time changes nothing."""
        self._ask(lambda: self._redis.set(self._name(requester_id), 1))

    def remove(self, requester_id: str) -> bool:
        """Ask this requester again; says whether there was a stop."""
        return bool(self._ask(lambda: self._redis.delete(self._name(requester_id))))

    def has(self, requester_id: str) -> bool:
        """Say whether this requester has stopped them. It writes nothing: without a key nobody has."""
        return bool(self._ask(lambda: self._has_secret() and self._redis.exists(self._name(requester_id))))

    def _name(self, requester_id: str) -> str:
        return f"{self._prefix}stopped:{hmac.digest(self._secret(), requester_id.encode(), 'sha256').hex()}"

    def _has_secret(self) -> bool:
        return bool(self._redis.exists(f"{self._prefix}stop_key"))

    def _secret(self) -> bytes:
        name = f"{self._prefix}stop_key"
        key = self._redis.get(name)
        if key is None:
            # Whoever is first makes it; the others read what that was.
            self._redis.set(name, secrets.token_hex(32), nx=True)
            key = self._redis.get(name) or ""
        return str(key).encode()
