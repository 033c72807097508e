"""The rate limit of all workers together. Dixa documents 10 requests a second and a burst of 4 for each token.

It is a GCRA with reservations in Redis, shared by all processes. It is the only place where a task waits.

A claim waits at most a second for its first slot, but several seconds for each later one. So while claims that have
begun wait in line, no new ones begin: otherwise each would spend its slots on the same first queries, and none would
finish.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from time import monotonic

import redis
import structlog

from config.failures import describe_failure
from config.settings import Settings
from service.dixa.errors import DixaDown, NoSlot, TokenRefused
from service.dixa.token_check import token_name
from service.surveys.ports import FIRST_SLOT_MAX_WAIT, Deadline, Slot

log = structlog.get_logger()

_PACE = Path(__file__).with_name("pace.lua")
_PAUSE = Path(__file__).with_name("pause.lua")

_MAX_PAUSE_MS = 300_000
_SLACK_MS = 1000

_NEXT_SLOT_MAX_WAIT = timedelta(seconds=5)

_CALL_RESERVE = timedelta(seconds=5)
"""The time of a claim that a wait for a later slot leaves to the call: if a call is cut off, its outcome is unknown."""

_RESERVE_NOTHING = -1


class SharedPace:
    """Hands out slots. `rate` is requests per second of one token; several tokens multiply it."""

    def __init__(
        self,
        client: redis.Redis,
        tokens: Sequence[str],
        *,
        rate: float,
        burst: int,
        wait: Callable[[float], object],
        prefix: str = "afterword:",
    ) -> None:
        self._redis = client
        self._tokens = tuple(tokens)
        self._interval_ms = 1000 / rate
        self._burst = burst
        self._wait = wait
        self._reserve = client.register_script(_PACE.read_text(encoding="utf-8"))
        self._begin_pause = client.register_script(_PAUSE.read_text(encoding="utf-8"))
        self._pause_key = f"{prefix}pace:pause"
        self._prefix = prefix
        self.arrival_keys = arrivals = [self._key_of(token) for token in tokens]
        """The keys of `used_share`."""
        self.rate = rate * len(tokens)
        """Requests per second of all tokens together."""
        self._cooldown_keys = [self._key_of(token, ":cooldown") for token in tokens]
        self._keys = [*arrivals, *self._cooldown_keys, self._pause_key]

    def take_slot(self, deadline: Deadline, max_wait: timedelta, outage_keys: Sequence[str] = ()) -> Slot:
        """Take a slot, waiting for it. `max_wait`, at most a second, applies to the first slot of the deadline's claim.

        Raises NoSlot with the time until the next slot, and also if Redis fails. With the keys of the outage, raises
        DixaDown during one.
        """
        try:
            index, wait_us, _, is_down, has_failed = self._run_pace(_ms(_longest_wait(deadline, max_wait)), outage_keys)
        except redis.RedisError as error:
            raise NoSlot(f"no rate limit without Redis: {describe_failure(error)}", timedelta(seconds=1)) from error
        if is_down:
            raise DixaDown("Dixa is down", timedelta())
        if not index:
            raise NoSlot("the pace is used up", timedelta(microseconds=wait_us))
        deadline.has_begun = True
        if wait_us:
            self._wait(wait_us / 1_000_000)
        return Slot(self._tokens[index - 1], deadline, may_follow_failure=not outage_keys or bool(has_failed))

    def count_free(self, *within: timedelta, outage_keys: Sequence[str] = ()) -> list[int]:
        """Count the free first slots within each of these times, without reserving any. They are 0 if Redis fails.

        With the keys of the outage, raises DixaDown during one.
        """
        try:
            _, wait_us, working, is_down, _ = self._run_pace(_RESERVE_NOTHING, outage_keys)
        except redis.RedisError:
            return [0 for _ in within]
        if is_down:
            raise DixaDown("Dixa is down", timedelta())
        left_ms = [_ms(each) - wait_us / 1000 for each in within]
        return [int(each * working / self._interval_ms) + 1 if each >= 0 else 0 for each in left_ms]

    def used_share(self, arrivals: Sequence[str | None], now: datetime) -> float:
        """Return the used share of the burst of all tokens: 1 if the next call has to wait, more if calls wait in line.

        `arrivals` are the values of `arrival_keys`.
        """
        now_ms, burst_ms = now.timestamp() * 1000, self._burst * self._interval_ms
        used = [max(float(each or 0) - now_ms, 0.0) / burst_ms for each in arrivals]
        return sum(used) / len(used)

    def problem(self) -> str:
        """Name the tokens refused by Dixa, for an operator. Empty if there are none."""
        try:
            problems = self._redis.mget([self._key_of(each, ":problem") for each in self._tokens])
        except redis.RedisError:
            return ""
        return " ".join(str(each) for each in problems if each)

    def cooldown(self) -> tuple[str, timedelta] | None:
        """Return the problem and the time left if all tokens are in a cooldown."""
        try:
            left_ms = min(int(self._redis.pttl(key)) for key in self._cooldown_keys)
        except redis.RedisError:
            return None
        problem = self.problem() if left_ms > 0 else ""
        return (problem, timedelta(milliseconds=left_ms)) if problem else None

    def pause(self, length: timedelta) -> None:
        """Pause all tokens after a 429. A longer pause already set stays."""
        self._pause(self._pause_key, length)

    def cool_down(self, token: str, length: timedelta, problem: str) -> str:
        """Begin the cooldown of a token refused by Dixa, and return the problem for an operator."""
        named = self.name_token(token, problem)
        log.error("dixa.token_refused", problem=named)
        self._pause(self._key_of(token, ":cooldown"), length)
        with suppress(redis.RedisError):
            self._redis.set(self._key_of(token, ":problem"), named, px=2 * _pause_ms(length))
        return named

    def name_token(self, token: str, problem: str) -> str:
        """Add the token's position in the setting to a problem."""
        if len(self._tokens) == 1 or token not in self._tokens:
            return f"{problem}: is DIXA_API_TOKEN right?"
        return f"{problem} to token {self._tokens.index(token) + 1} of DIXA_API_TOKEN: is it right?"

    def _run_pace(self, max_wait_ms: float, outage_keys: Sequence[str] = ()) -> Sequence[int]:
        limits = [_MAX_PAUSE_MS, _ms(_NEXT_SLOT_MAX_WAIT), _SLACK_MS]
        found: Sequence[int] = self._reserve(
            keys=[*self._keys, *outage_keys],
            args=[len(self._tokens), self._interval_ms, self._burst, max_wait_ms, *limits],
        )
        return found

    def _key_of(self, token: str, ending: str = "") -> str:
        return f"{self._prefix}pace:{token_name(token)}{ending}"

    def _pause(self, key: str, length: timedelta) -> None:
        # If Redis fails here, the next call is refused as well and begins the pause.
        with suppress(redis.RedisError):
            self._begin_pause(keys=[key], args=[_pause_ms(length), _MAX_PAUSE_MS])


