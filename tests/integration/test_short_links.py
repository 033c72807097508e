"""SHORT_LINKS in real processes: an SMS with a short link, an outage, and no link in the logs."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests

from service.records.records import Records
from service.sandbox.server import Sandbox
from service.surveys.links import Links
from service.surveys.ratings import RatingType
from tests.integration.conftest import Starter
from tests.integration.live_survey import LiveSurvey
from tests.processes import SECRET_KEY, Afterword, RedisServer, patient

SURVEYS = """
[[survey]]
delay = "0s"
editable_for = "0s"
suspect_editable_for = "0s"
stop_line = true
"""


@pytest.fixture
def afterword(start: Starter, own_redis: RedisServer) -> Iterator[Afterword]:
    started = start(SURVEYS, REDIS_URL=own_redis.url, SHORT_LINKS="on", RECOVERY_WAIT="100ms")
    yield started
    started.stop()


@pytest.fixture
def records(own_redis: RedisServer) -> Iterator[Records]:
    client = patient(own_redis.url)
    yield Records(client, lease=timedelta(seconds=60), keep=timedelta(days=90))
    client.close()


def test_short_link_of_an_sms_leads_to_a_result(
    afterword: Afterword, own_redis: RedisServer, records: Records, dixa: Sandbox
) -> None:
    dixa.sends_webhooks_to(afterword.webhook_url)
    links = Links([SECRET_KEY], afterword.url)
    story = LiveSurvey(dixa, records, links, dixa.make_conversation(channel="Sms")).close()
    story.link()
    (message,) = story.sent
    first, _, stop = message.value.partition("\n")
    short = first.rpartition(" ")[2]
    code = short.rpartition("/")[2]
    assert len(code) == 12
    assert stop == f"Opt out: {short}/stop"

    signed = requests.get(short, timeout=10).url
    assert links.read(signed.rpartition("/")[2]).survey_id == str(story.id)
    assert "<form" in requests.get(f"{short}/stop", timeout=10).text

    own_redis.stop()
    unavailable = requests.get(short, timeout=10)
    assert (unavailable.status_code, "Retry-After" in unavailable.headers) == (503, True)
    # The page is already open: the URL of its form needs no Redis.
    assert requests.post(signed, data={"rating": "5"}, timeout=10, allow_redirects=False).status_code == 303
    own_redis.start()

    record = story.submitted()
    assert record.answered.scores == {RatingType.CSAT: 5}
    assert requests.get(short, timeout=10).url == signed
    assert code not in afterword.log


def test_email_and_chat_have_the_signed_link(afterword: Afterword, records: Records, dixa: Sandbox) -> None:
    dixa.sends_webhooks_to(afterword.webhook_url)
    links = Links([SECRET_KEY], afterword.url)
    for channel in ("Email", "WidgetChat"):
        story = LiveSurvey(dixa, records, links, dixa.make_conversation(channel=channel)).close()
        assert story.read_link().survey_id == str(story.id)
