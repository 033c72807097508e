"""One Celery task for each journey. A duplicate, late or lost task does no harm: only a due record can be claimed."""

from collections.abc import Callable

import structlog
from celery import Celery

from service.journeys.runner import JourneyRunner
from service.queue import TASKS
from service.records.redis import RecordsUnavailable

log = structlog.get_logger()


def register_tasks(app: Celery, *runners: JourneyRunner) -> None:
    """Register a task for each journey."""
    for runner in runners:
        app.task(_task(runner), name=TASKS[runner.journey], shared=False)


def _task(runner: JourneyRunner) -> Callable[[str], None]:
    def run(survey_id: str) -> None:
        try:
            runner.run(survey_id)
        except RecordsUnavailable as error:
            # A claimed record is due again when its lease ends.
            log.warning("records.unavailable", survey_id=survey_id, problem=str(error))
        except Exception:
            # Celery would log the text of the error, which may quote a customer. The record is due again after its
            # lease.
            log.exception("task.failed", survey_id=survey_id)

    return run
