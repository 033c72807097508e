"""Events from real processes: a killed worker repeats one with its id, and a slow receiver delays nothing else."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
import redis
import requests

from service.records.records import Records
from service.sandbox.server import Sandbox
from service.surveys.links import Links
from tests.integration.conftest import Starter
from tests.integration.live_survey import LiveSurvey
from tests.polling import eventually
from tests.processes import SECRET_KEY, Afterword, patient
from tests.receiver import SECRET, Receiver, receiving

SURVEYS = """
[[survey]]
delay = "0s"
editable_for = "0s"
suspect_editable_for = "0s"
"""
PATH = "/events"
WHOLE = ["survey.answered", "survey.asked", "survey.delivered", "survey.submitted"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def afterword(start: Starter, receiver: Receiver) -> Afterword:
    environ = {"EVENTS_WEBHOOK_URL": f"{receiver.url}{PATH}", "EVENTS_WEBHOOK_SECRET": SECRET}
    return start(SURVEYS, **environ)


def complete(afterword: Afterword, dixa: Sandbox) -> LiveSurvey:
    """Run a survey to its result in Dixa."""
    records = Records(patient(afterword.redis_url), lease=timedelta(seconds=60), keep=timedelta(days=90))
    number = dixa.make_conversation()
    survey = LiveSurvey(dixa, records, Links([SECRET_KEY], afterword.url), number)
    dixa.sends_webhooks_to(afterword.webhook_url)
    survey.close()
    assert requests.post(survey.link(), data={"rating": "4"}, timeout=30).ok
    survey.submitted()
    return survey


def test_a_slow_receiver_delays_no_survey_and_a_killed_worker_repeats_its_event(
    afterword: Afterword, dixa: Sandbox, receiver: Receiver
) -> None:
    receiver.held.clear()
    surveys = [complete(afterword, dixa) for _ in range(3)]
    held = eventually(lambda: receiver.posts[:1])
    assert held
    assert "event.sent" not in afterword.log, "three whole surveys did not wait for it"
    afterword.kill("worker")
    receiver.held.set()
    with closing(redis.Redis.from_url(afterword.redis_url, decode_responses=True)) as client:
        # As if the lease of the killed worker were over.
        client.zadd("afterword:due:event", {str(survey.id): 0 for survey in surveys}, xx=True)
        afterword.start("worker")
        eventually(lambda: not client.exists("afterword:due:event"))
    ids = [post.id for post in receiver.posts]
    assert ids.count(held[0].id) >= 2, "it was sent, and not marked"
    for survey in surveys:
        told = {post.id: post.body for post in receiver.posts if post.body["data"]["conversation_id"] == survey.id}
        assert sorted(each["type"] for each in told.values()) == WHOLE, "each of them, by one id"
        assert survey.record.unsent_events == {}
