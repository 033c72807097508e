"""The connection to Redis: a client that fails fast, a circuit breaker, Redis's clock, and checks at start.

Every method raises RecordsUnavailable when Redis can't be reached.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Self

import redis
import structlog

from config.failures import describe_failure
from service.records.confirmation import ConfirmingRedis, Unconfirmed, replicas_of
from service.records.redis_check import Risk, find_missing_rights, find_risks, find_saving, find_unusable
from service.records.redis_pool import MAX_CONNECTIONS, USUAL_CONNECTIONS, WAIT_SECONDS
from service.records.replication_check import count_following, find_replication_risks
from service.records.scripts import call_script, load_scripts
from service.records.sentinels import open_pool

log = structlog.get_logger()

_PROBE_MS = 1000


class RecordsUnavailable(Exception):
    """Redis didn't answer in time, or refused to write."""


class RecordsRefused(RecordsUnavailable):
    """Redis responds with an error: it or its disk is full, or it is a replica."""


class RecordsUnconfirmed(RecordsUnavailable):
    """Redis has the write, and too few replicas have confirmed it. `response` is that of the write."""

    def __init__(self, problem: str, response: Any) -> None:
        super().__init__(problem)
        self.response = response


class Breaker:
    """Opens at a failure. Until `Store.ping` has seen a write succeed, no request waits for Redis."""

    def __init__(self) -> None:
        self.is_open = False


def connect(
    url: str,
    *,
    connections: int = MAX_CONNECTIONS,
    wait_seconds: float = WAIT_SECONDS,
    replicas: int = 0,
    client_class: type[ConfirmingRedis] = ConfirmingRedis,
) -> ConfirmingRedis:
    """Open a client that fails fast. A command waits up to `wait_seconds` for a connection of the pool.

    `replicas` have to confirm writes.
    """
    options = {"decode_responses": True, "socket_timeout": 1, "socket_connect_timeout": 0.5}
    pool = open_pool(url, max_connections=connections, timeout=wait_seconds, **options)
    client: ConfirmingRedis = client_class.from_pool(pool)  # type: ignore[assignment]
    client.replicas = replicas
    return client


