"""The connections to Redis, for both our clients of it (redis-py and kombu): few, closed when idle, mended when cut.

A connection that served before may lead nowhere by now: a NAT has cut it, or its server was demoted in a failover. What
fails on such a one is tried once on a fresh one, for which the host's name is resolved anew.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Empty
from time import monotonic
from typing import Any

from redis.backoff import NoBackoff
from redis.connection import BlockingConnectionPool, Connection
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,  # noqa: A004 - redis-py's, and not Python's
    ReadOnlyError,
    ResponseError,
    TimeoutError,  # noqa: A004
)
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

MAX_CONNECTIONS = 4
"""Of one pool. A command takes a millisecond, and a thread needs few of them, so many threads share these."""
WAIT_SECONDS = 5.0
"""How long a command waits for a connection while others have them all."""
WEB_CONNECTIONS = MAX_CONNECTIONS + 1
"""Of a web process at most: its pool, and the queue's."""
WORKER_CONNECTIONS = MAX_CONNECTIONS + 5
"""Of a worker at most: its pool, three that take tasks, one that queues them, and one that tells of the process."""
USUAL_CONNECTIONS = 2 * WEB_CONNECTIONS + WORKER_CONNECTIONS
"""Of the processes that the Procfile starts."""
_IDLE_SECONDS = 30.0
"""How long a connection may lie idle before it is closed; many a NAT forgets one after a minute."""

_SWEEP_SECONDS = 5.0

_NOT_THE_PRIMARY = (ReadOnlyError, BusyLoadingError, ClusterDownError)  # MASTERDOWN is a ClusterDownError
_SAID_OTHERWISE = ("-READONLY", "UNBLOCKED")
"""A script's refusal before Redis 7 quotes the cause; a command that waits is told that the server was demoted."""


class ConnectionOutdatedError(ConnectionError):
    """A connection that served before serves no more: a fresh one may."""


class _Mended:
    """What our connections do beyond redis-py's. `Pool` mixes it into theirs."""

    has_served = False
    """Whether it was given back to the pool in order, and hasn't been closed since."""
    is_misled = False
    """Whether its server has said that it isn't the primary, or not ready to be asked."""

    def send_packed_command(self, *args: Any, **kwargs: Any) -> Any:
        with self._outdated():
            return super().send_packed_command(*args, **kwargs)  # type: ignore[misc]

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        with self._outdated():
            return super().read_response(*args, **kwargs)  # type: ignore[misc]

    def disconnect(self, *args: Any, **kwargs: Any) -> None:
        self.has_served = False
        super().disconnect(*args, **kwargs)  # type: ignore[misc]

    @contextmanager
    def _outdated(self) -> Iterator[None]:
        has_served = self.has_served
        try:
            yield
        except (ConnectionError, TimeoutError, ResponseError) as error:
            if _is_not_the_primary(error):
                self.is_misled = True
                if has_served:
                    self.disconnect()
                # Otherwise the pool closes it: after a refusal a transaction goes on reading the other responses.
            elif isinstance(error, ResponseError):
                raise
            if has_served:
                raise ConnectionOutdatedError(str(error)) from error
            raise


def _is_not_the_primary(error: Exception) -> bool:
    return isinstance(error, _NOT_THE_PRIMARY) or any(each in str(error) for each in _SAID_OTHERWISE)


class Pool(BlockingConnectionPool):
    """A few connections, for which commands wait their turn. Its queue is cooperative where gevent patches threads."""

    def __init__(
        self,
        connection_class: type = Connection,
        max_connections: int = MAX_CONNECTIONS,
        timeout: float = WAIT_SECONDS,
        **kwargs: Any,
    ) -> None:
        self._sweep_at = monotonic()
        super().__init__(  # type: ignore[no-untyped-call]
            max_connections,
            timeout,
            type(connection_class.__name__, (_Mended, connection_class), {}),
            retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionOutdatedError,)),
            # With these, which Redis Enterprise alone sends, redis-py would no longer see that a server has hung up.
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
            **kwargs,
        )

    def release(self, connection: Any) -> None:
        """Take a connection back; if its server was demoted, the others lead there in vain, too."""
        is_misled, connection.is_misled = connection.is_misled, False
        if is_misled:
            connection.disconnect()
        connection.has_served = connection.is_connected
        connection.idle_since = now = monotonic()
        if is_misled:
            for each in self._get_in_use_connections() - {connection}:  # type: ignore[no-untyped-call]
                each.mark_for_reconnect()
        super().release(connection)  # type: ignore[no-untyped-call]
        if is_misled:
            self._close_idle(since=now)
        elif now >= self._sweep_at:
            self._sweep_at = now + _SWEEP_SECONDS
            self._close_idle(since=now - _IDLE_SECONDS)

    def _close_idle(self, since: float) -> None:
        taken = []
        with suppress(Empty):
            while True:
                # Nobody else can use one meanwhile; who wants one waits a moment for it.
                taken.append(self.pool.get_nowait())
        for each in reversed(taken):
            if each and each.idle_since <= since:
                each.disconnect()
            self.pool.put_nowait(each)
