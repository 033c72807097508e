"""Auto-pipelining: commands of concurrent requests share round trips to Redis.

A web process handles many requests at once, each with a command or two. Sent one by one, they cost a system call and a
switch of greenlets each, which is more than their work. As with ioredis or Lettuce, here the commands gather while a
round trip is under way, and go together in the next one. A command that is alone is sent at once.
"""

from collections.abc import Sequence
from threading import Lock
from typing import Any

import redis

from service.records.confirmation import ConfirmingRedis


class _Command:
    """A command, its thread, and its response or error."""

    def __init__(self, args: tuple[Any, ...], options: dict[str, Any], *, confirm: bool) -> None:
        self.args = args
        self.options = options
        self.confirm = confirm
        """Whether replicas have to confirm it."""
        self.response: Any = redis.ConnectionError("interrupted before the response")
        self.woken = Lock()
        """Locked while the thread waits for the response, or for its turn to send."""
        self.woken.acquire()


class AutoPipeliningRedis(ConfirmingRedis):
    """A client for many concurrent requests. Each command gets its own response or error.

    If a round trip fails, the commands that have gathered meanwhile fail with it: Redis can't be reached. The pipelines
    that `pipeline` opens have round trips of their own. One `WAIT` confirms all commands of a round trip.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._lock = Lock()
        self._gathered: list[_Command] = []
        self._sender: _Command | None = None
        """The command whose thread sends, or is woken to send. Without one nothing is gathered."""
        super().__init__(*args, **kwargs)
        self._encode = self.get_encoder().encode

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command with others, and return its response."""
        return self._send(args, options, confirm=False)

    def run_confirmed(self, *command: Any) -> Any:
        """Send a command with others, and return its response once the replicas have it. Raises Unconfirmed."""
        return self._send(command, {}, confirm=self.replicas > 0)

    def _send(self, args: tuple[Any, ...], options: dict[str, Any], *, confirm: bool) -> Any:
        # An argument that can't be sent fails here, not in another thread.
        command = _Command((args[0], *map(self._encode, args[1:])), options, confirm=confirm)
        try:
            with self._lock:
                self._gathered.append(command)
                if self._sender is None:
                    self._choose_sender()
            command.woken.acquire()
            if self._sender is command:
                self._send_gathered()
        finally:
            with self._lock:
                # Its thread may have been ended while it waited.
                if command in self._gathered:
                    self._gathered.remove(command)
                if self._sender is command:
                    self._choose_sender()
        if isinstance(command.response, Exception):
            raise command.response
        return command.response

    def _choose_sender(self) -> None:
        self._sender = self._gathered[0] if self._gathered else None
        if self._sender:
            self._sender.woken.release()

    def _send_gathered(self) -> None:
        batch = self._take_gathered()
        try:
            for command, response in zip(batch, self._round_trip(batch), strict=True):
                command.response = response
        except Exception as error:  # noqa: BLE001 - each command raises it in its own thread
            batch += self._take_gathered()
            for command in batch:
                command.response = error
        finally:
            for command in batch:
                if command is not self._sender:
                    command.woken.release()

    def _take_gathered(self) -> list[_Command]:
        with self._lock:
            taken, self._gathered = self._gathered, []
        return taken

    def _round_trip(self, batch: Sequence[_Command]) -> Sequence[Any]:
        to_confirm = [each for each in batch if each.confirm]
        if len(batch) == 1 and not to_confirm:
            try:
                return [super().execute_command(*batch[0].args, **batch[0].options)]  # type: ignore[no-untyped-call]
            except redis.ResponseError as error:
                return [error]
        pipeline = self.pipeline(transaction=False)
        for command in batch:
            pipeline.execute_command(*command.args, **command.options)  # type: ignore[no-untyped-call]
        if not to_confirm:
            return pipeline.execute(raise_on_error=False)
        self._ask_replicas(pipeline)
        responses = pipeline.execute(raise_on_error=False)
        found, asked = responses[: len(batch)], responses[len(batch) :]
        confirmed = self._confirm(found, asked)
        return [confirmed[place] if each.confirm else found[place] for place, each in enumerate(batch)]
