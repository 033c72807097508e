"""A backlog: surveys in progress come before new ones."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Event
from time import time

import redis

from service.sandbox.server import Sandbox
from service.surveys.states import Journey, OfferState
from tests.harness import CSAT, OFFER_OVER, QUICK, LosesResponses, Story
from tests.polling import eventually
from tests.tasks import take_due

THREADS = 32


def test_new_worker_delays_answers_briefly(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> None:
    """An earlier worker has queued the answer."""
    story = Story(redis_client, prefix, dixa)
    survey_id = story.begin()
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 4})
    eventually(lambda: take_due(story.records, Journey.ANSWER, 1, timedelta(days=1)))
    new = Story(redis_client, prefix, dixa, timings=replace(QUICK, recovery_wait=timedelta(minutes=5)))
    new.answering.run(survey_id)
    assert dixa.results(int(survey_id)) == []
    assert (redis_client.zscore(f"{prefix}due:answer", survey_id) or 0) < (time() + 6 * 60) * 1000


def test_many_workers_query_each_survey_of_a_backlog_once(
    redis_client: redis.Redis, prefix: str, dixa: Sandbox
) -> None:
    """All deliveries have an unknown outcome. A worker finishes each claim with a slot."""
    before = Story(redis_client, prefix, dixa, deliveries=[LosesResponses()])
    backlog = [before.begin() for _ in range(24)]
    for survey_id in backlog:
        before.run_until(before.offering, survey_id, lambda record: record.offer.state is OfferState.DELIVERING)
    so_far = len(dixa.calls)
    story = Story(redis_client, prefix, dixa, rate=12, burst=1, wait=Event().wait)

    def work(_: int) -> None:
        while any(story.load(each).offer.state not in OFFER_OVER for each in backlog):
            for survey_id in take_due(story.records, Journey.OFFER, 1, timedelta(seconds=60)):
                story.offering.run(survey_id)

    with ThreadPoolExecutor(THREADS) as workers:
        list(workers.map(work, range(THREADS)))
    calls = Counter(each.call for each in dixa.calls[so_far:])
    assert calls == {"messages": 24, "conversation": 24, "message": 24}
    story.assert_no_doubles()
