"""A slow receiver of links uses one call to Dixa for each link, and few threads."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import redis

from config.endpoints import SignedEndpoint
from service.delivery.message import MessageDelivery
from service.delivery.webhook import WebhookDelivery
from service.sandbox.server import Sandbox
from service.surveys.ports import Delivery
from service.surveys.states import Journey, OfferState
from tests.harness import AT_ONCE, OFFER_OVER, QUICK, Story, open_client
from tests.moments import pass_time
from tests.polling import eventually
from tests.receiver import SECRET, receiving
from tests.tasks import take_due

MANY = 20
PATIENT = replace(QUICK, step_budget=timedelta(seconds=60), lease=timedelta(seconds=90))


def test_links_waiting_for_a_busy_receiver_make_no_call_to_dixa(
    redis_client: redis.Redis, prefix: str, dixa: Sandbox
) -> None:
    calls = open_client(dixa, redis_client, prefix)
    with receiving() as receiver, ThreadPoolExecutor(8) as threads:
        webhook = WebhookDelivery(SignedEndpoint(f"{receiver.url}/link", SECRET), "en")
        deliveries: list[Delivery] = [webhook, MessageDelivery(calls)]
        story = Story(redis_client, prefix, dixa, timings=PATIENT, deliveries=deliveries)
        links = [story.begin(replace(AT_ONCE, deliver=("webhook",))) for _ in range(MANY)]
        receiver.held.clear()
        slow = [threads.submit(story.offering.run, each) for each in links[:2]]
        eventually(lambda: len(receiver.posts) == 2)
        list(threads.map(story.offering.run, links[2:]))
        assert {story.load(each).offer.state for each in links} == {OfferState.DELIVERING}
        before = len(dixa.calls)
        for _ in range(10):
            pass_time(redis_client, prefix, timedelta(seconds=6))
            for each in take_due(story.records, Journey.OFFER, MANY, timedelta(seconds=60)):
                story.offering.run(each)
        assert len(dixa.calls) == before
        # A survey with another channel is sent at once.
        other = story.begin()
        story.offering.run(other)
        assert story.load(other).offer.state is OfferState.DELIVERED
        receiver.held.set()
        assert [each.result() for each in slow] == [None, None]
        for each in links:
            while story.load(each).offer.state not in OFFER_OVER:
                pass_time(redis_client, prefix, timedelta(seconds=6))
                story.offering.run(each)
        assert {story.load(each).offer.state for each in links} == {OfferState.DELIVERED}
        assert len({post.id for post in receiver.posts}) == MANY
