"""The Celery tasks, one a journey. A duplicate, late or lost one changes nothing: the record is claimed or left."""

from collections.abc import Callable

import structlog
from celery import Celery

from service.journeys.runner import Traveller
from service.queue import TASKS
from service.records.redis import RecordsUnavailable

log = structlog.get_logger()


def register_tasks(app: Celery, *travellers: Traveller) -> None:
    """Give the app a task for each journey."""
    for traveller in travellers:
        app.task(_task(traveller), name=TASKS[traveller.journey], shared=False)


def _task(traveller: Traveller) -> Callable[[str], None]:
    def travel(survey_id: str) -> None:
        try:
            traveller.travel(survey_id)
        except RecordsUnavailable as error:
            # What was claimed comes due again when its lease is over.
            log.warning("records.unavailable", survey_id=survey_id, problem=str(error))
        except Exception:
            # Celery would log its text. What was claimed comes due again here, too.
            log.exception("task.failed", survey_id=survey_id)

    return travel
