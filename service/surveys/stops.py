"""Who wants no surveys any more: hashes in Redis, for good, and nothing else.

A person is known by the requester's id, and by the hashes of what else a requester is known by (`Persons`): a customer
who writes from the same address as another requester has stopped them as well. The key of the hashes is random, made
once and kept beside them: with one made from SECRET_KEYS everybody would be forgotten when an old key is dropped. All
methods raise RecordsUnavailable when Redis can't be asked.
"""

import hmac
import secrets
from collections.abc import Sequence

from service.surveys.store import Store


class HashedStops(Store):
    """The stops of one installation."""

    def add(self, requester_id: str, person: Sequence[str] = ()) -> None:
        """Ask this requester nothing any more, nor who else is this person; a second time changes nothing."""
        self._ask(lambda: self._add(requester_id, person))

    def remove(self, requester_id: str) -> bool:
        """Ask this requester again; says whether there was a stop."""
        return bool(self._ask(lambda: self._remove(requester_id)))

    def has(self, requester_id: str, person: Sequence[str] = ()) -> bool:
        """Say whether this requester or person has stopped them. It writes nothing: without a key nobody has."""
        return bool(self._ask(lambda: self._has_secret() and self._redis.exists(*self._names(requester_id, person))))

    def _add(self, requester_id: str, person: Sequence[str]) -> None:
        mine, *others = self._names(requester_id, person)
        # What was stopped along with a requester is kept with that one, to be undone with it.
        known = str(self._redis.get(mine) or "").split()
        stopped = dict.fromkeys([*(name for name in known if name.startswith(self._prefix)), *others])
        self._redis.mset({mine: " ".join(stopped) or "1", **dict.fromkeys(others, "1")})

    def _remove(self, requester_id: str) -> int:
        [mine] = self._names(requester_id, ())
        others = [name for name in str(self._redis.get(mine) or "").split() if name.startswith(self._prefix)]
        return int(self._redis.delete(mine, *others))

    def _names(self, requester_id: str, person: Sequence[str]) -> list[str]:
        secret = self._secret()
        return [
            f"{self._prefix}stopped:{hmac.digest(secret, trait.encode(), 'sha256').hex()}"
            for trait in (requester_id, *person)
        ]

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
