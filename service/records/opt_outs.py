"""Who wants no surveys any more: hashes in Redis, for good, and nothing else.

A person is known by the requester's id, and by the hashes of an address and a number (`Identities`). Each has a stop of
its own: a link stops the id, and the address or number that it went to. Who has stopped by one of them isn't asked.
The key of the hashes is random, made once and kept beside them: with one made from SECRET_KEYS everybody would be
forgotten when an old key is dropped. All methods raise RecordsUnavailable when Redis can't be asked.

A stop and its undo may wait in a spool: each carries its moment, and the later one counts whichever comes first.
"""

import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import redis
from redis.commands.core import Script

from service.records.codec import from_ms, to_ms
from service.records.redis import Breaker, Store
from service.rules.identity import IdentityKind

_UNDO_IS_KEPT: Final = timedelta(days=30)
"""How long an undo is remembered: a spool that comes home later than this may bring back an older stop."""


class HashedOptOuts(Store):
    """The stops of one installation."""

    def __init__(self, client: redis.Redis, *, breaker: Breaker | None = None, prefix: str = "afterword:") -> None:
        super().__init__(client, breaker=breaker, prefix=prefix)
        self._stop, self._undo = (
            client.register_script(
                "\n".join(Path(__file__).with_suffix(end).read_text(encoding="utf-8") for end in ends)
            )
            for ends in ((".lua", ".opt_out.lua"), (".lua", ".opt_in.lua"))
        )

    def add(self, trait: str, others: Sequence[str] = (), *, at: datetime | None = None) -> bool:
        """Ask nothing any more whoever has one of these traits; a second time changes nothing.

        Returns False if the first was undone later than `at`, which is now unless it is given.
        """
        return bool(self._ask(lambda: self._run(self._stop, trait, others, at)))

    def remove(self, trait: str, others: Sequence[str] = (), *, at: datetime | None = None) -> bool:
        """Ask again whoever has one of these traits, and what was stopped together with the first.

        Returns whether there was a stop. One that is later than `at` stays.
        """
        return bool(self._ask(lambda: self._run(self._undo, trait, others, at)))

    def has(self, requester_id: str, person: Sequence[str] = ()) -> bool:
        """Say whether this requester or person has stopped them. It writes nothing: without a key nobody has."""
        return bool(self._ask(lambda: self._has_secret() and self._redis.exists(*self._names(requester_id, person))))

    def find(self, traits: Sequence[str]) -> dict[str, datetime | None]:
        """Return which of these traits are stopped, and since when, as far as that was written."""
        if not traits or not self._ask(self._has_secret):
            return {}
        found = self._ask(lambda: self._redis.mget(self._names(traits[0], traits[1:])))
        return {trait: _moment(stop) for trait, stop in zip(traits, found, strict=True) if stop is not None}

    def find_by_kind(self, traits: Mapping[str, IdentityKind]) -> dict[IdentityKind, datetime | None]:
        """Return by which kinds of traits somebody has stopped, and since when, as far as that was written."""
        found: dict[IdentityKind, datetime | None] = {}
        for name, since in self.find([*traits]).items():
            known = found.get(traits[name])
            found[traits[name]] = max(known, since) if known and since else known or since
        return found

    def _run(self, script: Script, trait: str, others: Sequence[str], at: datetime | None) -> int:
        args = [to_ms(at) if at else "", self._prefix, to_ms(_UNDO_IS_KEPT)]
        return int(script(keys=self._names(trait, others), args=args))

    def _names(self, trait: str, others: Sequence[str]) -> list[str]:
        secret = self._secret()
        return [
            f"{self._prefix}stopped:{hmac.digest(secret, each.encode(), 'sha256').hex()}" for each in (trait, *others)
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


def _moment(stop: str) -> datetime | None:
    """Read when something was stopped; an older version wrote it of ids alone, and "1" of all else."""
    found = re.match("[0-9]+", stop)
    return from_ms(found[0]) if found and int(found[0]) > 1 else None
