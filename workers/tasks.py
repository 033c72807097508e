"""One Celery task for each journey. A duplicate, late or lost task does no harm: only a due record can be claimed."""

from collections.abc import Callable, Iterable
from datetime import timedelta

import structlog
from celery import Celery

from service.journeys.runner import JourneyRunner
from service.records.redis import RecordsUnavailable
from service.records.tasks import TASKS

log = structlog.get_logger()


def register_tasks(app: Celery, runners: Iterable[JourneyRunner], on_end: Callable[[timedelta | None], object]) -> None:
    """Register a task for each journey. `on_end` gets the time until the survey is due again, if it is known."""
    for runner in runners:
        app.task(_task(runner, on_end), name=TASKS[runner.journey], shared=False)


def _task(runner: JourneyRunner, on_end: Callable[[timedelta | None], object]) -> Callable[[str], None]:
    def run(survey_id: str) -> None:
        due_within = None
        try:
            due_within = runner.run(survey_id)
        except RecordsUnavailable as error:
            # A claimed record is due again when its lease ends.
            log.warning("records.unavailable", survey_id=survey_id, problem=str(error))
        except Exception:
            # Celery would log the text of the error, which may quote a customer. The record is due again after its
            # lease.
            log.exception("task.failed", survey_id=survey_id)
        finally:
            on_end(due_within)

    return run
