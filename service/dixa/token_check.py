"""Whether Dixa takes a token. A refusal of one call may be about its conversation alone, so the token itself is asked.

All processes share the verdict through Redis: it is asked for once in a while, however many calls are refused.
"""

import hashlib
from collections.abc import Callable
from datetime import timedelta

import redis

from config.failures import describe_failure
from service.surveys.errors import NotNow

_TAKEN = "taken"
_ASKED = "asked"

_ASK_AGAIN = timedelta(seconds=5)
"""How long a question is waited for: whoever asked may have died, or have heard nothing of use."""


def token_name(token: str) -> str:
    """Name a token in Redis. The name tells nothing of the token."""
    return hashlib.sha256(token.encode()).hexdigest()[:12]


class TokenCheck:
    """Asks for a verdict, and remembers that a token is taken for as long as `lasts`."""

    def __init__(self, client: redis.Redis, lasts: timedelta, *, prefix: str = "afterword:") -> None:
        self._redis = client
        self._lasts_ms = max(lasts // timedelta(milliseconds=1), 1)
        self._prefix = prefix

    def check(self, token: str, query: Callable[[], bool]) -> bool:
        """Return whether Dixa takes the token; `ask` is called if nobody has asked lately.

        Raises NotNow while that isn't known.
        """
        key = f"{self._prefix}token:{token_name(token)}"
        try:
            if self._redis.get(key) == _TAKEN:
                return True
            if not self._redis.set(key, _ASKED, nx=True, px=_ASK_AGAIN // timedelta(milliseconds=1)):
                raise NotNow("a call was refused, and Dixa is being asked about the token", _ASK_AGAIN)
            is_taken = ask()
            if is_taken:
                self._redis.set(key, _TAKEN, px=self._lasts_ms)
            else:
                self._redis.delete(key)
        except redis.RedisError as error:
            raise NotNow(f"Redis can't be asked about the token: {describe_failure(error)}") from error
        return is_taken
