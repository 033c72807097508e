"""Confirmed writes: REDIS_REPLICAS replicas have them, so a failover doesn't undo them.

`WAIT` follows the write in the same round trip. Replication is one ordered stream, so a confirmed write also confirms
every write before it, by whatever client.
"""

from collections.abc import Sequence
from typing import Any, Final

import redis
from redis.client import Pipeline

from service.records.redis_pool import Pool

WAIT_MS: Final = 500
"""How long a write waits for the replicas. Less than the timeout of a response."""
_KEY: Final = "afterword:confirm"
_KEY_MS: Final = 1000


class Unconfirmed(redis.RedisError):
    """The primary has the write, and too few replicas have it. `response` is that of the write."""

    def __init__(self, count: int, replicas: int, response: Any) -> None:
        super().__init__(
            f"REDIS_REPLICAS is {replicas}, and the replicas that have confirmed the write in time: {count}"
        )
        self.response = response


def replicas_of(client: redis.Redis) -> int:
    """Return how many replicas have to confirm the writes of a client."""
    return client.replicas if isinstance(client, ConfirmingRedis) else 0


class ConfirmingRedis(redis.Redis):
    """A client whose `run_confirmed` waits for `replicas` replicas. With 0 it doesn't wait."""

    replicas = 0
    is_unconfirmed = False
    """Whether the replicas have not confirmed the latest write."""

    def run_confirmed(self, *command: Any) -> Any:
        """Run a command that writes. Return its response once the replicas have the write. Raises Unconfirmed."""
        if not self.replicas:
            return self.execute_command(*command)  # type: ignore[no-untyped-call]
        pipeline = self.pipeline(transaction=False)
        pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
        self._ask_replicas(pipeline)
        response, *asked = pipeline.execute(raise_on_error=False)
        (confirmed,) = self._confirm([response], asked)
        if isinstance(confirmed, Exception):
            raise confirmed
        return confirmed

    def _ask_replicas(self, pipeline: Pipeline) -> None:
        # WAIT is about the latest write of this connection. A transition that was done before writes nothing, and the
        # replicas may lack what it has found. So there is always a write.
        pipeline.set(_KEY, 1, px=_KEY_MS)
        pipeline.wait(self.replicas, WAIT_MS)

    def _confirm(self, responses: Sequence[Any], asked: Sequence[Any]) -> list[Any]:
        """Return the responses of writes, each replaced by an error if it isn't confirmed."""
        *_, count = asked
        errors = [each for each in asked if isinstance(each, Exception)]
        self.is_unconfirmed = bool(errors) or count < self.replicas
        if not self.is_unconfirmed:
            return [*responses]
        if isinstance(self.connection_pool, Pool):
            self.connection_pool.doubt_primary()
        return [
            each if isinstance(each, Exception) else errors[0] if errors else Unconfirmed(count, self.replicas, each)
            for each in responses
        ]
