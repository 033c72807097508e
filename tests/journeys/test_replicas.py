"""With REDIS_REPLICAS, a call whose mark no replica has is not made, and is made once when the replica is back."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from service.delivery.email.smtp import EmailDelivery
from service.delivery.slack import SlackAlert
from service.journeys.runner import JourneyRunner
from service.records.confirmation import ConfirmingRedis
from service.records.redis import RecordsUnconfirmed
from service.sandbox.server import Sandbox
from service.surveys.on_answer import OnAnswer
from service.surveys.states import ActionState, Journey, OfferState
from tests.harness import AT_ONCE, CSAT, QUICK, Story
from tests.journeys.mail_story import BRANDING, EMAIL_FIRST, MailStory
from tests.polling import eventually
from tests.processes import patient
from tests.receiver import Receiver
from tests.replicas import Pair, pair
from tests.smtp import post_office

ALERTING = replace(AT_ONCE, on_answer=(OnAnswer((1,), CSAT, slack=True, comment=True),))


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair(tmp_path_factory.mktemp("pair")) as started:
        yield started


@pytest.fixture
def confirming(servers: Pair) -> Iterator[ConfirmingRedis]:
    client = patient(servers.primary.url)
    client.replicas = 1
    yield client
    client.close()


class Interrupted:
    """A run of a journey during which the replica disappears."""

    def __init__(self, servers: Pair, client: ConfirmingRedis, story: Story) -> None:
        self._servers = servers
        self._client = client
        self._story = story

    def run(self, runner: JourneyRunner, survey_id: str, after: str) -> None:
        """Run until the mark that follows this call to Dixa."""
        frozen = self._servers.without_replica()
        self._story.after(after, frozen.__enter__)
        with pytest.raises(RecordsUnconfirmed):
            runner.run(survey_id)
        frozen.__exit__(None, None, None)
        self.end_lease(runner.journey, survey_id)

    def end_lease(self, journey: Journey, survey_id: str) -> None:
        key = self._story.records._key(survey_id)
        self._client.hset(key, f"{journey}_lease", 0)
        self._client.hset(key, f"{journey}_due", 0)


@pytest.fixture
def interrupted(servers: Pair, confirming: ConfirmingRedis, prefix: str, dixa: Sandbox) -> tuple[Story, Interrupted]:
    story = Story(confirming, prefix, dixa)
    return story, Interrupted(servers, confirming, story)


def test_no_offer_is_made_without_its_mark(interrupted: tuple[Story, Interrupted], dixa: Sandbox) -> None:
    story, cut = interrupted
    survey_id = story.begin()
    cut.run(story.offering, survey_id, after="ratings")
    assert not dixa.offers(int(survey_id))
    story.complete(survey_id, {CSAT: 4})
    story.assert_once(survey_id)


def test_no_message_is_sent_without_its_mark(interrupted: tuple[Story, Interrupted], dixa: Sandbox) -> None:
    story, cut = interrupted
    survey_id = story.begin()
    cut.run(story.offering, survey_id, after="offer")
    assert not dixa.messages(int(survey_id))
    story.complete(survey_id, {CSAT: 4})
    story.assert_once(survey_id)


def test_no_alert_is_sent_without_its_mark(
    interrupted: tuple[Story, Interrupted], receiver: Receiver, dixa: Sandbox
) -> None:
    story, cut = interrupted
    story.actions["slack"] = SlackAlert(f"{receiver.url}/slack")
    survey_id = story.begin(ALERTING)
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 1}, "Not good")
    story.submit(survey_id)
    cut.run(story.following, survey_id, after="conversation")
    assert not receiver.posts
    story.follow(survey_id)
    (alert,) = receiver.of("/slack")
    assert "Not good" in str(alert.body)
    progress = story.load(survey_id).follow_up
    assert progress
    assert {each.state for each in progress.actions.values()} == {ActionState.DONE}


def test_no_mail_is_sent_without_its_mark(
    servers: Pair, confirming: ConfirmingRedis, prefix: str, dixa: Sandbox
) -> None:
    with post_office() as (post, server), ThreadPoolExecutor(1) as worker:
        made = MailStory(confirming, prefix, dixa, post)
        story = made.story
        story.deliveries["email"] = EmailDelivery(server, BRANDING, story.records, budget=QUICK.step_budget)
        survey_id = story.begin(EMAIL_FIRST)
        post.hangs.add("DATA")
        running = worker.submit(story.offering.run, survey_id)
        eventually(lambda: "DATA" in post.commands)
        with servers.without_replica():
            post.hangs.clear()
            assert isinstance(running.exception(), RecordsUnconfirmed)
        assert not post.mails
        Interrupted(servers, confirming, story).end_lease(Journey.OFFER, survey_id)
        record = story.ask(survey_id)
        assert (record.offer.state, record.offer.note, len(post.mails)) == (OfferState.DELIVERED, "", 1)
