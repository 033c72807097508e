"""The queue of tasks for the workers: its key, and its messages.

The scripts write a message as a list of two texts, the journey and the survey id, in JSON: `["offer", "48201"]`.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from service.surveys.states import Journey

QUEUE: Final = "tasks"
"""The key of the queue, after the prefix."""

_NAMES = frozenset(Journey)
_MAX_ID_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Quota:
    """How many surveys of a journey may be queued: `most`, and no more than make `free` tasks wait in the queue.

    `least` may be queued in spite of that, if there is room.
    """

    journey: Journey
    free: int
    most: int
    least: int = 0


@dataclass(frozen=True, slots=True)
class Relayed:
    """The tasks queued, all tasks waiting then, whether due surveys are left, and when the next one will be due."""

    queued: int
    waiting: int
    is_more: bool
    next_due: timedelta | None


class NotATaskError(Exception):
    """The message is no task of ours."""


def read_task(message: Any) -> tuple[Journey, str]:
    """Return the journey and the survey id of a decoded message. Raises NotATaskError."""
    match message:
        case [str(name), str(survey_id)] if name in _NAMES and len(survey_id) <= _MAX_ID_LENGTH:
            return Journey(name), survey_id
    raise NotATaskError
