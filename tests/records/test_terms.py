"""The terms of a survey are stored once, under their hash, for as long as a record may name them."""

from dataclasses import replace
from datetime import timedelta

import pytest
import redis

from service.records.records import Records
from service.records.terms_codec import store_terms
from service.surveys.definition import Survey
from service.surveys.model import Claim, Decision
from service.surveys.on_answer import OnAnswer
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import Journey, OfferState, Verdict
from tests.harness import AT_ONCE, CSAT, NPS, Story
from tests.records.steps import DAY, MINUTE, SURVEY_ID, answer, claim, close_of, is_about, link_of, load, offer, submit

FIRST, SECOND = replace(AT_ONCE, name="first"), replace(AT_ONCE, name="second")
YEAR = 365 * DAY


def key_of(prefix: str, survey: Survey) -> str:
    return f"{prefix}terms:{store_terms(survey).name}"


def left(client: redis.Redis, key: str) -> timedelta:
    return timedelta(milliseconds=int(client.pttl(key)))


def test_many_records_name_the_terms_of_one_survey(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    for number in (1, 2, 3):
        records.accept(close_of(number), [AT_ONCE])
    assert redis_client.keys(f"{prefix}terms:*") == [key_of(prefix, AT_ONCE)]
    assert all(record and record.terms == AT_ONCE for record in map(records.load, "123"))
    assert "message" not in str(redis_client.hgetall(f"{prefix}survey:1"))


def test_each_candidate_has_its_terms_until_one_is_chosen(records: Records) -> None:
    records.accept(close_of(), [FIRST, SECOND])
    assert load(records).candidates == (FIRST, SECOND)
    assert load(records).terms == FIRST
    assert claim(records).record.candidates == (FIRST, SECOND)


def test_terms_outlive_their_records(redis_client: redis.Redis, prefix: str) -> None:
    records = Records(redis_client, lease=MINUTE, keep=90 * DAY, prefix=prefix)
    records.accept(close_of(), [AT_ONCE])
    key = key_of(prefix, AT_ONCE)
    assert is_about(left(redis_client, key), 2 * 90 * DAY + 2 * YEAR)
    redis_client.pexpire(key, 2 * 90 * DAY + YEAR + MINUTE)
    records.accept(close_of(7), [AT_ONCE])
    assert is_about(left(redis_client, key), 2 * 90 * DAY + YEAR + MINUTE), "still enough for the new record"
    redis_client.pexpire(key, 2 * 90 * DAY + YEAR - MINUTE)
    records.accept(close_of(8), [AT_ONCE])
    assert is_about(left(redis_client, key), 2 * 90 * DAY + 2 * YEAR)


def test_an_answer_to_a_lost_record_stores_the_terms_of_the_link(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    answer(records, terms=FIRST)
    assert redis_client.exists(key_of(prefix, FIRST))
    assert load(records).terms == FIRST


def test_a_record_without_its_terms_is_read_and_its_answer_submitted(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    records.accept(close_of(), [FIRST, SECOND])
    offer(records)
    redis_client.delete(key_of(prefix, FIRST), key_of(prefix, SECOND))
    records = Records(redis_client, lease=MINUTE, keep=DAY, prefix=prefix)
    assert (load(records).terms, load(records).candidates) == (None, ())
    # The page has the terms of the link's survey, as surveys.toml has it now.
    now = replace(FIRST, on_answer=(OnAnswer((4,), RatingType.CSAT, note=True),))
    answer(records, terms=now)
    assert load(records).terms == now
    assert load(records).follow_up
    submit(records)
    assert load(records).offers == link_of().offers


def test_an_offer_waits_for_its_lost_terms(story: Story) -> None:
    survey_id = story.begin()
    client, key = story.records._redis, story.records._terms_key(store_terms(AT_ONCE).name)
    client.delete(key)
    story.offering.run(survey_id)
    record = story.load(survey_id)
    assert (record.offer.state, record.offer.tries) == (OfferState.DECIDING, 1)
    story.begin()
    assert story.ask(survey_id).offer.state is OfferState.DELIVERED


def test_the_next_close_brings_lost_terms_back(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    records.accept(close_of(), [FIRST])
    redis_client.delete(key_of(prefix, FIRST))
    records.accept(close_of(7), [FIRST])
    assert load(records).terms == FIRST


def test_the_terms_in_memory_are_limited(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.records.queries._MAX_KNOWN", 2)
    surveys = [replace(AT_ONCE, name=name) for name in "abc"]
    for number, survey in enumerate(surveys, start=1):
        records.accept(close_of(number), [survey])
    for _ in range(2):
        found = [record.terms for number in "123" if (record := records.load(number))]
        assert found == surveys
    assert len(records._known_terms) <= 2


def test_terms_inside_of_an_older_record_are_read(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    records.accept(close_of(), [FIRST, SECOND])
    first, second = (store_terms(each).text for each in (FIRST, SECOND))
    redis_client.hset(f"{prefix}survey:{SURVEY_ID}", mapping={"terms": first, "candidates": f"[{first}, {second}]"})
    redis_client.delete(key_of(prefix, FIRST), key_of(prefix, SECOND))
    found = claim(records).record
    assert (found.terms, found.candidates) == (FIRST, (FIRST, SECOND))


def test_a_suspect_answer_keeps_the_reminder_of_the_terms(records: Records) -> None:
    survey = replace(AT_ONCE, reminder=DAY)
    records.accept(close_of(), [survey])
    begin_offer(records)
    answer(records, terms=survey, is_suspect=True)
    assert load(records).offer.state is OfferState.REMINDING


@pytest.mark.parametrize(("ratings", "state"), [((CSAT, NPS), OfferState.OFFERING), ((CSAT,), OfferState.OFFERED)])
def test_a_retry_makes_the_offers_of_the_terms(
    records: Records, ratings: tuple[RatingType, ...], state: OfferState
) -> None:
    records.accept(close_of(), [replace(AT_ONCE, ratings=ratings)])
    found = begin_offer(records)
    records.offered(found, CSAT, "rating")
    records.fail(found, Reason.REFUSED)
    assert records.retry(Journey.OFFER, SURVEY_ID) == "retried"
    assert load(records).offer.state is state


def begin_offer(records: Records) -> Claim:
    found = claim(records)
    records.decide(found, Decision(Verdict.ASK), "en")
    records.begin_call(found, CSAT, [], timedelta())
    return found
