"""A rate limit for requests that fail: a wrong signature, or the token of no link. Valid requests aren't counted.

A failure is counted after it happened, so a valid request costs no round trip. That is why this uses the library of
Flask-Limiter, `limits`, without Flask-Limiter: its hooks run before and after every request.
"""

from collections.abc import Callable
from hashlib import blake2s
from ipaddress import IPv6Address, ip_address
from typing import Final

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter

from service.records.confirmation import ConfirmingRedis
from service.records.redis import Breaker, RecordsUnavailable, Store

MAX_FAILURES: Final = 60
"""Per address and minute."""
PERIOD_SECONDS: Final = 60

_NETWORK_BITS: Final = 64
"""Of an IPv6 address. One client usually has all addresses of such a network."""


class FailureGuard(Store):
    """Counts the failed requests of each address by the minute. While Redis is unavailable, nobody is limited.

    Failures with different limits are counted apart.
    """

    def __init__(
        self, client: ConfirmingRedis, *, breaker: Breaker, secret_key: str, prefix: str = "afterword:"
    ) -> None:
        super().__init__(client, breaker=breaker, prefix=prefix)
        # It opens its connections with our pool, so the URL is not used.
        pool = client.connection_pool
        storage = RedisStorage("redis://", connection_pool=pool, key_prefix=f"{prefix}failures")
        self._limiter = FixedWindowRateLimiter(storage)
        self._hash_key = secret_key.encode()[: blake2s.MAX_KEY_SIZE]

    def count_failure(self, address: str, limit: int = MAX_FAILURES) -> bool:
        """Count a failed request of an address. Return whether it has failed too often."""
        return self._is_over(self._limiter.hit, address, limit)

    def is_over_limit(self, address: str, limit: int = MAX_FAILURES) -> bool:
        """Return whether the next failed request of an address is one too many. Counts nothing."""
        return self._is_over(self._limiter.test, address, limit)

    def _is_over(self, is_within: Callable[..., bool], address: str, limit: int) -> bool:
        try:
            return not self._run_command(lambda: is_within(_per_minute(limit), self._hash(address)))
        except RecordsUnavailable:
            return False

    def _hash(self, address: str) -> str:
        """Return a keyed hash: an address is personal data."""
        return blake2s(_client_of(address).encode(), key=self._hash_key, digest_size=12).hexdigest()


def _per_minute(limit: int) -> RateLimitItem:
    return RateLimitItemPerMinute(limit, namespace="")


def _client_of(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return address  # Whatever a proxy has sent as one.
    return str(int(found) >> _NETWORK_BITS) if isinstance(found, IPv6Address) else str(found)
