"""The health of delivery channels, shared by all workers through Redis. A channel is down if its server fails for us.

A failed channel is paused: no offer is made for it. After the pause one survey at a time tries it. Each
further survey that fails in a row doubles the pause. The next try is another survey's, since the problem may be one
customer's own. A survey that still fails after others have succeeded pauses nothing any more.
"""

from datetime import timedelta
from time import monotonic
from typing import Any

import structlog

from service.records.codec import from_ms, to_ms
from service.records.redis import Store

log = structlog.get_logger()

PAUSE = timedelta(minutes=1)
_TRY_WAIT = timedelta(seconds=10)
"""How long the other surveys wait while one tries."""

_MAX_PAUSE = timedelta(minutes=10)

_ENOUGH_IN_A_ROW = 5
"""So many different surveys failing in a row are no chance, even if each failure alone may be about a customer."""

_FORGET_AFTER = timedelta(days=1)
"""Without a failure for so long, nobody has tried the channel."""

_QUIET_SECONDS = 1.0
"""How long a look without a failure counts. A claim makes several, and a pause lasts minutes."""

EVENTS = "events"
"""The channel of the operator's receiver of events. It sends no links."""

_AFTER_ANSWERS = " after an answer"
"""A name of a survey has no spaces, so this is never a survey's own sender, such as `email of answers`."""


def name_receiver(kind: str) -> str:
    """Return the channel of a follow-up action, such as `slack after an answer`. It sends no links."""
    return f"{kind}{_AFTER_ANSWERS}"


class Channels(Store):
    """The health of the channels of links and of follow-up actions."""

    pause = PAUSE

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._quiet_until: dict[str, float] = {}

    def wait(self, channel: str, survey_id: str) -> timedelta | None:
        """Return how long this survey must not use a channel, or None if it may."""
        return self._read_health(channel, survey_id)[1]

    def begin(self, channel: str, survey_id: str) -> timedelta | None:
        """Reserve the next try of a channel that is down. Return the wait if another survey has it, else None."""
        key, lasts_ms = self._pause_key(channel), to_ms(self.pause)
        is_down, wait = self._read_health(channel, survey_id)
        if wait is not None or not is_down:
            return wait
        is_ours = self._run_command(lambda: self._redis.set(key, survey_id, nx=True, px=lasts_ms))
        return None if is_ours else self.wait(channel, survey_id)

    def failed(self, channel: str, survey_id: str, problem: str, *, is_certain: bool = True) -> None:
        """Record a failure. If it may be about the customer (not `is_certain`), several in a row pause the channel."""
        enough, max_pause = 1 if is_certain else _ENOUGH_IN_A_ROW, max(_MAX_PAUSE, self.pause)
        given = (channel, survey_id, problem, enough, self.pause, max_pause, _FORGET_AFTER)
        is_new = self._run_script("channels.failed", self._keys(channel, survey_id), *given)
        self._quiet_until.pop(channel, None)
        if is_new:
            log.error("channel.down", channel=channel, problem=problem)

    def works(self, channel: str, survey_id: str) -> None:
        """Record a successful delivery."""
        if not self._has_failure(channel, survey_id):
            return
        if self._run_script("channels.works", self._keys(channel, survey_id), channel, survey_id, _FORGET_AFTER):
            log.warning("channel.recovered", channel=channel)

    def troubles(self) -> list[str]:
        """Return the time and the problem of each channel in trouble, as sentences."""
        found: dict[str, str] = self._run_command(lambda: self._redis.hgetall(self._down_key))
        return [_describe(channel, *each.split(" ", 1)) for channel, each in sorted(found.items())]

    @property
    def _down_key(self) -> str:
        return f"{self._prefix}channels_down"

    def _read_health(self, channel: str, survey_id: str) -> tuple[bool, timedelta | None]:
        """Return whether a channel is down, and how long this survey must not use it."""
        if not self._has_failure(channel, survey_id):
            return False, None
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.pttl(self._own_pause_key(channel, survey_id))
        pipeline.hget(self._down_key, channel)
        pipeline.get(self._pause_key(channel))
        pipeline.pttl(self._pause_key(channel))
        own_ms, down, whose, left_ms = self._run_command(pipeline.execute)
        is_down = down is not None
        if own_ms > 0:
            return is_down, timedelta(milliseconds=own_ms)
        if not is_down or whose in (None, survey_id):
            return is_down, None
        left = timedelta(milliseconds=max(left_ms, 1))
        return is_down, min(left, _TRY_WAIT) if whose else left

    def _has_failure(self, channel: str, survey_id: str) -> bool:
        """Return whether a failure of this channel is on record, or any channel is down.

        A failure of another process may be noticed a second late.
        """
        now = monotonic()
        if now < self._quiet_until.get(channel, now):
            return False
        if self._run_command(lambda: self._redis.exists(*self._keys(channel, survey_id))):
            return True
        self._quiet_until[channel] = now + _QUIET_SECONDS
        return False

    def _pause_key(self, channel: str) -> str:
        return f"{self._prefix}channel:{channel}:pause"

    def _own_pause_key(self, channel: str, survey_id: str) -> str:
        return f"{self._prefix}channel:{channel}:pause:{survey_id}"

    def _keys(self, channel: str, survey_id: str) -> list[str]:
        own = (f"{self._prefix}channel:{channel}:{name}" for name in ("failing", "alone"))
        return [self._down_key, self._pause_key(channel), *own, self._own_pause_key(channel, survey_id)]


def _describe(channel: str, since_ms: str, problem: str) -> str:
    since = f"{from_ms(since_ms):%Y-%m-%d %H:%M:%S} UTC"
    if channel == EVENTS:
        meanwhile = "Events wait, and are sent for three days. Surveys are not affected"
    elif channel.endswith(_AFTER_ANSWERS):
        meanwhile = "Follow-ups wait, and are retried for a day. Surveys are not affected"
    else:
        meanwhile = "Surveys use their next channel, or wait. One at a time tries this one"
    return f'channel "{channel}" is down since {since}: {problem}. {meanwhile}'
