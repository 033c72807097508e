"""The Redis that everything is kept in: how it is opened and asked, and what is known of it when it fails.

Every method raises RecordsUnavailable when Redis can't be asked.
"""

from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import Any

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from service.surveys.durability import find_problems

log = structlog.get_logger()


class RecordsUnavailable(Exception):
    """Redis didn't answer in time, or refused to write."""


class Breaker:
    """Open after a failure: Redis isn't asked again until `Store.ping` has seen it answer."""

    def __init__(self) -> None:
        self.is_open = False


def connect(url: str) -> redis.Redis:
    """Open a client that fails fast and never repeats a command by itself: every caller has a plan for that."""
    return redis.Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=1,
        socket_connect_timeout=0.5,
        health_check_interval=10,
        retry=Retry(NoBackoff(), 0),
    )


class Store:
    """One installation's Redis. What has failed isn't asked again until `ping` has seen it answer, given a breaker."""

    def __init__(self, client: redis.Redis, *, breaker: Breaker | None = None, prefix: str = "afterword:") -> None:
        self._redis = client
        self._prefix = prefix
        self._breaker = breaker
        self._failed_at = monotonic()

    def ping(self) -> None:
        """Raise RecordsUnavailable unless Redis answers, whatever the breaker says; it closes when Redis does."""
        try:
            self._redis.ping()
        except redis.RedisError as error:
            raise RecordsUnavailable(type(error).__name__) from error
        if self._breaker:
            self._breaker.is_open = False

    def is_recovering(self, wait: timedelta) -> bool:
        """Say whether Redis failed, or this process began, less than `wait` ago: spools may hold later answers."""
        return monotonic() - self._failed_at < wait.total_seconds()

    def problems(self) -> list[str]:
        """Name each setting of this Redis that can lose what it acknowledged. Raises RecordsUnavailable."""
        info = self._ask(self._redis.info)
        try:
            config = {str(name): str(value) for name, value in self._redis.config_get("*").items()}
        except redis.ResponseError:
            config = {}
        except redis.RedisError as error:
            raise RecordsUnavailable(type(error).__name__) from error
        return [*find_problems(info, config)]

    def report_problems(self) -> None:
        """Say loudly in the log what `problems` finds; to be called when a process starts."""
        try:
            for problem in self.problems():
                log.error("redis.unsafe", problem=problem)
        except RecordsUnavailable as error:
            log.error("redis.unavailable", problem=str(error))  # noqa: TRY400 - an outage needs no traceback

    def _ask(self, question: Callable[[], Any]) -> Any:
        if self._breaker and self._breaker.is_open:
            raise RecordsUnavailable("not asked: it failed a moment ago")
        try:
            return question()
        except redis.RedisError as error:
            self._failed_at = monotonic()
            if self._breaker:
                self._breaker.is_open = True
            raise RecordsUnavailable(type(error).__name__) from error
