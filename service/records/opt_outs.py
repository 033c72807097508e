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
        names = self._find_names(requester_id, person)
        return bool(names and self._run_command(lambda: self._redis.exists(*names)))

    def find(self, traits: Sequence[str]) -> dict[str, datetime | None]:
        """Return which of these traits are opted out, with the time if it is known."""
        names = self._find_names(traits[0], traits[1:]) if traits else []
        if not names:
            return {}
        found = self._run_command(lambda: self._redis.mget(names))
        return {trait: _time_of(each) for trait, each in zip(traits, found, strict=True) if each is not None}

    def find_by_kind(self, traits: Mapping[str, IdentityKind]) -> dict[IdentityKind, datetime | None]:
        """Return the kinds of traits that are opted out, with the latest time if it is known."""
        return _latest_by_kind(traits, self.find([*traits]))

    def forget(self, traits: Sequence[str]) -> int:
        """Delete every trace of the opt-outs and opt-ins of these traits, and of the opt-outs made together with them.

        Return the number of opt-outs deleted. A customer who opted out may be asked again.
        """
        names = self._find_names(traits[0], traits[1:]) if traits else []
        if not names:
            return 0
        kept = self._run_command(lambda: self._redis.mget(names))
        opt_out, opt_in = f"{self._prefix}stopped:", f"{self._prefix}unstopped:"
        together = [word for text in kept for word in (text or "").split() if word.startswith(opt_out)]
        every = list(dict.fromkeys((*names, *together)))
        opt_ins = [each.replace(opt_out, opt_in, 1) for each in every]
        self._run_command(lambda: self._redis.delete(*opt_ins))
        deleted: int = self._run_command(lambda: self._confirming("DEL", *every))
        return deleted

    def _write(self, trait: str, others: Sequence[str], at: datetime | None, *, is_opt_in: bool) -> int:
        keys = self._run_command(lambda: self._names(trait, others))
        written: int = self._run_script("opt_outs", keys, is_opt_in, at, self._prefix, _OPT_IN_RETENTION, confirm=True)
        return written

    def _find_names(self, trait: str, others: Sequence[str]) -> list[str]:
        """Return the names of these traits. Without a key nobody has opted out, and they have none."""
        secret = self._run_command(lambda: self._redis.get(self._secret_name))
        return self._hash(secret, trait, others) if secret else []

    def _names(self, trait: str, others: Sequence[str]) -> list[str]:
        return self._hash(self._secret(), trait, others)

    def _hash(self, secret: str, trait: str, others: Sequence[str]) -> list[str]:
        key = secret.encode()
        return [f"{self._prefix}stopped:{hmac.digest(key, each.encode(), 'sha256').hex()}" for each in (trait, *others)]

    @property
    def _secret_name(self) -> str:
        return f"{self._prefix}stop_key"

    def _secret(self) -> str:
        secret = self._redis.get(self._secret_name)
        if secret is None:
            # Several processes may create it at once. NX lets the first one win, and all read its key.
            self._redis.set(self._secret_name, secrets.token_hex(32), nx=True)
            secret = self._redis.get(self._secret_name)
        return str(secret or "")


def kinds_opted_out(
    traits: Mapping[str, IdentityKind], kept: Mapping[str, str | None]
) -> dict[IdentityKind, datetime | None]:
    """Return the kinds of traits that are opted out, as `find_by_kind`. `kept` is what Redis has, by trait."""
    return _latest_by_kind(traits, {name: _time_of(text) for name in traits if (text := kept.get(name)) is not None})


def _latest_by_kind(
    traits: Mapping[str, IdentityKind], times: Mapping[str, datetime | None]
) -> dict[IdentityKind, datetime | None]:
    found: dict[IdentityKind, datetime | None] = {}
    for name, since in times.items():
        known = found.get(traits[name])
        found[traits[name]] = max(known, since) if known and since else known or since
    return found


def _time_of(opt_out: str) -> datetime | None:
    """Return the time of an opt-out. An older version wrote "1" without a time for addresses and numbers."""
    found = re.match("[0-9]+", opt_out)
    return from_ms(found[0]) if found and int(found[0]) > 1 else None
