"""Opt-outs: permanent hashes in Redis of the customers without surveys, and nothing else about them.

A customer has several traits: the requester's id, and the hashes of an address and a number (`Identities`). Each trait
has an opt-out of its own. A link opts out the id, and the address or number it was sent to. One opt-out is enough.
The key of the hashes is random and kept beside them, so the opt-out of an id outlives every change of SECRET_KEYS. An
address or number is hashed with SECRET_KEYS first, and its opt-out ends with the last of those keys. All methods raise
RecordsUnavailable when Redis can't be reached.

An opt-out and an opt-in may wait in a spool. Both carry their time, and the later one counts in whatever order they
arrive.
"""

import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from service.records.codec import from_ms
from service.records.redis import Store
from service.rules.identity import IdentityKind

_OPT_IN_RETENTION: Final = timedelta(days=30)
"""How long an opt-in is remembered. A spool drained later than this may bring back an older opt-out."""


class HashedOptOuts(Store):
    """The opt-outs of one installation."""

    def add(self, trait: str, others: Sequence[str] = (), *, at: datetime | None = None) -> bool:
        """Opt out everybody with one of these traits.

        Return False if the first trait was opted in later than `at`, which is now by default.
        """
        return bool(self._write(trait, others, at, is_opt_in=False))

    def remove(self, trait: str, others: Sequence[str] = (), *, at: datetime | None = None) -> bool:
        """Opt in everybody with one of these traits, and the traits opted out together with the first.

        Return whether an opt-out was removed. One later than `at` stays.
        """
        return bool(self._write(trait, others, at, is_opt_in=True))

    def has(self, requester_id: str, person: Sequence[str] = ()) -> bool:
        """Return whether one of these traits is opted out. Writes nothing: without a key nobody is."""
        return bool(
            self._run_command(lambda: self._has_secret() and self._redis.exists(*self._names(requester_id, person)))
        )

    def find(self, traits: Sequence[str]) -> dict[str, datetime | None]:
        """Return which of these traits are opted out, with the time if it is known."""
        if not traits or not self._run_command(self._has_secret):
            return {}
        found = self._run_command(lambda: self._redis.mget(self._names(traits[0], traits[1:])))
        return {trait: _time_of(each) for trait, each in zip(traits, found, strict=True) if each is not None}

    def find_by_kind(self, traits: Mapping[str, IdentityKind]) -> dict[IdentityKind, datetime | None]:
        """Return the kinds of traits that are opted out, with the latest time if it is known."""
        found: dict[IdentityKind, datetime | None] = {}
        for name, since in self.find([*traits]).items():
            known = found.get(traits[name])
            found[traits[name]] = max(known, since) if known and since else known or since
        return found

    def _write(self, trait: str, others: Sequence[str], at: datetime | None, *, is_opt_in: bool) -> int:
        keys = self._run_command(lambda: self._names(trait, others))
        written: int = self._run_script("opt_outs", keys, is_opt_in, at, self._prefix, _OPT_IN_RETENTION)
        return written

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
            # Several processes may create it at once. NX lets the first one win, and all read its key.
            self._redis.set(name, secrets.token_hex(32), nx=True)
            key = self._redis.get(name) or ""
        return str(key).encode()


def _time_of(opt_out: str) -> datetime | None:
    """Return the time of an opt-out. An older version wrote "1" without a time for addresses and numbers."""
    found = re.match("[0-9]+", opt_out)
    return from_ms(found[0]) if found and int(found[0]) > 1 else None
