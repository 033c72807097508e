"""Claims: only of a due survey, one at a time, and without effect once they are stale."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
import redis

from service.records.answer_transitions import GivenAnswer
from service.records.codec import to_ms
from service.records.outcomes import Outcome, StaleClaim, WriteResult
from service.records.records import Records
from service.surveys.definition import Survey
from service.surveys.links import Link
from service.surveys.model import Change, Claim, Close, Decision, Offer
from service.surveys.on_answer import OnAnswer
from service.surveys.reasons import Reason
from service.surveys.states import ChangeKind, Journey, OfferState, Verdict
from tests.harness import AT_ONCE, CSAT
from tests.moments import moment
from tests.polling import eventually

SURVEY_ID = "48213"
MINUTE = timedelta(minutes=1)


def close_of(conversation_id: int = 48213, ago: timedelta = timedelta()) -> Close:
    return Close(conversation_id, moment() - ago, channel="Email", agent_id="agent", tags=("a", "ü"))


def link_of(conversation_id: int = 48213) -> Link:
    return Link(str(conversation_id), conversation_id, "default", (Offer(CSAT, "rating"),))


def answer(
    records: Records,
    score: int = 4,
    comment: str | None = "",
    terms: Survey = AT_ONCE,
    *,
    is_suspect: bool = False,
    answered_at: datetime | None = None,
) -> str:
    given = GivenAnswer(link_of(), terms, {CSAT: score}, comment, "en", is_suspect)
    return records.save_answer(given, answered_at).outcome


def claim(records: Records, journey: Journey = Journey.OFFER) -> Claim:
    found = records.claim(journey, SURVEY_ID)
    assert found is not None
    return found


def brief(redis_client: redis.Redis, prefix: str, lease_ms: int = 80) -> Records:
    """Records with short leases."""
    return Records(redis_client, lease=timedelta(milliseconds=lease_ms), keep=timedelta(days=90), prefix=prefix)


def test_an_accepted_close_can_be_loaded(records: Records) -> None:
    close = close_of()
    assert records.accept(close, [AT_ONCE]) == WriteResult(Outcome.ACCEPTED, is_due=True, survey_id=SURVEY_ID)
    record = records.load(SURVEY_ID)
    assert record is not None
    assert (record.survey_id, record.conversation_id, record.terms) == (SURVEY_ID, 48213, AT_ONCE)
    assert record.close is not None
    assert record.close.tags == ("a", "ü")
    assert abs(record.close.closed_at - close.closed_at) < timedelta(milliseconds=1)
    assert records.load("1") is None


def test_a_second_close_changes_nothing(records: Records) -> None:
    close = close_of()
    records.accept(close, [AT_ONCE])
    before = records.load(SURVEY_ID)
    assert records.accept(close_of(ago=MINUTE), [Survey(name="other")]).outcome == "duplicate"
    assert records.accept(close, [], Reason.CHANNEL).outcome == "duplicate"
    assert records.load(SURVEY_ID) == before


def test_a_waiting_survey_moves_to_the_later_close(records: Records) -> None:
    """It was reopened in between, and that event is late or lost. The last agent is rated."""
    records.accept(close_of(ago=MINUTE), [replace(AT_ONCE, delay=2 * MINUTE)])
    later = replace(close_of(), agent_id="another", tags=("b",))
    assert records.accept(later, [Survey(name="other", delay=MINUTE)]).outcome == "accepted"
    found = records.load(SURVEY_ID)
    assert found
    assert found.close
    assert found.terms
    assert (found.close.agent_id, found.close.tags, found.terms.name) == ("another", ("b",), "other")
    assert found.offer.state is OfferState.WAITING
    opened = Change(48213, ChangeKind.REOPENED, later.closed_at - timedelta(seconds=1))
    assert records.cancel(opened, OfferState.CANCELLED, Reason.REOPENED) == "older"
    assert records.accept(close_of(), [], Reason.TAG_EXCLUDED).outcome == "skipped"
    found = records.load(SURVEY_ID)
    assert found
    assert (found.offer.state, found.offer.reason) == (OfferState.SKIPPED, Reason.TAG_EXCLUDED)
    today = records.count_decisions(datetime.now(UTC).date())
    assert (today[Reason.REOPENED], today[Reason.TAG_EXCLUDED]) == (2, 1)


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
    records = brief(redis_client, prefix)
    records.accept(close_of(), [AT_ONCE])
    first = claim(records)
    second = eventually(lambda: records.claim(Journey.OFFER, SURVEY_ID))
    assert second is not None
    assert second.fence > first.fence
    assert second.at >= first.at + timedelta(milliseconds=80)


def test_a_lease_longer_than_possible_counts_as_over(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    """Redis' clock was set back by an hour."""
    records.accept(close_of(), [AT_ONCE])
    first = claim(records)
    redis_client.hset(f"{prefix}survey:{SURVEY_ID}", "offer_lease", to_ms(datetime.now(UTC) + timedelta(hours=1)))
    second = claim(records)
    assert second.fence > first.fence


