"""The Redis that everything is kept in: how it is opened and asked, and what is known of it when it fails.

Every method raises RecordsUnavailable when Redis can't be asked.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Self

import redis
import structlog

from config.failures import describe_failure
from service.records.redis_check import find_missing_rights, find_problems, find_unusable
from service.records.redis_pool import MAX_CONNECTIONS, USUAL_CONNECTIONS, WAIT_SECONDS, Pool

log = structlog.get_logger()

_PROBE_MS = 1000


class RecordsUnavailable(Exception):
    """Redis didn't answer in time, or refused to write."""


class RecordsRefused(RecordsUnavailable):
    """Redis answers, and refuses: it is full, or its disk is, or it is a replica."""


class Breaker:
    """Open after a failure: Redis isn't asked again until `Store.ping` has seen it write."""

    def __init__(self) -> None:
        self.is_open = False


def connect(url: str, *, connections: int = MAX_CONNECTIONS, wait_seconds: float = WAIT_SECONDS) -> redis.Redis:
    """Open a client that fails fast, as every caller has a plan for that; at most `wait_seconds` for a connection."""
    options = {"decode_responses": True, "socket_timeout": 1, "socket_connect_timeout": 0.5}
    pool = Pool.from_url(url, max_connections=connections, timeout=wait_seconds, **options)
    return redis.Redis.from_pool(pool)


class Store:
    """One installation's Redis. What has failed isn't asked again until `ping` has seen it write, given a breaker."""

    def __init__(self, client: redis.Redis, *, breaker: Breaker | None = None, prefix: str = "afterword:") -> None:
        self._redis = client
        self._prefix = prefix
        self._breaker = breaker
        self._failed_at = monotonic()
        self.clock_offset = timedelta()
        """How far Redis' clock is ahead of this host's, as of the last look at it; nothing until then."""

    @classmethod
    def beside(cls, store: "Store") -> Self:
        """Open what is kept where another store's things are."""
        return cls(store._redis, breaker=store._breaker, prefix=store._prefix)  # noqa: SLF001 - a store as well

    def ping(self) -> None:
        """Raise RecordsUnavailable unless Redis writes, whatever the breaker says; it closes when Redis does.

        Answering isn't enough: a Redis that is full answers. What is written is a key of one second, `<prefix>probe`.
        """
        self._try(lambda: self._redis.set(f"{self._prefix}probe", 1, px=_PROBE_MS))
        self.read_clock()
        if self._breaker:
            self._breaker.is_open = False

    def read_clock(self) -> datetime:
        """Ask Redis for its time, whatever the breaker says, and note how far it is ahead."""
        before = datetime.now(UTC)
        seconds, micros = self._try(self._redis.time)
        there = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros)
        # Redis looked at its clock some time between asking it and hearing from it.
        self.clock_offset = there - (before + (datetime.now(UTC) - before) / 2)
        return there

    def now(self) -> datetime:
        """Tell the time by Redis' clock, as far as it is known, without asking: what waits elsewhere is dated so."""
        return datetime.now(UTC) + self.clock_offset

    def is_recovering(self, wait: timedelta) -> bool:
        """Say whether Redis failed, or this process began, less than `wait` ago: spools may hold later answers."""
        return monotonic() - self._failed_at < wait.total_seconds()

    def problems(self, connections: int = USUAL_CONNECTIONS) -> list[str]:
        """Name all about this Redis that can lose what it acknowledged or stop the work, whatever the breaker says.

        `connections` is how many all processes may need. Raises RecordsUnavailable.
        """
        info = self._told(self._redis.info)
        # One name: `CONFIG GET *` has passwords in it, of any bytes.
        appendfsync = self._told(lambda: self._redis.config_get("appendfsync")).get("appendfsync")
        return [*find_problems(info, appendfsync, connections)]

    def unusable(self) -> str:
        """Say why Afterword can't start on this Redis; nothing if it can, or if Redis can't be asked."""
        try:
            problems = [*find_unusable(self._told(self._redis.info))]
            return "; ".join(problems or self._try(lambda: [*find_missing_rights(self._redis, self._prefix)]))
        except RecordsUnavailable:
            return ""

    def rewrite_if_erased(self) -> bool:
        """Let Redis write its append-only file anew if something was erased: until then the file has it still.

        Says whether it was told to. Managed services rewrite it themselves and forbid this.
        """
        if not self._ask(lambda: self._redis.delete(f"{self._prefix}erased")):
            return False
        try:
            self._redis.bgrewriteaof()
        except redis.RedisError as error:
            log.warning("redis.not_rewritten", problem=describe_failure(error))
            return False
        return True

    def report_problems(self) -> None:
        """Say loudly in the log what `problems` finds; to be called when a process starts."""
        try:
            for problem in self.problems():
                log.error("redis.unsafe", problem=problem)
        except RecordsUnavailable as error:
            log.error("redis.unavailable", problem=str(error))  # noqa: TRY400 - an outage needs no traceback

    def _told(self, question: Callable[[], Mapping[Any, Any]]) -> Mapping[Any, Any]:
        """Ask Redis about itself; managed services, and users with few rights, are told nothing."""

        def ask() -> Mapping[Any, Any]:
            try:
                return question()
            except redis.ResponseError:
                return {}

        told: Mapping[Any, Any] = self._try(ask)
        return told

    def _ask(self, question: Callable[[], Any]) -> Any:
        if self._breaker and self._breaker.is_open:
            raise RecordsUnavailable("not asked: it failed a moment ago")
        return self._try(question)

    def _try(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except redis.RedisError as error:
            self._failed_at = monotonic()
            if self._breaker:
                self._breaker.is_open = True
            kind = RecordsRefused if isinstance(error, redis.ResponseError) else RecordsUnavailable
            raise kind(describe_failure(error)) from error
