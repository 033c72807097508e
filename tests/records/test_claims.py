"""Claims: only of due surveys, one at a time, and without effect when stale."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
import redis

from service.records.codec import to_ms
from service.records.outcomes import StaleClaim
from service.records.records import Records
from service.surveys.definition import Survey
from service.surveys.model import Claim, Decision
from service.surveys.on_answer import OnAnswer
from service.surveys.reasons import Reason
from service.surveys.states import Journey, OfferState, Verdict
from tests.harness import AT_ONCE, CSAT, NPS
from tests.moments import moment
from tests.polling import eventually
from tests.records.steps import MINUTE, SURVEY_ID, answer, claim, close_of, load, records_with_short_leases
from tests.tasks import take_due


@pytest.mark.parametrize("journey", Journey)
def test_only_one_of_two_claims_succeeds(records: Records, journey: Journey) -> None:
    records.accept(close_of(), [replace(AT_ONCE, on_answer=(OnAnswer((4,), CSAT, note=True),))])
    answer(records)
    if journey is Journey.OFFER:
        records.accept(close_of(7), [AT_ONCE])
    survey_id = "7" if journey is Journey.OFFER else SURVEY_ID
    first = records.claim(journey, survey_id)
    assert first is not None
    assert records.claim(journey, survey_id) is None


def test_the_claim_after_a_lease_has_a_higher_fence(redis_client: redis.Redis, prefix: str) -> None:
    records = records_with_short_leases(redis_client, prefix)
    records.accept(close_of(), [AT_ONCE])
    first = claim(records)
    second = eventually(lambda: records.claim(Journey.OFFER, SURVEY_ID))
    assert second is not None
    assert second.fence > first.fence
    assert second.at >= first.at + timedelta(milliseconds=80)


def test_a_lease_longer_than_possible_counts_as_expired(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    """Redis' clock was set back by half a minute."""
    records.accept(close_of(), [AT_ONCE])
    first = claim(records)
    redis_client.hset(f"{prefix}survey:{SURVEY_ID}", "offer_lease", to_ms(datetime.now(UTC) + timedelta(seconds=90)))
    second = claim(records)
    assert second.fence > first.fence


def test_sending_a_mail_extends_the_lease(redis_client: redis.Redis, prefix: str) -> None:
    lease, budget = timedelta(seconds=60), timedelta(minutes=5)
    records = Records(redis_client, lease=lease, keep=timedelta(days=90), mail_budget=budget, prefix=prefix)
    records.accept(close_of(), [AT_ONCE])
    first, key, began = claim(records), f"{prefix}survey:{SURVEY_ID}", to_ms(moment())
    assert not records.extend_lease(SURVEY_ID)
    redis_client.hset(key, "offer_state", "delivering")
    assert records.extend_lease(SURVEY_ID)
    ends_at = int(redis_client.hget(key, "offer_lease"))  # type: ignore[arg-type]
    # Redis truncates its time to milliseconds, and `to_ms` rounds ours.
    assert ends_at >= began - 1 + to_ms(lease + budget)
    assert redis_client.zscore(f"{prefix}due:offer", SURVEY_ID) == ends_at
    assert records.claim(Journey.OFFER, SURVEY_ID) is None
    redis_client.hset(key, "offer_lease", began - 1)
    assert not records.extend_lease(SURVEY_ID)
    records.reschedule(first, timedelta(), failed=False)
    assert not records.extend_lease(SURVEY_ID)
    assert claim(records).fence > first.fence