def test_handing_a_mail_over_extends_the_lease(redis_client: redis.Redis, prefix: str) -> None:
    lease, budget = timedelta(seconds=60), timedelta(minutes=5)
    records = Records(redis_client, lease=lease, keep=timedelta(days=90), mail_budget=budget, prefix=prefix)
    records.accept(close_of(), [AT_ONCE])
    first, key, began = claim(records), f"{prefix}survey:{SURVEY_ID}", to_ms(moment())
    assert not records.extend_lease(SURVEY_ID)
    redis_client.hset(key, "offer_state", "delivering")
    assert records.extend_lease(SURVEY_ID)
    ends_at = int(redis_client.hget(key, "offer_lease"))  # type: ignore[arg-type]
    # Redis cuts its time to milliseconds, and `to_ms` rounds ours.
    assert ends_at >= began - 1 + to_ms(lease + budget)
    assert redis_client.zscore(f"{prefix}due:offer", SURVEY_ID) == ends_at
    assert records.claim(Journey.OFFER, SURVEY_ID) is None
    records.reschedule(first, timedelta(), failed=False)
    assert not records.extend_lease(SURVEY_ID)
    assert claim(records).fence > first.fence


def test_a_state_of_a_newer_version_is_left_to_it(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    """During a deploy both work side by side, and after a rollback the older one is alone until the next."""
    records.accept(close_of(), [AT_ONCE])
    redis_client.hset(f"{prefix}survey:{SURVEY_ID}", "offer_state", "pondering")
    assert records.claim(Journey.OFFER, SURVEY_ID) is None
    assert redis_client.zscore(f"{prefix}due:offer", SURVEY_ID) > to_ms(datetime.now(UTC))  # type: ignore[operator]
    assert redis_client.hget(f"{prefix}survey:{SURVEY_ID}", "offer_state") == "pondering"


def test_a_returned_lease_can_be_claimed(records: Records) -> None:
    records.accept(close_of(), [AT_ONCE])
    records.reschedule(claim(records), timedelta(), failed=False)
    assert claim(records).fence == 2


WRITES: dict[str, Callable[[Records, Claim], object]] = {
    "mark": lambda records, claim: records.begin_call(claim, CSAT, [], timedelta()),
    "unknown": lambda records, claim: records.call_lost(claim, MINUTE),
    "again": lambda records, claim: records.call_failed(claim, MINUTE),
    "die": lambda records, claim: records.fail(claim, Reason.REFUSED),
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


@pytest.mark.parametrize("is_marked", ["marked", "not marked"])
@pytest.mark.parametrize(
    ("journey", "write"),
    [(Journey.OFFER, name) for name in WRITES | OF_OFFERS] + [(Journey.ANSWER, name) for name in WRITES | OF_ANSWERS],
)
def test_a_stale_claim_writes_nothing(
    records: Records, redis_client: redis.Redis, prefix: str, journey: Journey, write: str, is_marked: str
) -> None:
    if journey is Journey.OFFER:
        records.accept(close_of(), [AT_ONCE])
    else:
        answer(records)
    stale = claim(records, journey)
    if is_marked == "marked":
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


def test_a_survey_that_is_not_due_can_not_be_claimed(records: Records) -> None:
    records.accept(close_of(), [Survey(delay=MINUTE)])
    assert records.claim(Journey.OFFER, SURVEY_ID) is None
    answer(records, terms=Survey(editable_for=MINUTE))
    assert records.claim(Journey.ANSWER, SURVEY_ID) is None


def test_a_missing_survey_can_not_be_claimed(records: Records) -> None:
    assert records.claim(Journey.OFFER, "1") is None
    records.accept(close_of(), [], Reason.CHANNEL)
    assert records.claim(Journey.OFFER, SURVEY_ID) is None
    assert records.claim(Journey.ANSWER, SURVEY_ID) is None


def test_a_taken_survey_is_due_again_unless_it_is_claimed(redis_client: redis.Redis, prefix: str) -> None:
    records = brief(redis_client, prefix)
    records.accept(close_of(ago=MINUTE), [AT_ONCE])
    for again_after in (timedelta(milliseconds=1), MINUTE):
        assert eventually(lambda after=again_after: records.take_due(Journey.OFFER, 10, after)) == [SURVEY_ID]  # type: ignore[misc]
    assert records.take_due(Journey.OFFER, 10, MINUTE) == []


def test_duplicate_tasks_are_harmless(records: Records) -> None:
    records.accept(close_of(), [AT_ONCE])
    claims = [records.claim(Journey.OFFER, SURVEY_ID) for _ in range(5)]
    assert [found is not None for found in claims] == [True, False, False, False, False]
    assert records.take_due(Journey.OFFER, 10, MINUTE) == []


def test_an_early_task_corrects_the_due_time(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    """The relay had pushed it forward, and the journey was rescheduled meanwhile."""
    records.accept(close_of(), [Survey(delay=MINUTE)])
    due_at = redis_client.zscore(f"{prefix}due:offer", SURVEY_ID)
    redis_client.zadd(f"{prefix}due:offer", {SURVEY_ID: 1})
    assert records.take_due(Journey.OFFER, 10, timedelta(hours=1)) == [SURVEY_ID]
    assert redis_client.zscore(f"{prefix}due:offer", SURVEY_ID) != due_at
    assert records.claim(Journey.OFFER, SURVEY_ID) is None
    assert redis_client.zscore(f"{prefix}due:offer", SURVEY_ID) == due_at


def test_an_ended_or_lost_survey_leaves_the_due_set(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    records.accept(close_of(), [], Reason.CHANNEL)
    redis_client.zadd(f"{prefix}due:offer", {SURVEY_ID: 1, "7": 1})
    for survey_id in records.take_due(Journey.OFFER, 10, timedelta()):
        assert records.claim(Journey.OFFER, survey_id) is None
    assert redis_client.zcard(f"{prefix}due:offer") == 0


def test_the_longest_due_are_taken_first(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    for number, due_ms in ((1, 5), (2, 1), (3, 4), (4, 3)):
        records.accept(close_of(number), [Survey(delay=MINUTE)])
        redis_client.zadd(f"{prefix}due:offer", {str(number): due_ms})
    assert records.take_due(Journey.OFFER, 2, MINUTE) == ["2", "4"]
    assert records.take_due(Journey.OFFER, 10, MINUTE) == ["3", "1"]


def begin_call(records: Records, survey_id: str = SURVEY_ID) -> Claim:
    records.accept(close_of(int(survey_id)), [AT_ONCE])
    found = records.claim(Journey.OFFER, survey_id)
    assert found
    records.begin_call(found, CSAT, (), timedelta())
    return found


def test_surveys_with_a_call_are_taken_first(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    """However long the others have waited."""
    for number in (1, 2):
        records.accept(close_of(number), [AT_ONCE])
    redis_client.zadd(f"{prefix}due:offer", {"1": 1, "2": 2})
    records.call_lost(begin_call(records, "3"), timedelta())
    assert records.take_due(Journey.OFFER, 2, MINUTE) == ["3", "1"]
    assert records.take_due(Journey.OFFER, 2, MINUTE) == ["2"]


def test_surveys_with_a_call_wait_for_their_time(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    found = begin_call(records)
    assert records.take_due(Journey.OFFER, 1, MINUTE) == []
    records.call_lost(found, MINUTE)
    assert records.take_due(Journey.OFFER, 1, MINUTE) == []
    redis_client.zadd(f"{prefix}due:offer:first", {SURVEY_ID: 1})
    assert records.take_due(Journey.OFFER, 2, MINUTE) == [SURVEY_ID]
    assert redis_client.zcard(f"{prefix}due:offer:first") == 0


def test_an_ended_survey_leaves_the_first_set(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    found = begin_call(records)
    assert redis_client.zcard(f"{prefix}due:offer:first") == 1
    records.fail(found, Reason.REFUSED)
    assert redis_client.zcard(f"{prefix}due:offer:first") == 0


@pytest.mark.parametrize(
    ("ago", "delay", "is_due"),
    [(10, 30, False), (40, 30, True), (-5, 30, False), (-600, 0, True)],
    ids=["20 minutes left", "late already", "closed in the future", "and without a delay"],
)
def test_the_delay_starts_at_the_close_or_now_if_that_is_earlier(
    records: Records, ago: int, delay: int, *, is_due: bool
) -> None:
    close = close_of(ago=ago * MINUTE)
    written = records.accept(close, [Survey(delay=delay * MINUTE)])
    assert written.is_due is is_due
    record = records.load(SURVEY_ID)
    assert record is not None
    assert record.offer.due_at == (close.closed_at if ago > 0 else record.accepted_at) + delay * MINUTE


def at_once(work: Callable[[], object], times: int) -> None:
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
    at_once(lambda: outcomes.append(records.accept(close, [AT_ONCE]).outcome), 50)
    assert sorted(outcomes) == ["accepted"] + ["duplicate"] * 49


def test_one_of_fifty_equal_answers_is_saved(records: Records) -> None:
    outcomes: list[str] = []
    at_once(lambda: outcomes.append(answer(records, 4, "The same")), 50)
    assert sorted(outcomes) == ["same"] * 49 + ["saved"]


def test_one_of_fifty_claims_succeeds(records: Records) -> None:
    records.accept(close_of(), [AT_ONCE])
    claims: list[Claim | None] = []
    at_once(lambda: claims.append(records.claim(Journey.OFFER, SURVEY_ID)), 50)
    assert [found.fence for found in claims if found] == [1]
    assert len(claims) == 50
