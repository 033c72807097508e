"""A close is accepted once, and a waiting survey moves to a later one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import redis

from service.records.outcomes import Outcome
from service.records.records import Records
from service.surveys.definition import Survey
from service.surveys.model import Change
from service.surveys.reasons import Reason
from service.surveys.states import ChangeKind, Journey, OfferState
from tests.harness import AT_ONCE
from tests.records.steps import DAY, MINUTE, SURVEY_ID, claim, close_of, is_about, load, offer
from tests.tasks import take_tasks


def test_an_accepted_close_can_be_loaded(records: Records) -> None:
    close = close_of()
    assert records.accept(close, [AT_ONCE]) == (Outcome.ACCEPTED, SURVEY_ID)
    record = records.load(SURVEY_ID)
    assert record is not None
    assert (record.survey_id, record.conversation_id, record.terms) == (SURVEY_ID, 48213, AT_ONCE)
    assert record.close is not None
    assert record.close.tags == ("a", "ü")
    assert abs(record.close.closed_at - close.closed_at) < timedelta(milliseconds=1)
    assert (record.offer.tries, record.offer.state) == (0, OfferState.WAITING)
    assert records.load("1") is None


def test_a_second_close_changes_nothing(records: Records) -> None:
    close = close_of()
    records.accept(close, [AT_ONCE])
    before = records.load(SURVEY_ID)
    assert records.accept(close_of(ago=MINUTE), [Survey(name="other")])[0] == "duplicate"
    assert records.accept(close, [], Reason.CHANNEL)[0] == "duplicate"
    assert records.load(SURVEY_ID) == before


def test_a_waiting_survey_moves_to_the_later_close(records: Records) -> None:
    """The event of the reopening in between is late or lost. The last agent is rated."""
    records.accept(close_of(ago=MINUTE), [replace(AT_ONCE, delay=2 * MINUTE)])
    later = replace(close_of(), agent_id="another", tags=("b",))
    assert records.accept(later, [Survey(name="other", delay=MINUTE)])[0] == "accepted"
    found = records.load(SURVEY_ID)
    assert found
    assert found.close
    assert found.terms
    assert (found.close.agent_id, found.close.tags, found.terms.name) == ("another", ("b",), "other")
    assert found.offer.state is OfferState.WAITING
    opened = Change(48213, ChangeKind.REOPENED, later.closed_at - timedelta(seconds=1))
    assert records.cancel(opened, OfferState.CANCELLED, Reason.REOPENED) == "older"
    assert records.accept(close_of(), [], Reason.TAG_EXCLUDED)[0] == "skipped"
    found = records.load(SURVEY_ID)
    assert found
    assert (found.offer.state, found.offer.reason) == (OfferState.SKIPPED, Reason.TAG_EXCLUDED)
    today = records.count_decisions(datetime.now(UTC).date())
    assert (today[Reason.REOPENED], today[Reason.TAG_EXCLUDED]) == (2, 1)


def test_a_later_close_keeps_no_field_of_the_earlier_close(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    later = replace(AT_ONCE, delay=2 * MINUTE)
    records.accept(close_of(ago=MINUTE), [later])
    of_the_earlier = {"candidates": "[]", "email": "ida@example.com", "latest_close": "0", "offer_tries": "3"}
    redis_client.hset(f"{prefix}survey:{SURVEY_ID}", mapping=of_the_earlier)  # type: ignore[arg-type]
    assert records.accept(close_of(), [later])[0] == "accepted"
    assert redis_client.hmget(f"{prefix}survey:{SURVEY_ID}", [*of_the_earlier]) == [None] * 4


def test_a_later_close_counts_as_closed_again_only_after_the_offer(records: Records) -> None:
    def count() -> int:
        return records.count_decisions(datetime.now(UTC).date()).get(Reason.CLOSED_AGAIN, 0)

    records.accept(close_of(ago=2 * MINUTE), [AT_ONCE])
    records.reschedule(claim(records), timedelta(), failed=False)
    assert records.accept(close_of(ago=MINUTE), [AT_ONCE])[0] == "duplicate"
    assert count() == 0
    offer(records)
    assert records.accept(close_of(), [AT_ONCE])[0] == "duplicate"
    assert count() == 1


def test_the_number_of_rounds_outlives_their_records(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    for minutes in (1, 0):
        records.accept(close_of(ago=minutes * MINUTE), [], Reason.CHANNEL)
    assert redis_client.get(f"{prefix}rounds:{SURVEY_ID}") == "2"
    assert is_about(timedelta(seconds=redis_client.ttl(f"{prefix}rounds:{SURVEY_ID}")), (90 + 365) * DAY)


@pytest.mark.parametrize(
    ("ago", "delay", "is_due"),
    [(10, 30, False), (40, 30, True), (-5, 30, False), (-600, 0, True)],
    ids=["20 minutes left", "already due", "closed in the future", "closed in the future, without a delay"],
)
def test_the_delay_starts_at_the_close_but_never_in_the_future(
    records: Records, ago: int, delay: int, *, is_due: bool
) -> None:
    close = close_of(ago=ago * MINUTE)
    records.accept(close, [Survey(delay=delay * MINUTE)])
    assert take_tasks(records._redis, records._queue_key) == [(Journey.OFFER, SURVEY_ID)] * is_due
    record = records.load(SURVEY_ID)
    assert record is not None
    assert record.offer.due_at == (close.closed_at if ago > 0 else record.accepted_at) + delay * MINUTE


def test_the_first_candidate_provides_the_terms_until_the_decision(records: Records) -> None:
    first, second = replace(AT_ONCE, name="first"), replace(AT_ONCE, name="second")
    records.accept(close_of(), [first, second])
    record = load(records)
    assert (record.terms, record.candidates) == (first, (first, second))


def test_a_reopening_within_two_minutes_of_the_link_is_ignored(records: Records) -> None:
    records.accept(close_of(ago=MINUTE), [replace(AT_ONCE, reminder=DAY)])
    offer(records)
    delivered_at = load(records).offer.delivered_at
    assert delivered_at
    for later, outcome in ((2 * MINUTE, "older"), (2 * MINUTE + timedelta(milliseconds=1), "not_reminded")):
        opened = Change(48213, ChangeKind.REOPENED, delivered_at + later)
        assert records.cancel(opened, OfferState.CANCELLED, Reason.REOPENED) == outcome