def test_a_state_of_a_newer_version_is_not_claimed(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    """During a deploy both versions work side by side. After a rollback the older version works alone."""
    records.accept(close_of(), [AT_ONCE])
    redis_client.hset(f"{prefix}survey:{SURVEY_ID}", "offer_state", "pondering")
    assert records.claim(Journey.OFFER, SURVEY_ID) is None
    assert redis_client.zscore(f"{prefix}due:offer", SURVEY_ID) > to_ms(datetime.now(UTC))  # type: ignore[operator]
    assert redis_client.hget(f"{prefix}survey:{SURVEY_ID}", "offer_state") == "pondering"


RETURNS: dict[str, Callable[[Records, Claim], object]] = {
    "rescheduled": lambda records, claim: records.reschedule(claim, timedelta(), failed=False),
    "call failed": lambda records, claim: records.call_failed(claim, timedelta()),
    "call lost": lambda records, claim: records.call_lost(claim, timedelta()),
}


@pytest.mark.parametrize("end", RETURNS)
def test_a_returned_lease_can_be_claimed(records: Records, end: str) -> None:
    records.accept(close_of(), [AT_ONCE])
    found = claim(records)
    records.begin_call(found, CSAT, [], timedelta())
    RETURNS[end](records, found)
    assert claim(records).fence == 2


@pytest.mark.parametrize("journey", [Journey.OFFER, Journey.ANSWER])
def test_a_success_resets_the_count_of_tries(
    records: Records, redis_client: redis.Redis, prefix: str, journey: Journey
) -> None:
    records.accept(close_of(), [AT_ONCE]) if journey is Journey.OFFER else answer(records)
    for tries in ("1", None):
        found = claim(records, journey)
        records.begin_call(found, CSAT, [], timedelta())
        if tries:
            records.call_failed(found, timedelta())
        elif journey is Journey.OFFER:
            records.offered(found, CSAT, "rating")
        else:
            records.submitted(found, CSAT, [CSAT, NPS])
        assert redis_client.hget(f"{prefix}survey:{SURVEY_ID}", f"{journey}_tries") == tries


def test_a_reminder_has_its_own_tries(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    records.accept(close_of(), [replace(AT_ONCE, reminder=MINUTE)])
    redis_client.hset(f"{prefix}survey:{SURVEY_ID}", "offer_tries", 3)
    found = claim(records)
    redis_client.hset(f"{prefix}survey:{SURVEY_ID}", "offer_state", "delivering")
    records.delivered(found)
    assert load(records).offer.state is OfferState.REMINDING
    assert redis_client.hget(f"{prefix}survey:{SURVEY_ID}", "offer_tries") is None


def test_a_repeated_decision_counts_once_for_the_daily_cap(records: Records) -> None:
    """A worker crashed right after the first decision."""
    records.accept(close_of(), [replace(AT_ONCE, daily_cap=1)])
    for _ in range(2):
        found = claim(records)
        assert records.decide(found, Decision(Verdict.ASK), person=["hash"]) == (Verdict.ASK, "")
        records.reschedule(found, timedelta(), failed=False)


WRITES: dict[str, Callable[[Records, Claim], object]] = {
    "begin call": lambda records, claim: records.begin_call(claim, CSAT, [], timedelta()),
    "call lost": lambda records, claim: records.call_lost(claim, MINUTE),
    "call failed": lambda records, claim: records.call_failed(claim, MINUTE),
    "fail": lambda records, claim: records.fail(claim, Reason.REFUSED),
}


OF_OFFERS: dict[str, Callable[[Records, Claim], object]] = {
    "decide to ask": lambda records, claim: records.decide(claim, Decision(Verdict.ASK), "en"),
    "decide to skip": lambda records, claim: records.decide(claim, Decision(Verdict.SKIP, Reason.UNREACHABLE), ""),
    "offered": lambda records, claim: records.offered(claim, CSAT, "rating"),
    "delivering": lambda records, claim: records.begin_delivery(claim, "message"),
    "delivered": lambda records, claim: records.delivered(claim),
}


OF_ANSWERS: dict[str, Callable[[Records, Claim], object]] = {
    "submitted": lambda records, claim: records.submitted(claim, CSAT, [CSAT]),
}


@pytest.mark.parametrize("call", ["call in flight", "no call"])
@pytest.mark.parametrize(
    ("journey", "write"),
    [(Journey.OFFER, name) for name in WRITES | OF_OFFERS] + [(Journey.ANSWER, name) for name in WRITES | OF_ANSWERS],
)
def test_a_stale_claim_writes_nothing(
    records: Records, redis_client: redis.Redis, prefix: str, journey: Journey, write: str, call: str
) -> None:
    if journey is Journey.OFFER:
        records.accept(close_of(), [AT_ONCE])
    else:
        answer(records)
    stale = claim(records, journey)
    if call == "call in flight":
        records.begin_call(stale, CSAT, [], timedelta())
    records.reschedule(stale, timedelta(), failed=False)
    claim(records, journey)
    key = f"{prefix}survey:{SURVEY_ID}"
    before = redis_client.hgetall(key), redis_client.ttl(key)
    with pytest.raises(StaleClaim):
        (WRITES | OF_OFFERS | OF_ANSWERS)[write](records, stale)
    records.reschedule(stale, timedelta(days=1), failed=True)
    assert (redis_client.hgetall(key), redis_client.ttl(key)) == before


def test_no_call_begins_twice_or_near_the_end_of_the_lease(records: Records) -> None:
    records.accept(close_of(), [AT_ONCE])
    found = claim(records)
    with pytest.raises(StaleClaim, match="late"):
        records.begin_call(found, CSAT, [], timedelta(seconds=61))
    records.begin_call(found, CSAT, [], timedelta(seconds=15))
    with pytest.raises(StaleClaim, match="in_flight"):
        records.begin_call(found, CSAT, [], timedelta(seconds=15))


def test_a_survey_can_not_be_claimed_before_its_due_time(records: Records) -> None:
    records.accept(close_of(), [Survey(delay=MINUTE)])
    assert records.claim(Journey.OFFER, SURVEY_ID) is None
    answer(records, terms=Survey(editable_for=MINUTE))
    assert records.claim(Journey.ANSWER, SURVEY_ID) is None


def test_a_missing_survey_can_not_be_claimed(records: Records) -> None:
    assert records.claim(Journey.OFFER, "1") is None
    records.accept(close_of(), [], Reason.CHANNEL)
    assert records.claim(Journey.OFFER, SURVEY_ID) is None
    assert records.claim(Journey.ANSWER, SURVEY_ID) is None


def test_duplicate_tasks_are_harmless(records: Records) -> None:
    records.accept(close_of(), [AT_ONCE])
    claims = [records.claim(Journey.OFFER, SURVEY_ID) for _ in range(5)]
    assert [found is not None for found in claims] == [True, False, False, False, False]
    assert take_due(records, Journey.OFFER, 10, MINUTE) == []


def run_in_threads(work: Callable[[], object], times: int) -> None:
    """Run the same work in many threads at once."""
    barrier = Barrier(times)

    def begin() -> None:
        barrier.wait()
        work()

    threads = [Thread(target=begin) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_one_of_fifty_equal_closes_is_accepted(records: Records) -> None:
    outcomes: list[str] = []
    close = close_of()
    run_in_threads(lambda: outcomes.append(records.accept(close, [AT_ONCE])[0]), 50)
    assert sorted(outcomes) == ["accepted"] + ["duplicate"] * 49


def test_one_of_fifty_equal_answers_is_saved(records: Records) -> None:
    outcomes: list[str] = []
    run_in_threads(lambda: outcomes.append(answer(records, 4, "The same")), 50)
    assert sorted(outcomes) == ["same"] * 49 + ["saved"]


def test_one_of_fifty_claims_succeeds(records: Records) -> None:
    records.accept(close_of(), [AT_ONCE])
    claims: list[Claim | None] = []
    run_in_threads(lambda: claims.append(records.claim(Journey.OFFER, SURVEY_ID)), 50)
    assert [found.fence for found in claims if found] == [1]
    assert len(claims) == 50