def _ms(length: timedelta) -> float:
    return length / timedelta(milliseconds=1)


def _pause_ms(length: timedelta) -> int:
    return max(min(int(_ms(length)), _MAX_PAUSE_MS), 1)


def _longest_wait(deadline: Deadline, max_wait: timedelta) -> timedelta:
    """Return the longest acceptable wait for a slot."""
    left = timedelta(seconds=deadline.remaining())
    if deadline.has_begun:
        return min(max(FIRST_SLOT_MAX_WAIT, min(_NEXT_SLOT_MAX_WAIT, left - _CALL_RESERVE)), left)
    return min(max_wait, FIRST_SLOT_MAX_WAIT, left)


class ObserverPace:
    """The shared rate limit for read-only commands. Refused calls pause the command itself and nobody else.

    Its token may differ from the workers', and it makes other calls than workers do.
    """

    def __init__(self, shared: SharedPace) -> None:
        self._shared = shared
        self._paused_until = 0.0

    def take_slot(self, deadline: Deadline, max_wait: timedelta, outage_keys: Sequence[str] = ()) -> Slot:
        """Take a slot. Raises NoSlot, or TokenRefused with the reason while all tokens are in a cooldown."""
        left = self._paused_until - monotonic()
        if left > 0:
            raise NoSlot("Dixa wants a pause", timedelta(seconds=left))
        try:
            return self._shared.take_slot(deadline, max_wait, outage_keys)
        except NoSlot as error:
            if (cooldown := self._shared.cooldown()) is None:
                raise
            problem, wait = cooldown
            raise TokenRefused(f"{problem} Everybody waits for another {wait.total_seconds():.0f} s", wait) from error

    def cool_down(self, token: str, length: timedelta, problem: str) -> str:
        """Pause this command alone, and return the problem for an operator."""
        self.pause(length)
        return self._shared.name_token(token, problem)

    def pause(self, length: timedelta) -> None:
        """Pause this command alone."""
        self._paused_until = max(self._paused_until, monotonic() + length.total_seconds())


def open_pace(settings: Settings, client: redis.Redis) -> SharedPace:
    """Make the rate limit shared by all processes through Redis."""
    return SharedPace(
        client,
        settings.dixa_api_tokens,
        rate=settings.dixa_pace.rate,
        burst=settings.dixa_pace.burst,
        wait=Event().wait,
    )
