"""Who wants no surveys any more: hashes in Redis, for good, and nothing else.

A person is known by the requester's id, and by the hashes of what else a requester is known by (`Persons`): a customer
who writes from the same address as another requester has stopped them as well. The key of the hashes is random, made
once and kept beside them: with one made from SECRET_KEYS everybody would be forgotten when an old key is dropped. All
methods raise RecordsUnavailable when Redis can't be asked.

A stop and its undo may wait in a spool: each carries its moment, and the later one counts whichever comes first.
"""

import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

import redis
from redis.commands.core import Script

from service.surveys.fields import to_ms
from service.surveys.store import Breaker, Store

_UNDO_IS_KEPT: Final = timedelta(days=30)
"""How long an undo is remembered: a spool that comes home later than this may bring back an older stop."""


class HashedStops(Store):
    """The stops of one installation."""

    def __init__(self, client: redis.Redis, *, breaker: Breaker | None = None, prefix: str = "afterword:") -> None:
        super().__init__(client, breaker=breaker, prefix=prefix)
        self._stop, self._undo = (
            client.register_script(Path(__file__).with_suffix(f".{name}.lua").read_text(encoding="utf-8"))
            for name in ("stop", "undo")
        )

    @classmethod
    def beside(cls, store: Store) -> Self:
        """Open the stops that are kept where these records are."""
        return cls(store._redis, breaker=store._breaker, prefix=store._prefix)  # noqa: SLF001 - a store as well

    def add(self, requester_id: str, person: Sequence[str] = (), *, at: datetime | None = None) -> bool:
        """Ask this requester nothing any more, nor who else is this person; a second time changes nothing.

        Returns False if it was undone later than `at`, which is now unless it is given.
        """
        return bool(self._ask(lambda: self._run(self._stop, requester_id, person, at)))

    def remove(self, requester_id: str, person: Sequence[str] = (), *, at: datetime | None = None) -> bool:
        """Ask this requester again, and who else is this person or was stopped with them.

        Returns whether there was a stop. One that is later than `at` stays.
        """
        return bool(self._ask(lambda: self._run(self._undo, requester_id, person, at)))

    def has(self, requester_id: str, person: Sequence[str] = ()) -> bool:
        """Say whether this requester or person has stopped them. It writes nothing: without a key nobody has."""
        return bool(self._ask(lambda: self._has_secret() and self._redis.exists(*self._names(requester_id, person))))

    def _run(self, script: Script, requester_id: str, person: Sequence[str], at: datetime | None) -> int:
        mine, *others = self._names(requester_id, person)
        undone_at = mine.replace(f"{self._prefix}stopped:", f"{self._prefix}unstopped:")
        args = [to_ms(at) if at else "", self._prefix, to_ms(_UNDO_IS_KEPT)]
        return int(script(keys=[mine, undone_at, *others], args=args))

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
