"""The queue of tasks for the workers: its key, and its messages.

The scripts write the messages (`task_of` in record.lua), in Celery's format: protocol 2, as kombu keeps it in Redis.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from service.surveys.states import Journey

QUEUE: Final = "tasks"
"""The name of the queue for Celery, and its key after the prefix."""

TASKS: Final = {journey: f"afterword.{journey}" for journey in Journey}
"""The names of the tasks for Celery."""

_JOURNEYS = {task: journey for journey, task in TASKS.items()}
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


def write_task(journey: Journey, survey_id: str, task_id: str) -> dict[str, Any]:
    """Return the message of a task, as `task_of` in record.lua writes it."""
    return {
        "body": json.dumps([[survey_id], {}, {}]),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"lang": "py", "task": TASKS[journey], "id": task_id, "root_id": task_id},
        "properties": {"delivery_tag": task_id, "delivery_info": {"exchange": "", "routing_key": QUEUE}},
    }


def read_task(message: Any) -> tuple[Journey, str]:
    """Return the journey and the survey id of a decoded message, and ignore all else. Raises NotATaskError."""
    try:
        journey = _JOURNEYS[message["headers"]["task"]]
        ((survey_id,), *_) = json.loads(message["body"])
    except (ValueError, TypeError, LookupError, RecursionError):
        raise NotATaskError from None
    if not isinstance(survey_id, str) or len(survey_id) > _MAX_ID_LENGTH:
        raise NotATaskError
    return journey, survey_id
