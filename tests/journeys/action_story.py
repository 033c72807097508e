"""Helpers for surveys with every kind of action, and for the receivers of these actions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import redis

from config.endpoints import SignedEndpoint
from service.delivery.note import AnswerNote
from service.delivery.slack import SlackAlert
from service.delivery.tag import AnswerTag
from service.delivery.webhook import AnswerWebhook
from service.sandbox.server import Sandbox
from service.surveys.definition import Survey
from service.surveys.model import ActionProgress, Claim, Record
from service.surveys.on_answer import OnAnswer
from service.surveys.ports import Action
from service.surveys.ratings import RatingType
from service.surveys.states import ActionState, Journey
from tests.harness import AT_ONCE, CSAT, Story, open_client
from tests.receiver import SECRET, Receiver

LOW = OnAnswer((1, 2), CSAT, note=True, tag="angry", slack=True, webhook=True)
TERMS = replace(AT_ONCE, on_answer=(LOW,))
EDITABLE = replace(TERMS, editable_for=timedelta(days=1))
ALL = {"note", "slack", "tag:angry", "webhook"}


class ActionStory:
    """The journeys with actions and their receivers."""

    def __init__(self, client: redis.Redis, prefix: str, dixa: Sandbox, receiver: Receiver) -> None:
        calls = open_client(dixa, client, prefix)
        actions: list[Action] = [
            AnswerNote(calls),
            AnswerTag(calls),
            SlackAlert(f"{receiver.url}/slack"),
            AnswerWebhook(SignedEndpoint(f"{receiver.url}/answer", SECRET)),
        ]
        self.story = Story(client, prefix, dixa, actions=actions)
        self.calls = calls
        self.dixa = dixa
        self.receiver = receiver
        self._client = client
        self._prefix = prefix
        dixa.state.tag("angry")

    def ask(self, terms: Survey = TERMS) -> str:
        survey_id = self.story.begin(terms)
        self.story.ask(survey_id)
        return survey_id

    def answered(self, score: int = 1, comment: str = "", terms: Survey = TERMS) -> str:
        """Send a survey, answer it and submit the result."""
        survey_id = self.ask(terms)
        self.story.answer(survey_id, {CSAT: score}, comment)
        self.story.submit(survey_id)
        return survey_id

    def follow(self, survey_id: str) -> Record:
        return self.story.follow(survey_id)

    def run_once(self, survey_id: str) -> Record:
        """Let a worker claim the follow-up once."""
        self.story.following.run(survey_id)
        return self.story.load(survey_id)

    def claim(self, survey_id: str) -> Claim:
        found = self.story.records.claim(Journey.FOLLOW_UP, survey_id)
        assert found
        return found

    def begin_and_crash(
        self, survey_id: str, action: str, sent_scores: Mapping[RatingType, int] | None = None
    ) -> Record:
        """Record an action as begun, end the lease, and return the record as claimed."""
        claim = self.claim(survey_id)
        assert self.story.records.set_action(claim, action, ActionState.BEGUN, sent_scores=sent_scores)
        self.put(survey_id, follow_up_lease="0", follow_up_due="0")
        return claim.record

    def retry(self, survey_id: str) -> Record:
        """Retry the failed actions, as an operator does."""
        assert self.story.records.retry(Journey.FOLLOW_UP, survey_id) == "retried"
        return self.follow(survey_id)

    def alerted(self, terms: Survey, scores: Sequence[int] = (1,), comment: str = "") -> str:
        """Answer once or more. Immediate actions run each time."""
        survey_id = self.ask(terms)
        for score in scores:
            self.story.answer(survey_id, {CSAT: score}, comment)
            self.run_once(survey_id)
        return survey_id

    def end_editable_time(self, survey_id: str) -> None:
        self.put(survey_id, answer_due="0")
        self.story.submit(survey_id)
        self.put(survey_id, follow_up_due="0")

    def finish(self, survey_id: str) -> Record:
        """End the editable time, submit the result and run the follow-up."""
        self.end_editable_time(survey_id)
        return self.follow(survey_id)

    def alerts(self) -> list[str]:
        """Return the texts of the alerts."""
        return [post.body["text"] for post in self.receiver.taken("/slack")]

    def put(self, survey_id: str, **fields: str) -> None:
        for name, value in fields.items():
            self._client.hset(f"{self._prefix}survey:{survey_id}", name, value)

    def fields(self, survey_id: str) -> dict[str, str]:
        return self._client.hgetall(f"{self._prefix}survey:{survey_id}")  # type: ignore[return-value]

    def kept_comment_ttl_ms(self, survey_id: str) -> int:
        """Return the remaining time of the comment kept for a retry, negative without one."""
        return self._client.pttl(f"{self._prefix}retry:{survey_id}:comment")

    def delete_kept_comment(self, survey_id: str) -> None:
        """Delete the comment kept for a retry, as Redis does in time."""
        assert self._client.delete(f"{self._prefix}retry:{survey_id}:comment")

    def counts(self, survey_id: str) -> dict[str, int]:
        """Return how often each action was executed."""
        number = int(survey_id)
        return {
            "note": sum("answered the survey" in each.message for each in self.dixa.notes(number)),
            "slack": len(self.receiver.taken("/slack")),
            "tag:angry": [tag.name for tag in self.dixa.conversation(number).tags].count("angry"),
            "webhook": len({post.id for post in self.receiver.taken("/answer")}),
        }


def states(record: Record) -> dict[str, ActionState]:
    assert record.follow_up
    return {name: each.state for name, each in record.follow_up.actions.items()}


def action_of(record: Record, name: str) -> ActionProgress:
    assert record.follow_up
    return record.follow_up.actions[name]
