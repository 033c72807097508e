"""Helpers for a delivered survey, answered by a robot before the customer."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import redis

from service.records.answer_transitions import GivenAnswer
from service.records.codec import to_ms
from service.surveys.definition import Survey
from service.surveys.links import Link
from service.surveys.on_answer import OnAnswer
from tests.harness import AT_ONCE, CSAT, Story

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
NOW = datetime.now(UTC)
"""The import time of this module: a few minutes ago at most."""
LOW = OnAnswer((1, 2), CSAT, note=True, slack=True, webhook=True)
TERMS = replace(AT_ONCE, editable_for=5 * MINUTE, on_answer=(LOW,))


class RobotStory:
    """A delivered survey, with answers of a robot and of the customer."""

    def __init__(self, story: Story, client: redis.Redis) -> None:
        self.story = story
        self._client = client

    def ask(self, terms: Survey = TERMS) -> str:
        survey_id = self.story.begin(terms)
        self.story.run_until(
            self.story.offering, survey_id, lambda record: record.offer.state in ("delivered", "reminding")
        )
        return survey_id

    def answer_as_robot(self, survey_id: str, score: int = 1, comment: str = "", *, at: datetime | None = None) -> str:
        """Save a suspect answer, as after a form sent too soon or with its hidden field filled."""
        record = self.story.load(survey_id)
        link, terms = Link.to(record), record.terms or AT_ONCE
        answer = GivenAnswer(link, terms, {CSAT: score}, comment, "en", is_suspect=True)
        return self.story.records.save_answer(answer, at)

    def answer_as_customer(
        self, survey_id: str, score: int = 5, comment: str = "", *, at: datetime | None = None
    ) -> str:
        return self.story.answer(survey_id, {CSAT: score}, comment, answered_at=at)

    def write_times(self, survey_id: str, **times: datetime) -> None:
        for name, moment in times.items():
            self._client.hset(self.story.records._key(survey_id), name, to_ms(moment))

    def end_editable_time(self, survey_id: str) -> None:
        """End the editable time now."""
        self.write_times(survey_id, answer_due=NOW, follow_up_due=NOW)

    def saved_answer(self, survey_id: str) -> tuple[int, str, bool]:
        record = self.story.load(survey_id)
        assert record.answer
        return record.answered.scores[CSAT], record.answered.comment, record.answer.is_suspect

    def editable_time_left(self, survey_id: str) -> timedelta:
        """Return the remaining editable time."""
        answer = self.story.load(survey_id).answer
        assert answer
        assert answer.due_at
        return answer.due_at - datetime.now(UTC)


def is_about(found: timedelta, wanted: timedelta) -> bool:
    return wanted - MINUTE < found <= wanted
