"""A survey by SMS has one short link, also after failures, and for the reminder."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import redis

from service.delivery.message import MessageDelivery
from service.records.codec import to_ms
from service.records.redis import RecordsUnavailable
from service.records.short_links import ShortLinks
from service.sandbox.server import Sandbox
from service.surveys.definition import Survey
from service.surveys.links import Links
from service.surveys.model import Record
from service.surveys.states import OfferState
from tests.harness import AT_ONCE, BRIEF_CLAIMS, QUICK, Story, open_client
from tests.polling import eventually
from tests.processes import SECRET_KEY

URL = "https://survey.example"
KEEP = timedelta(days=91)

MakeStory = Callable[..., Story]


@pytest.fixture
def short_links(redis_client: redis.Redis, prefix: str) -> ShortLinks:
    return ShortLinks(redis_client, URL, prefix=prefix)


@pytest.fixture
def make_story(redis_client: redis.Redis, prefix: str, dixa: Sandbox, short_links: ShortLinks) -> MakeStory:
    """Make a story with short links in its texts. The first `failures` requests for a short link fail."""

    def make(failures: int = 0) -> Story:
        left = iter(range(failures))

        def shorten(record: Record, link: str) -> str:
            if next(left, None) is not None:
                raise RecordsUnavailable("down")
            return short_links.shorten(record.survey_id, link, KEEP)

        delivery = MessageDelivery(open_client(dixa, redis_client, prefix), shorten=shorten)
        return Story(redis_client, prefix, dixa, timings=BRIEF_CLAIMS if failures else QUICK, deliveries=[delivery])

    return make


def links_of(story: Story, survey_id: str) -> list[str]:
    return [each.value.rpartition(" ")[2] for each in story.dixa.messages(int(survey_id))]


def codes(client: redis.Redis, prefix: str) -> list[str]:
    return [*client.scan_iter(f"{prefix}short:*")]


@pytest.mark.parametrize("fault", ["none", "fails", "drops_before", "executes_then_drops", "redis down"])
def test_one_link_is_sent_and_one_code_is_kept(
    make_story: MakeStory, redis_client: redis.Redis, prefix: str, dixa: Sandbox, short_links: ShortLinks, fault: str
) -> None:
    story = make_story(failures=1 if fault == "redis down" else 0)
    survey_id = story.begin(channel="Sms")
    if fault not in {"none", "redis down"}:
        getattr(dixa, fault)(call="message")

    def step() -> bool:
        try:
            story.offering.run(survey_id)
        except RecordsUnavailable:
            return False
        return story.load(survey_id).offer.state is OfferState.DELIVERED

    eventually(step)
    (link,) = links_of(story, survey_id)
    assert codes(redis_client, prefix) == [f"{prefix}short:{link.rpartition('/')[2]}"]
    token = short_links.find(link.rpartition("/")[2])
    assert token is not None
    assert Links([SECRET_KEY], URL).read(token).survey_id == survey_id
    story.assert_no_doubles()


def test_reminder_has_the_same_short_link_with_a_new_token(
    make_story: MakeStory, redis_client: redis.Redis, prefix: str, short_links: ShortLinks
) -> None:
    story, terms = make_story(), replace(AT_ONCE, reminder=timedelta(minutes=30))
    survey_id = story.begin(terms, channel="Sms")
    eventually(lambda: run_once(story, survey_id).offer.state is OfferState.REMINDING)
    (first,) = links_of(story, survey_id)
    redis_client.hset(story.records._key(survey_id), "offer_due", str(to_ms(datetime.now(UTC))))
    story.ask(survey_id)
    assert links_of(story, survey_id) == [first, first]
    assert len(codes(redis_client, prefix)) == 1


def test_each_survey_has_its_own_short_link(make_story: MakeStory, short_links: ShortLinks) -> None:
    story = make_story()
    found = [links_of(story, story.ask(story.begin(channel="WhatsApp")).survey_id)[0] for _ in range(3)]
    tokens = [short_links.find(link.rpartition("/")[2]) or "" for link in found]
    assert len({Links([SECRET_KEY], URL).read(token).survey_id for token in tokens}) == 3


def test_no_code_is_made_for_other_channels(make_story: MakeStory, redis_client: redis.Redis, prefix: str) -> None:
    story = make_story()
    for channel in ("Email", "WidgetChat", "Messenger", "ContactForm"):
        assert story.ask(story.begin(Survey(delay=timedelta()), channel=channel)).offer.state is OfferState.DELIVERED
    assert codes(redis_client, prefix) == []


def run_once(story: Story, survey_id: str) -> Record:
    story.offering.run(survey_id)
    return story.load(survey_id)
