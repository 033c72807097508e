"""The connection pool for both of our Redis clients, redis-py and kombu: small, and with a retry for stale connections.

An idle connection may be useless: a NAT has dropped it, or its server was demoted in a failover. A command that fails
on one is retried once on a new connection, and the host's name is resolved again for that.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import inf
from queue import Empty
from time import monotonic
from typing import Any, Protocol

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
"""Of one pool. A command takes a millisecond and a thread sends few, so many threads can share them."""
WAIT_SECONDS = 5.0
"""How long a command waits for a free connection."""
WEB_CONNECTIONS = 2
"""The maximum of a web process: its commands share one (`service.records.auto_pipelining`), and pipelines have one."""
WORKER_CONNECTIONS = MAX_CONNECTIONS + 3
"""The maximum of a worker: its pool, two to receive tasks, one to report the process."""
USUAL_CONNECTIONS = 2 * WEB_CONNECTIONS + WORKER_CONNECTIONS
"""The maximum of all processes in the Procfile."""
_IDLE_SECONDS = 30.0
"""How long a connection may be idle before it is closed. Many NATs drop one after a minute."""

_UNACKNOWLEDGED_MS = 2000
"""How long the kernel sends data again that gets no acknowledgement. A command has failed by then.

Otherwise it would go on for minutes, even after the connection is closed: once a network works again, an answer would
arrive that the customer may have changed since.
"""
_TCP_OPTIONS = {option: _UNACKNOWLEDGED_MS for option in [getattr(socket, "TCP_USER_TIMEOUT", None)] if option}
"""Only Linux has this option."""

_SWEEP_SECONDS = 5.0
_FRESH_SECONDS = 1.0
"""How long after its last use a connection is taken without a look whether the server has closed it."""

_NOT_PRIMARY_ERRORS = (ReadOnlyError, BusyLoadingError, ClusterDownError)  # MASTERDOWN is a ClusterDownError
_NOT_PRIMARY_TEXTS = ("-READONLY", "UNBLOCKED")
"""Before Redis 7, the error of a script only quotes its cause. A blocked command gets UNBLOCKED at a demotion."""


class Primary(Protocol):
    """Knows the address of the primary."""

    moves: int
    """How often the address has changed so far."""

    def find(self) -> tuple[str, int]:
        """Return the host and the port. Raises redis-py's ConnectionError."""


class ConnectionOutdatedError(ConnectionError):
    """A connection that has worked before failed. A new one may work."""


class _StaleAware:
    """Detects stale connections. `Pool` mixes it into the connection classes of redis-py."""

    has_served = False
    """Whether it was returned to the pool connected, and hasn't been closed since."""
    is_demoted = False
    """Whether its server has responded that it is not the primary, or still loading."""
    idle_since = -_FRESH_SECONDS
    """When it was last returned to the pool."""

    def can_read(self, *args: Any, **kwargs: Any) -> bool:
        if monotonic() - self.idle_since < _FRESH_SECONDS:
            return False
        found: bool = super().can_read(*args, **kwargs)  # type: ignore[misc]
        return found

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
            if _is_not_primary(error):
                self.is_demoted = True
                if has_served:
                    self.disconnect()
                # Otherwise the pool closes it on release. redis-py reads the responses of a transaction one by one:
                # after an error it goes on to read the rest, and a connection closed here would raise AttributeError.
            elif isinstance(error, ResponseError):
                raise
            if has_served:
                raise ConnectionOutdatedError(str(error)) from error
            raise


class _FollowsPrimary:
    """Connects to the primary of that moment.

    redis-py has such a class, but it only finds the primary in `connect`, and not when a command is sent again.
    """

    def __init__(self, *, primary: Primary, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._primary = primary

    def connect_check_health(self, *args: Any, **kwargs: Any) -> None:
        if not self.is_connected:  # type: ignore[attr-defined]
            self.host, self.port = self._primary.find()
        super().connect_check_health(*args, **kwargs)  # type: ignore[misc]


def _is_not_primary(error: Exception) -> bool:
    return isinstance(error, _NOT_PRIMARY_ERRORS) or any(each in str(error) for each in _NOT_PRIMARY_TEXTS)


class Pool(BlockingConnectionPool):
    """A few connections that commands wait for. Under gevent its queue is patched: a wait blocks one greenlet only.

    With `primary`, they lead to the primary that it finds, whatever their host and port are.
    """

    def __init__(
        self,
        connection_class: type = Connection,
        max_connections: int = MAX_CONNECTIONS,
        timeout: float = WAIT_SECONDS,
        primary: Primary | None = None,
        **kwargs: Any,
    ) -> None:
        self._sweep_at = monotonic()
        self._primary = primary
        self._moves = 0
        self.switched_at = -inf
        """When it last turned out that another server is the primary."""
        found: dict[str, Any] = {"primary": primary} if primary else {}
        if issubclass(connection_class, Connection):  # Not for the file of a socket.
            kwargs |= {"socket_keepalive": True, "socket_keepalive_options": _TCP_OPTIONS}
        follows = (_FollowsPrimary,) if primary else ()
        super().__init__(  # type: ignore[no-untyped-call]
            max_connections,
            timeout,
            type(connection_class.__name__, (_StaleAware, *follows, connection_class), {}),
            retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionOutdatedError,)),
            # Only Redis Enterprise sends maintenance notifications. With them enabled, redis-py no longer notices that
            # a server has closed an idle connection.
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
            **found,
            **kwargs,
        )

    def release(self, connection: Any) -> None:
        """Return a connection. If its server was demoted, close all others too: they lead to the same server."""
        is_demoted, connection.is_demoted = connection.is_demoted, False
        if is_demoted:
            connection.disconnect()
        is_switched = is_demoted or self._has_moved()
        connection.has_served = connection.is_connected
        connection.idle_since = now = monotonic()
        if is_switched:
            self.switched_at = now
            for each in self._get_in_use_connections() - {connection}:  # type: ignore[no-untyped-call]
                each.mark_for_reconnect()
        super().release(connection)  # type: ignore[no-untyped-call]
        if is_switched:
            self._close_idle(since=now)
        elif now >= self._sweep_at:
            self._sweep_at = now + _SWEEP_SECONDS
            self._close_idle(since=now - _IDLE_SECONDS)

    def doubt_primary(self) -> None:
        """Find the primary again at the next command. This one seems to be cut off."""
        if self._primary:
            self._close_idle(since=monotonic())

    def _has_moved(self) -> bool:
        """Return whether the address of the primary has changed since the last call."""
        before, self._moves = self._moves, self._primary.moves if self._primary else 0
        return before != self._moves

    def _close_idle(self, since: float) -> None:
        taken = []
        with suppress(Empty):
            while True:
                # While a connection is out of the queue, no command can use it. A command that needs one waits for a
                # moment.
                taken.append(self.pool.get_nowait())
        for each in reversed(taken):
            if each and each.idle_since <= since:
                each.disconnect()
            self.pool.put_nowait(each)
