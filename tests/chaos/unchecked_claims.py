"""The control of row 14: a worker without admission control. It begins all due work. `python -m` runs it.

Its pace has a wait of one second for every slot, so a claim that has begun has no better chance than a new one.
"""

from collections.abc import Sequence
from datetime import timedelta

from service.dixa import pace
from service.surveys.ports import Deadline


def wait_a_second(deadline: Deadline, max_wait: timedelta) -> timedelta:
    return min(timedelta(seconds=1), timedelta(seconds=deadline.remaining()))


def count_all(self: pace.SharedPace, *within: timedelta, outage_keys: Sequence[str] = ()) -> list[int]:
    return [1_000_000 for _ in within]


pace._longest_wait = wait_a_second
pace.SharedPace.count_free = count_all  # type: ignore[method-assign]

import workers.__main__  # noqa: E402, F401
