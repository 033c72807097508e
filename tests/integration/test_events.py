"""Webhooks arrive repeatedly, late and in any order. A conversation still has one record and one offer."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
import requests

from service.sandbox.dixa.webhooks import closed_event, sign
from service.surveys.states import OfferState
from tests.integration.conftest import NewSurvey
from tests.integration.live_survey import LiveSurvey
from tests.processes import WEBHOOK_SECRET, Afterword

COPIES = 50
OTHERS = ("CONVERSATION_OPEN", "CONVERSATION_RATED", "CONVERSATION_PENDING", "SOMETHING_NEW")


@pytest.fixture
def keys(afterword: Afterword) -> Iterator["redis.Redis"]:
    client = redis.Redis.from_url(afterword.redis_url, decode_responses=True)
    yield client
    client.close()


def event(story: LiveSurvey, name: str = "CONVERSATION_CLOSED", event_id: str | None = None) -> bytes:
    return json.dumps(
        closed_event(story.conversation, story.dixa.state.organization, event=name, event_id=event_id)
    ).encode()


def send(afterword: Afterword, body: bytes) -> tuple[int, str]:
    response = requests.post(afterword.webhook_url, body, headers=sign(body, WEBHOOK_SECRET), timeout=30)
    return response.status_code, response.json()["status"]


def assert_one_offer(story: LiveSurvey) -> None:
    story.link()
    assert len(story.offers) == 1
    assert len(story.sent) == 1
    assert story.record.offer.state is OfferState.DELIVERED


def test_fifty_copies_of_a_webhook_at_once_make_one_offer(new_survey: NewSurvey, afterword: Afterword) -> None:
    story = new_survey(state="Closed")
    body = event(story)
    with ThreadPoolExecutor(COPIES) as senders:
        responses = [*senders.map(lambda _: send(afterword, body), range(COPIES))]
    assert sorted(responses) == [(200, "duplicate")] * (COPIES - 1) + [(202, "accepted")]
    assert_one_offer(story)
    assert send(afterword, body) == (200, "duplicate")
    assert len(story.offers) == 1


def test_second_close_makes_no_second_offer(new_survey: NewSurvey, afterword: Afterword) -> None:
    story = new_survey().close()
    story.link()
    story.dixa.reopen(story.id)
    story.dixa.close(story.id)
    assert send(afterword, event(story)) == (200, "duplicate")
    assert_one_offer(story)


@pytest.mark.parametrize("name", OTHERS)
def test_other_events_before_and_after_the_close_are_ignored(
    new_survey: NewSurvey, afterword: Afterword, keys: "redis.Redis", name: str
) -> None:
    story = new_survey(state="Closed")
    other = event(story, name)
    assert send(afterword, other) == (200, "ignored")
    assert not keys.exists(f"afterword:survey:{story.id}")
    assert send(afterword, event(story)) == (202, "accepted")
    assert send(afterword, other) == (200, "ignored")
    assert_one_offer(story)
    record = keys.hgetall(f"afterword:survey:{story.id}")
    assert send(afterword, other) == (200, "ignored")
    assert send(afterword, event(story)) == (200, "duplicate")
    # Only the second close is recorded.
    found = keys.hgetall(f"afterword:survey:{story.id}")
    assert {name: fact for name, fact in found.items() if name != "latest_close"} == record


def test_a_hundred_shuffled_events_make_one_offer_each(new_survey: NewSurvey, afterword: Afterword) -> None:
    stories = [new_survey(state="Closed") for _ in range(10)]
    # The closes are the latest events. Earlier events don't affect them, in any order of arrival.
    bodies = [event(each, name) for name in (*OTHERS, "CONVERSATION_CLOSED") for each in stories] * 2
    bodies.sort(key=hash)
    with ThreadPoolExecutor(16) as senders:
        responses = [*senders.map(lambda body: send(afterword, body), bodies)]
    assert responses.count((202, "accepted")) == len(stories)
    assert responses.count((200, "duplicate")) == len(stories)
    assert responses.count((200, "ignored")) == len(stories) * 2 * len(OTHERS)
    for each in stories:
        assert_one_offer(each)