class Store:
    """The Redis of one installation. With a breaker, nothing is sent after a failure until `ping` succeeds."""

    def __init__(self, client: redis.Redis, *, breaker: Breaker | None = None, prefix: str = "afterword:") -> None:
        self._redis = client
        self._scripts = load_scripts(client)
        self._prefix = prefix
        self._breaker = breaker
        self._failed_at = monotonic()
        self.clock_offset = timedelta()
        """How far Redis's clock is ahead of this host's, as last measured. Zero until then."""

    @classmethod
    def beside(cls, store: "Store") -> Self:
        """Open a store on the client and prefix of another one."""
        return cls(store._redis, breaker=store._breaker, prefix=store._prefix)  # noqa: SLF001 - a store as well

    def ping(self) -> None:
        """Raise RecordsUnavailable unless Redis takes a write, even while the breaker is open. Close the breaker if so.

        A response is not enough, since a full Redis responds too. The write is a key of one second, `<prefix>probe`.
        The replicas have to confirm it.
        """
        self._try(lambda: self._confirming("SET", f"{self._prefix}probe", 1, "PX", _PROBE_MS))
        self.read_clock()
        if self._breaker:
            self._breaker.is_open = False

    def require_replicas(self) -> None:
        """Raise RecordsUnavailable while the replicas confirm nothing. Writes only if they have not lately."""
        if isinstance(self._redis, ConfirmingRedis) and self._redis.is_unconfirmed:
            self.ping()

    def read_clock(self) -> datetime:
        """Return Redis's time, even while the breaker is open, and update the offset."""
        before = datetime.now(UTC)
        seconds, micros = self._try(self._redis.time)
        there = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros)
        # Redis read its clock some time between the request and the response: assume the middle.
        self.clock_offset = there - (before + (datetime.now(UTC) - before) / 2)
        return there

    def now(self) -> datetime:
        """Estimate Redis's time from the last measured offset, without a round trip. Used to date spooled entries."""
        return datetime.now(UTC) + self.clock_offset

    def is_recovering(self, wait: timedelta) -> bool:
        """Return whether spools may hold later answers.

        They may if less than `wait` ago Redis failed, another server became the primary, or this process started.
        """
        switched_at = getattr(self._redis.connection_pool, "switched_at", self._failed_at)
        return monotonic() - max(self._failed_at, switched_at) < wait.total_seconds()

    def risks(self, connections: int = USUAL_CONNECTIONS) -> list[Risk]:
        """Return the risks of this Redis, even while the breaker is open.

        `connections` is the maximum of all processes together.
        """
        info = self._query(self._redis.info)
        # By its name: the response to `CONFIG GET *` contains passwords, which may be bytes of any encoding.
        appendfsync = self._query(lambda: self._redis.config_get("appendfsync")).get("appendfsync")
        least = self._query(lambda: self._redis.config_get("min-replicas-to-write")).get("min-replicas-to-write")
        found = find_replication_risks(info, least, replicas_of(self._redis))
        return [*find_risks(info, appendfsync, connections), *found]

    def count_following(self) -> int:
        """Count the replicas that follow this Redis. Without the right to `INFO`, none is known."""
        return count_following(self._query(lambda: self._redis.info("replication")))

    def saving(self) -> str:
        """Return how this Redis could save memory, or an empty text."""
        limits = self._query(lambda: self._redis.config_get("hash-max-*-value"))
        return find_saving(self._query(self._redis.info), limits)

    def unusable(self) -> str:
        """Return why Afterword can't start on this Redis. Empty if it can, or if Redis can't be reached."""
        try:
            problems = [*map(str, find_unusable(self._query(self._redis.info)))]
            return "; ".join(problems or self.missing_rights())
        except RecordsUnavailable:
            return ""

    def missing_rights(self) -> list[str]:
        """Return the rights that the user of this Redis lacks, each with its remedy."""
        found: list[str] = self._try(lambda: [*find_missing_rights(self._redis, self._prefix)])
        return found

    def rewrite_if_erased(self) -> bool:
        """Start a rewrite of Redis's append-only file if a record was erased: until then the file still contains it.

        Return whether a rewrite was started. Managed services rewrite it themselves and forbid the command.
        """
        sign = f"{self._prefix}erased"
        if not self._run_command(lambda: self._redis.delete(sign)):
            return False
        try:
            self._redis.bgrewriteaof()
        except redis.RedisError as error:
            if "in progress" in str(error):
                # That rewrite may have begun before the erasure, so another one has to follow it.
                self._run_command(lambda: self._redis.set(sign, 1))
                return False
            log.warning("redis.not_rewritten", problem=describe_failure(error))
            return False
        return True

    def report_problems(self) -> None:
        """Log the risks as errors. Called when a process starts."""
        try:
            for risk in self.risks():
                log.error("redis.unsafe", problem=str(risk))
        except RecordsUnavailable as error:
            log.error("redis.unavailable", problem=str(error))  # noqa: TRY400 - an outage needs no traceback

    def _query(self, command: Callable[[], Mapping[Any, Any]]) -> Mapping[Any, Any]:
        """Return a response of Redis about itself, or nothing where that is forbidden, as on managed services."""

        def run() -> Mapping[Any, Any]:
            try:
                return command()
            except redis.ResponseError:
                return {}

        response: Mapping[Any, Any] = self._try(run)
        return response

    def _run_script(self, name: str, keys: Iterable[str], *args: object, confirm: bool = False) -> Any:
        """Run a script. With `confirm`, raise RecordsUnconfirmed unless enough replicas have what it has written."""
        run = self._confirming if confirm else self._redis.execute_command
        return self._run_command(lambda: call_script(run, self._scripts[name], [*keys], args))

    def _confirming(self, *command: Any) -> Any:
        run = self._redis.run_confirmed if isinstance(self._redis, ConfirmingRedis) else self._redis.execute_command
        return run(*command)

    def _run_command(self, command: Callable[[], Any]) -> Any:
        if self._breaker and self._breaker.is_open:
            raise RecordsUnavailable("not tried: it failed a moment ago")
        return self._try(command)

    def _try(self, command: Callable[[], Any]) -> Any:
        try:
            return command()
        except redis.RedisError as error:
            self._failed_at = monotonic()
            if self._breaker:
                self._breaker.is_open = True
            if isinstance(error, Unconfirmed):
                raise RecordsUnconfirmed(str(error), error.response) from error
            kind = RecordsRefused if isinstance(error, redis.ResponseError) else RecordsUnavailable
            raise kind(describe_failure(error)) from error
