"""Workers under the test's control. Threads do the work of the relays, and time passes without waiting.

The rate limit is off, so surveys wait only for the seconds given.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import cast

import redis

from config.settings import Timings
from service.dixa.outage import Outage, RelayPace
from service.dixa.pace import SharedPace
from service.sandbox.server import Sandbox
from service.surveys.states import Journey
from tests.harness import OFFER_OVER, Story
from tests.moments import pass_time
from tests.tasks import take_due
from workers.relay import Pace

THREADS = 8
AS_SHIPPED = replace(Timings(), recovery_wait=timedelta())
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


class Workers:
    """Two workers with some threads each, and their relays. Those of the control ignore outages."""

    def __init__(
        self,
        client: redis.Redis,
        prefix: str,
        dixa: Sandbox,
        *,
        knows_outages: bool = True,
        timings: Timings = AS_SHIPPED,
    ) -> None:
        self._client, self._prefix = client, prefix
        self.stories = [Story(client, prefix, dixa, timings=timings) for _ in range(2)]
        self.story = self.stories[0]
        self.outage = Outage(client, on_recovery=self.story.records.end_backoff, prefix=prefix)
        for each in self.stories:
            each.calls._outage = self.outage if knows_outages else None
        shared = cast("SharedPace", self.story.calls._pace)
        self.pace: Pace = RelayPace(shared, self.outage) if knows_outages else shared

    def work(self, journey: Journey = Journey.OFFER) -> None:
        """Run all due journeys, in the order of the relays."""
        for turn in count():
            story = self.stories[turn % 2]
            runner = story.offering if journey is Journey.OFFER else story.answering
            due = take_due(story.records, journey, min(*self.pace.count_free(SECOND), 2 * THREADS), MINUTE)
            if not due:
                return
            with ThreadPoolExecutor(THREADS) as threads:
                list(threads.map(runner.run, due))

    def run_for(self, length: timedelta, step: timedelta) -> None:
        """Run all due journeys during this time."""
        for _ in range(length // step):
            self.work()
            pass_time(self._client, self._prefix, step)

    def seconds_until(self, survey_ids: list[str], most: int) -> int:
        """Return the seconds until the last of these surveys is sent, or `most`."""
        for seconds in range(most):
            self.work()
            if all(self.story.load(each).offer.state in OFFER_OVER for each in survey_ids):
                return seconds
            pass_time(self._client, self._prefix, SECOND)
        return most
