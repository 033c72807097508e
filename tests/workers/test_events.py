"""Events reach the receiver at least once, with the same id, in order, and never delay anything else."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from config.endpoints import SignedEndpoint
from service.delivery.events import EventWebhooks
from service.records.channels import EVENTS, Channels
from service.records.due_events import DueEvents
from service.sandbox.server import Sandbox
from service.surveys.reasons import Reason
from service.surveys.states import SurveyEvent
from tests.harness import AT_ONCE, CSAT, DAY, Story
from tests.polling import eventually
from tests.receiver import DROP, SECRET, Receiver, receiving
from workers.events import MAX_AGE, EventLoop

PATH = "/events"
COMMENT = "kumquat"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


class EventStory:
    """A story with its events, and a loop to send them."""

    def __init__(
        self, client: redis.Redis, prefix: str, dixa: Sandbox, url: str, *, has_comments: bool = False
    ) -> None:
        self.story = Story(client, prefix, dixa, events=tuple(SurveyEvent))
        self.records = self.story.records
        self.client, self.prefix = client, prefix
        webhooks = EventWebhooks(SignedEndpoint(f"{url}{PATH}", SECRET), has_comments=has_comments)
        self.loop = EventLoop(webhooks, DueEvents.beside(self.records), Channels.beside(self.records))
        self.loop._channels.pause = timedelta(milliseconds=50)

    def send_all(self) -> None:
        """Run the loop until nothing is due, however far in the future."""

        def step() -> bool:
            self.make_due()
            self.loop.step()
            return not self.loop._due.count()

        eventually(step)

    def make_due(self) -> None:
        due = f"{self.prefix}due:event"
        for survey_id in self.client.zrange(due, 0, -1):
            self.client.zadd(due, {str(survey_id): 0}, xx=True)


@pytest.fixture
def events(redis_client: redis.Redis, prefix: str, dixa: Sandbox, receiver: Receiver) -> EventStory:
    return EventStory(redis_client, prefix, dixa, receiver.url)


def types(receiver: Receiver) -> list[str]:
    return [post.body["type"] for post in receiver.taken(PATH)]


def test_a_survey_is_told_in_order(events: EventStory, receiver: Receiver) -> None:
    story = events.story
    survey_id = story.begin()
    story.complete(survey_id, {CSAT: 4})
    events.send_all()
    assert types(receiver) == ["survey.asked", "survey.delivered", "survey.answered", "survey.submitted"]
    assert len({post.id for post in receiver.posts}) == 4
    for post in receiver.posts:
        assert re.fullmatch(rf"afterword-{survey_id}-[a-z]+-[0-9]{{13}}", post.id or "")
        assert post.body["data"]["survey_id"] == survey_id
    assert story.load(survey_id).unsent_events == {}


@pytest.mark.parametrize("failures", [[503, 429], [500, DROP], [400, 422], [404], [302]])
def test_a_receiver_that_fails_gets_each_event_later_with_the_same_id(
    events: EventStory, receiver: Receiver, failures: list[int]
) -> None:
    receiver.next[PATH] = list(failures)
    events.story.ask(events.story.begin())
    events.send_all()
    assert types(receiver) == ["survey.asked", "survey.delivered"], "the second one waits for the first"
    first = [post.id for post in receiver.posts if post.body["type"] == "survey.asked"]
    assert len(first) == len(failures) + 1
    assert len(set(first)) == 1


def test_a_crash_before_the_mark_sends_the_event_again_with_the_same_id(
    events: EventStory, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    events.story.ask(events.story.begin())

    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(DueEvents, "finish", die)
        with pytest.raises(Killed):
            events.loop.step()
    assert len(receiver.posts) == 2
    events.send_all()
    ids = [post.id for post in receiver.posts]
    assert ids[:2] == ids[2:]


def test_a_receiver_that_is_down_pauses_its_events_and_is_named(events: EventStory, receiver: Receiver) -> None:
    events.loop._channels.pause = timedelta(minutes=1)
    receiver.next[PATH] = [404] * 3
    for _ in range(3):
        events.story.ask(events.story.begin())
    events.loop.step()
    events.make_due()
    events.loop.step()
    assert len(receiver.posts) == 1, "the others aren't tried in vain"
    assert events.client.zcount(f"{events.prefix}due:event", 0, 0) == 3, "and aren't taken in vain"
    (trouble,) = events.loop._channels.troubles()
    assert re.fullmatch(
        r'channel "events" is down since .+ UTC: the receiver returned 404\. '
        r"Events wait, and are sent for three days\. Surveys are not affected",
        trouble,
    )


def test_one_refused_event_does_not_stop_those_of_other_surveys(events: EventStory, receiver: Receiver) -> None:
    receiver.next[PATH] = [422]
    for _ in range(3):
        events.story.ask(events.story.begin())
    events.loop.step()
    assert len(receiver.taken(PATH)) == 4
    assert events.loop._channels.troubles() == []


def test_a_changed_answer_is_a_new_event(events: EventStory, receiver: Receiver) -> None:
    story = events.story
    survey_id = story.begin(replace(AT_ONCE, editable_for=DAY))
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 4})
    events.send_all()
    story.answer(survey_id, {CSAT: 2})
    story.answer(survey_id, {CSAT: 1}, COMMENT)
    events.send_all()
    answered = [post for post in receiver.posts if post.body["type"] == "survey.answered"]
    assert [post.body["data"]["scores"] for post in answered] == [{"Csat": 4}, {"Csat": 1}]
    assert len({post.id for post in answered}) == 2
    assert answered[1].body["data"]["comment"] is None
    assert answered[1].body["data"]["has_comment"]
    assert answered[1].body["data"]["final_at"]


def test_a_comment_is_sent_only_if_wanted(
    redis_client: redis.Redis, prefix: str, dixa: Sandbox, receiver: Receiver
) -> None:
    events = EventStory(redis_client, prefix, dixa, receiver.url, has_comments=True)
    story = events.story
    survey_id = story.begin(replace(AT_ONCE, editable_for=DAY))
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 4}, COMMENT)
    events.send_all()
    assert receiver.posts[-1].body["data"]["comment"] == COMMENT


def test_an_erased_survey_is_told_no_more(events: EventStory, receiver: Receiver) -> None:
    story = events.story
    survey_id = story.begin()
    story.ask(survey_id)
    story.records.erase(story.load(survey_id))
    events.send_all()
    assert receiver.posts == []


def test_an_event_is_given_up_after_three_days(
    events: EventStory, receiver: Receiver, redis_client: redis.Redis, prefix: str
) -> None:
    survey_id = events.story.begin()
    events.story.ask(survey_id)
    old = {name: str(int((at - MAX_AGE).timestamp() * 1000) - 1) for name, at in _unsent(events, survey_id).items()}
    old["delivered"] = str(int(_unsent(events, survey_id)["delivered"].timestamp() * 1000))
    redis_client.hset(f"{prefix}survey:{survey_id}", "unsent_events", json.dumps(old))
    with capture_logs() as logs:
        events.send_all()
    assert types(receiver) == ["survey.delivered"]
    assert {"event": "event.given_up", "survey_id": survey_id, "event_name": "asked", "log_level": "error"} in logs


def _unsent(events: EventStory, survey_id: str) -> Any:
    return events.story.load(survey_id).unsent_events


def test_an_event_that_fails_for_long_waits_longer_each_time(
    events: EventStory, receiver: Receiver, redis_client: redis.Redis, prefix: str
) -> None:
    survey_id = events.story.begin()
    events.story.ask(survey_id)
    waits = []
    for age in (timedelta(), timedelta(minutes=2), timedelta(hours=5)):
        asked = events.records.now() - age
        unsent = {"asked": str(int(asked.timestamp() * 1000))}
        redis_client.hset(f"{prefix}survey:{survey_id}", "unsent_events", json.dumps(unsent))
        events.make_due()
        receiver.next[PATH] = [422]
        now = events.records.read_clock().timestamp()
        events.loop.step()
        waits.append(float(redis_client.zscore(f"{prefix}due:event", survey_id) or 0) / 1000 - now)
        events.loop._channels.works(EVENTS, survey_id)
    assert 5 <= waits[0] < 120
    assert waits[1] >= 120
    assert 900 <= waits[2] < 3600


def test_a_failure_names_its_journey_and_reason(events: EventStory, receiver: Receiver) -> None:
    story = events.story
    survey_id = story.begin()
    claim = story.records.claim("offer", survey_id)  # type: ignore[arg-type]
    assert claim
    story.records.fail(claim, Reason.REFUSED)
    events.send_all()
    (post,) = receiver.posts
    assert post.id
    assert post.id.startswith(f"afterword-{survey_id}-failed-offer-")
    assert (post.body["type"], post.body["data"]["journey"]) == ("survey.failed", "offer")
    assert post.body["data"]["reason"] == "refused"
