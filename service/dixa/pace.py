"""The pace at which all workers together ask Dixa: 10 requests a second and a burst of 4 for each token.

The numbers are those of Dixa's API documentation.

One GCRA with reservation in Redis, shared by every process. No task waits anywhere else.

No more claims are begun than the pace carries to their end: a claim waits for its first slot for a second at most, and
for each further one, once it has begun, for several. So nobody new begins while those that have begun are in line.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from threading import Event
from time import monotonic

import redis
import structlog

from config.failures import describe_failure
from config.settings import Settings
from service.dixa.errors import NoSlot, TokenRefused
from service.dixa.token_check import token_name
from service.surveys.ports import Deadline, Slot

log = structlog.get_logger()

_PACE = Path(__file__).with_name("pace.lua")
_PAUSE = Path(__file__).with_name("pause.lua")
_LONGEST_PAUSE = timedelta(minutes=5)

_BEGIN_SECONDS = 1.0
"""The longest wait for a first slot."""

_GO_ON_SECONDS = 5.0
"""The longest wait for a further one. `pace.lua` knows it as LONGEST_WAIT."""

_CALL_SECONDS = 5.0
"""What a wait for a further slot leaves of a claim's time: a call that is cut off may have happened."""

_ONLY_LOOK = -1
"""A wait that no slot has: nothing is reserved."""


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
        self._hold = client.register_script(_PAUSE.read_text(encoding="utf-8"))
        self._pause_key = f"{prefix}pace:pause"
        self._prefix = prefix
        arrivals = [self._key_of(token) for token in tokens]
        self._token_pauses = [self._key_of(token, ":pause") for token in tokens]
        self._keys = [*arrivals, *self._token_pauses, self._pause_key]

    def take_slot(self, deadline: Deadline, max_wait: timedelta) -> Slot:
        """Wait for a turn, at most `max_wait` (itself at most a second); longer if the deadline's claim has begun.

        Raises NoSlot with the time until there is one, also when Redis can't be asked.
        """
        longest_ms = _longest_wait(deadline, max_wait) * 1000
        try:
            index, wait_us, _ = self._reserve(keys=self._keys, args=[self._interval_ms, self._burst, longest_ms])
        except redis.RedisError as error:
            raise NoSlot(f"the pace can't be asked: {describe_failure(error)}", timedelta(seconds=1)) from error
        if not index:
            raise NoSlot("the pace is used up", timedelta(microseconds=wait_us))
        deadline.has_begun = True
        if wait_us:
            self._wait(wait_us / 1_000_000)
        return Slot(self._tokens[index - 1], deadline)

    def count_free(self, within: timedelta) -> int:
        """Count the first slots that are free within this time, and reserve none; 0 when Redis can't be asked."""
        try:
            _, wait_us, working = self._reserve(keys=self._keys, args=[self._interval_ms, self._burst, _ONLY_LOOK])
        except redis.RedisError:
            return 0
        left_ms = within / timedelta(milliseconds=1) - wait_us / 1000
        return int(left_ms * working / self._interval_ms) + 1 if left_ms >= 0 else 0

    def trouble(self) -> str:
        """Name the tokens that Dixa refuses; empty if there are none."""
        try:
            troubles = self._redis.mget([self._key_of(each, ":trouble") for each in self._tokens])
        except redis.RedisError:
            return ""
        return " ".join(str(each) for each in troubles if each)

    def held(self) -> tuple[str, timedelta] | None:
        """Say why everybody is held back now, and for how long, if that is an operator's to mend."""
        try:
            left_ms = min(int(self._redis.pttl(key)) for key in self._token_pauses)
        except redis.RedisError:
            return None
        trouble = self.problem() if left_ms > 0 else ""
        return (trouble, timedelta(milliseconds=left_ms)) if trouble else None

    def pause(self, length: timedelta) -> None:
        """Hold everybody back: Dixa has answered 429. A longer pause that is on stays."""
        self._hold_back(self._pause_key, length)

    def refuse(self, token: str, length: timedelta, problem: str) -> str:
        """Hold back one token, which Dixa refuses, and return what an operator has to mend."""
        trouble = self.name_trouble(token, problem)
        log.error("dixa.token_refused", problem=trouble)
        self._hold_back(self._key_of(token, ":pause"), length)
        with suppress(redis.RedisError):
            self._redis.set(self._key_of(token, ":trouble"), trouble, px=2 * _pause_ms(length))
        return trouble

    def name_trouble(self, token: str, problem: str) -> str:
        """Say which token is refused, by its place in the setting."""
        if len(self._tokens) == 1 or token not in self._tokens:
            return f"{problem}: is DIXA_API_TOKEN right?"
        return f"{problem} to token {self._tokens.index(token) + 1} of DIXA_API_TOKEN: is it right?"

    def _key_of(self, token: str, ending: str = "") -> str:
        return f"{self._prefix}pace:{token_name(token)}{ending}"

    def _hold_back(self, key: str, length: timedelta) -> None:
        # If Redis fails, the next call is refused as well, and asks for the pause again.
        with suppress(redis.RedisError):
            self._hold(keys=[key], args=[_pause_ms(length)])


def _pause_ms(length: timedelta) -> int:
    return max(min(length, _LONGEST_PAUSE) // timedelta(milliseconds=1), 1)


def _longest_wait(deadline: Deadline, max_wait: timedelta) -> float:
    """Say for how many seconds a slot may be waited for."""
    left = deadline.remaining()
    if deadline.has_begun:
        return min(max(_BEGIN_SECONDS, min(_GO_ON_SECONDS, left - _CALL_SECONDS)), left)
    return min(max_wait.total_seconds(), _BEGIN_SECONDS, left)


class ObserverPace:
    """The turns of everybody, for a command that only looks: what Dixa says to it holds back nobody else.

    Its token may be another one than the workers', and it may ask what they never ask.
    """

    def __init__(self, shared: SharedPace) -> None:
        self._shared = shared
        self._held_until = 0.0

    def take_slot(self, deadline: Deadline, max_wait: timedelta) -> Slot:
        """Wait for a turn. Raises NoSlot, or TokenRefused with the reason while everybody is held back by one."""
        left = self._held_until - monotonic()
        if left > 0:
            raise NoSlot("Dixa wants a pause", timedelta(seconds=left))
        try:
            return self._shared.take_slot(deadline, max_wait)
        except NoSlot as error:
            if (held := self._shared.cooldown()) is None:
                raise
            trouble, wait = held
            raise TokenRefused(f"{trouble} Everybody waits for another {wait.total_seconds():.0f} s", wait) from error

    def refuse(self, token: str, length: timedelta, problem: str) -> str:
        """Hold back this command alone, and return what is to be mended."""
        self.pause(length)
        return self._shared.name_trouble(token, problem)

    def pause(self, length: timedelta) -> None:
        """Hold back this command alone."""
        self._held_until = max(self._held_until, monotonic() + length.total_seconds())


def open_pace(settings: Settings, client: redis.Redis) -> SharedPace:
    """Make the pace that all processes share through Redis."""
    return SharedPace(
        client,
        settings.dixa_api_tokens,
        rate=settings.dixa_pace.rate,
        burst=settings.dixa_pace.burst,
        wait=Event().wait,
    )
