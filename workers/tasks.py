"""The Celery tasks, one a journey. A duplicate, late or lost one changes nothing: the record is claimed or left."""

from collections.abc import Callable

import structlog
from celery import Celery

from service.journeys.runner import JourneyRunner
from service.queue import TASKS
from service.records.redis import RecordsUnavailable

log = structlog.get_logger()


def register_tasks(app: Celery, *runners: JourneyRunner) -> None:
    """Give the app a task for each journey."""
    for runner in runners:
        app.task(_task(runner), name=TASKS[runner.journey], shared=False)


def _task(runner: JourneyRunner) -> Callable[[str], None]:
    def run(survey_id: str) -> None:
        try:
            runner.run(survey_id)
        except RecordsUnavailable as error:
            # What was claimed comes due again when its lease is over.
            log.warning("records.unavailable", survey_id=survey_id, problem=str(error))
        except Exception:
            # Celery would log its text. What was claimed comes due again here, too.
            log.exception("task.failed", survey_id=survey_id)

    return run
