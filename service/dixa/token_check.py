"""Checks a token after a refused call. The refusal may be about the conversation alone: a query finds out.

The result is shared by all processes through Redis, so many refused calls cause one check.
"""

import hashlib
from collections.abc import Callable
from datetime import timedelta

import redis

from config.failures import describe_failure
from service.surveys.errors import NotNow

_VALID = "valid"
_CHECKING = "checking"

_CHECK_LASTS = timedelta(seconds=5)
"""How long other processes wait for a check in progress. The checking process may have died or got no result."""


def token_name(token: str) -> str:
    """Return a name of a token for Redis keys. It reveals nothing of the token."""
    return hashlib.sha256(token.encode()).hexdigest()[:12]


class TokenCheck:
    """Checks tokens, and remembers valid ones for `lasts`."""

    def __init__(self, client: redis.Redis, lasts: timedelta, *, prefix: str = "afterword:") -> None:
        self._redis = client
        self._lasts_ms = max(lasts // timedelta(milliseconds=1), 1)
        self._prefix = prefix

    def check(self, token: str, query: Callable[[], bool]) -> bool:
        """Return whether Dixa accepts the token. Calls `query` if no recent result is known.

        Raises NotNow while another process checks it.
        """
        key = f"{self._prefix}token:{token_name(token)}"
        try:
            if self._redis.get(key) == _VALID:
                return True
            if not self._redis.set(key, _CHECKING, nx=True, px=_CHECK_LASTS // timedelta(milliseconds=1)):
                raise NotNow("a call was refused, and the token is being checked", _CHECK_LASTS)
            is_valid = query()
            if is_valid:
                self._redis.set(key, _VALID, px=self._lasts_ms)
            else:
                self._redis.delete(key)
        except redis.RedisError as error:
            raise NotNow(f"the token can't be checked without Redis: {describe_failure(error)}") from error
        return is_valid
