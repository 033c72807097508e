"""An outage of Dixa counts for no try and no deadline. All surveys are due right after it.

Row 15 of the table of faults has more surveys, and older builds as its control.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import redis
from structlog.testing import capture_logs

from service.sandbox.dixa.faults import Fault, Kind
from service.sandbox.server import Sandbox
from service.surveys.reasons import Reason
from service.surveys.states import AnswerState, Journey, OfferState
from tests.harness import ANSWER_OVER, AT_ONCE, CSAT, OFFER_OVER, Story
from tests.moments import pass_time
from tests.relayed import AS_SHIPPED, MINUTE, SECOND, THREADS, Workers

MANY = 20
TERMS = replace(AT_ONCE, editable_for=timedelta())


@pytest.fixture
def workers(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> Iterator[Workers]:
    yield Workers(redis_client, prefix, dixa)
    dixa.outage_is_over()


@pytest.mark.parametrize("status", [503, 200, None], ids=["503", "200 to all", "hangs up"])
@pytest.mark.parametrize("knows_outages", [True, False], ids=["ours", "control"])
def test_all_waiting_surveys_are_sent_soon_after_an_outage(
    redis_client: redis.Redis,
    prefix: str,
    dixa: Sandbox,
    knows_outages: bool,  # noqa: FBT001
    status: int | None,
) -> None:
    workers = Workers(redis_client, prefix, dixa, knows_outages=knows_outages)
    waiting = [workers.story.begin(TERMS) for _ in range(MANY)]
    with capture_logs() as logs:
        dixa.outage(status)
        workers.run_for(10 * MINUTE, 15 * SECOND)
        calls = len(dixa.calls)
        tries = sum(workers.story.load(each).offer.tries for each in waiting)
        dixa.outage_is_over()
        waited = workers.seconds_until(waiting, 60 if knows_outages else 15)
    asked = [workers.story.load(each).offer for each in waiting]
    if not knows_outages:
        assert waited == 15
        assert sum(each.state is OfferState.DELIVERED for each in asked) < MANY
        return
    assert waited <= 10
    assert {each.state for each in asked} == {OfferState.DELIVERED}
    # The calls before the outage is known, and one probe every few seconds.
    assert calls <= 5 + 2 * THREADS + 10 * 60 / 5
    assert 0 < tries <= 2 * THREADS
    events = [each["event"] for each in logs if each["log_level"] != "info"]
    assert (events.count("dixa.down"), events.count("dixa.recovered")) == (1, 1)
    assert set(events) <= {"dixa.down", "dixa.recovered", "call.failed"}
    assert events.count("call.failed") <= 2 * THREADS


def test_survey_with_many_failed_tries_is_due_right_after_the_outage(
    workers: Workers, redis_client: redis.Redis, prefix: str, dixa: Sandbox
) -> None:
    waiting = [workers.story.begin(TERMS) for _ in range(10)]
    for survey_id in waiting:
        redis_client.hset(f"{prefix}survey:{survey_id}", "offer_tries", 12)
    dixa.outage()
    workers.run_for(2 * MINUTE, 15 * SECOND)
    dixa.outage_is_over()
    assert workers.seconds_until(waiting, 60) <= 10


def test_waiting_answers_are_submitted_right_after_an_outage(workers: Workers, dixa: Sandbox) -> None:
    survey_ids = [workers.story.begin(TERMS) for _ in range(12)]
    workers.seconds_until(survey_ids, 10)
    for each in survey_ids:
        workers.story.answer(each, {CSAT: 4}, "Tak")
    dixa.outage()
    for _ in range(20):
        workers.work(Journey.ANSWER)
        pass_time(workers._client, workers._prefix, 15 * SECOND)
    dixa.outage_is_over()
    for _ in range(10):
        workers.work(Journey.ANSWER)
        pass_time(workers._client, workers._prefix, SECOND)
    answers = [workers.story.load(each).answer for each in survey_ids]
    assert {each and each.state for each in answers} == {AnswerState.SUBMITTED}
    workers.story.assert_no_doubles()


@pytest.mark.parametrize("knows_outages", [True, False], ids=["ours", "control"])
def test_outage_does_not_count_for_deadlines(
    redis_client: redis.Redis,
    prefix: str,
    dixa: Sandbox,
    knows_outages: bool,  # noqa: FBT001
) -> None:
    """The outage is longer than offers and answers are retried."""
    timings = replace(AS_SHIPPED, offer_max_age=30 * MINUTE, answer_max_age=30 * MINUTE)
    workers = Workers(redis_client, prefix, dixa, knows_outages=knows_outages, timings=timings)
    answered = [workers.story.begin(TERMS) for _ in range(6)]
    workers.seconds_until(answered, 10)
    for each in answered:
        workers.story.answer(each, {CSAT: 4}, "Tak")
        # Plus up to an hour of editable time.
        redis_client.hincrby(f"{prefix}survey:{each}", "answered_at", -3_600_000)
    waiting = [workers.story.begin(TERMS) for _ in range(6)]
    dixa.outage()
    for _ in range(60):
        workers.work(Journey.ANSWER)
        workers.run_for(MINUTE, MINUTE)
    dixa.outage_is_over()
    for _ in range(30):
        workers.work(Journey.ANSWER)
        workers.run_for(30 * SECOND, 30 * SECOND)
    records = [workers.story.load(each) for each in (*answered, *waiting)]
    assert all(each.offer.state in OFFER_OVER for each in records)
    assert all(each.answer is None or each.answer.state in ANSWER_OVER for each in records)
    late = [each for each in records if Reason.TOO_LATE in (each.offer.reason, each.answer and each.answer.reason)]
    assert len(late) == (0 if knows_outages else 12)


def test_one_failing_conversation_is_no_outage(workers: Workers, dixa: Sandbox) -> None:
    """Other surveys don't wait for the failing conversation."""
    poisoned = workers.story.begin(TERMS)
    dixa.inject(Fault(Kind.FAILS, 10_000, status=500, conversation=int(poisoned)))
    workers.run_for(30 * MINUTE, 30 * SECOND)
    assert workers.outage.down_since() is None
    assert workers.story.load(poisoned).offer.tries >= 5
    others = [workers.story.begin(TERMS) for _ in range(10)]
    assert workers.seconds_until(others, 10) <= 2


def test_downtime_is_read_only_after_a_deadline(
    redis_client: redis.Redis, prefix: str, dixa: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story(redis_client, prefix, dixa)
    monkeypatch.setattr(story.calls, "downtime", lambda _: pytest.fail("queried"))
    survey_id = story.begin()
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 4})
    assert story.submit(survey_id).answer


def test_flapping_dixa_uses_up_no_tries(workers: Workers, dixa: Sandbox) -> None:
    waiting = [workers.story.begin(TERMS) for _ in range(MANY)]
    for _ in range(20):
        dixa.outage()
        workers.run_for(30 * SECOND, 5 * SECOND)
        dixa.outage_is_over()
        # The next call gets a response, and the later calls fail.
        dixa.fails(1, 404, call="conversation")
        dixa.fails(100, 503)
        workers.run_for(5 * SECOND, 5 * SECOND)
        dixa.faults.clear()
    assert max(workers.story.load(each).offer.tries for each in waiting) <= 1
    assert workers.seconds_until(waiting, 60) <= 10


def test_refusals_right_after_an_outage_are_retried(workers: Workers, dixa: Sandbox) -> None:
    """After the outage, Dixa's API may lag behind the last events before it."""
    waiting = [workers.story.begin(TERMS) for _ in range(MANY)]
    dixa.outage()
    workers.run_for(20 * MINUTE, 15 * SECOND)
    dixa.outage_is_over()
    dixa.fails(len(waiting), 404, call="offer")
    assert workers.seconds_until(waiting, 240) < 240
    assert {workers.story.load(each).offer.state for each in waiting} == {OfferState.DELIVERED}
    assert [len(dixa.offers(int(each))) for each in waiting] == [1] * len(waiting)
