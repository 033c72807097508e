"""A customer's answer: saving, changing and submitting it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import redis

from service.records.answer_transitions import GivenAnswer
from service.records.codec import to_ms
from service.records.outcomes import StaleClaim
from service.records.records import Records
from service.surveys.definition import Survey
from service.surveys.model import Decision
from service.surveys.on_answer import OnAnswer
from service.surveys.reasons import Reason
from service.surveys.retention import Retention
from service.surveys.states import AnswerState, Journey, OfferState, Verdict
from tests.harness import AT_ONCE, CSAT, NPS
from tests.records.steps import DAY, MINUTE, SURVEY_ID, answer, claim, close_of, link_of, load, saved_answer, submit
from tests.tasks import take_due

NOW = datetime.now(UTC)


def test_a_comment_is_deleted_after_its_submit(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    answer(records, 4, "A secret thought")
    assert saved_answer(records) == ({"Csat": 4}, "A secret thought")
    submit(records)
    assert saved_answer(records) == ({"Csat": 4}, "")
    assert "secret" not in str(redis_client.hgetall(f"{prefix}survey:{SURVEY_ID}"))
    progress = load(records).answer
    assert progress is not None
    assert progress.has_comment
    assert answer(records, 4, "A secret thought") == "same"


def test_a_final_answer_loses_the_times_that_only_a_change_needs(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    times = {"commented_at", "first_answered_at"}
    answer(records, 4, "Thanks")
    assert times <= redis_client.hgetall(f"{prefix}survey:{SURVEY_ID}").keys()
    submit(records)
    assert not times & redis_client.hgetall(f"{prefix}survey:{SURVEY_ID}").keys()
    assert answer(records, 5, "Thanks") == "not_changed"


def test_a_failed_answer_keeps_its_comment(records: Records) -> None:
    answer(records, 4, "Worth keeping")
    records.fail(claim(records, Journey.ANSWER), Reason.REFUSED)
    assert saved_answer(records) == ({"Csat": 4}, "Worth keeping")


@pytest.mark.parametrize("failed", [False, True])
def test_a_comment_in_dixa_is_kept_only_for_a_failed_follow_up(
    redis_client: redis.Redis, prefix: str, *, failed: bool
) -> None:
    records = Records(redis_client, lease=MINUTE, keep=DAY, retention=Retention(DAY, DAY, DAY, DAY), prefix=prefix)
    answer(records, 4, "A secret thought", replace(AT_ONCE, on_answer=(OnAnswer((4,), CSAT, note=True),)))
    following = claim(records, Journey.FOLLOW_UP)
    records.fail(following, Reason.REFUSED) if failed else records.followed(following)
    submit(records)
    kept = redis_client.get(f"{prefix}retry:{SURVEY_ID}:comment")
    assert kept == ("A secret thought" if failed else None)


def test_the_offer_of_a_customer_with_an_answer_is_not_retried(records: Records) -> None:
    records.accept(close_of(), [AT_ONCE])
    records.fail(claim(records), Reason.REFUSED)
    answer(records)
    assert records.retry(Journey.OFFER, SURVEY_ID) == "not_failed"


def test_a_failed_answer_does_not_count_as_a_decision(records: Records) -> None:
    answer(records)
    records.fail(claim(records, Journey.ANSWER), Reason.REFUSED)
    assert records.count_decisions(datetime.now(UTC).date()) == {}


def test_a_spooled_removal_counts_despite_later_changed_scores(records: Records) -> None:
    answer(records, 4, "my card 4111", answered_at=NOW - 3 * MINUTE)
    answer(records, 2, answered_at=NOW - MINUTE)
    assert answer(records, 4, None, answered_at=NOW - 2 * MINUTE) == "superseded"
    assert saved_answer(records) == ({"Csat": 2}, "")


def test_a_spooled_comment_counts_despite_later_changed_scores(records: Records) -> None:
    answer(records, 4, answered_at=NOW - 3 * MINUTE)
    answer(records, 2, answered_at=NOW - MINUTE)
    assert answer(records, 4, "From between", answered_at=NOW - 2 * MINUTE) == "superseded"
    assert saved_answer(records) == ({"Csat": 2}, "From between")


@pytest.mark.parametrize("last", ["Said last", None])
def test_the_last_change_of_the_comment_counts(records: Records, last: str | None) -> None:
    answer(records, 4, answered_at=NOW - 4 * MINUTE)
    answer(records, 4, last, answered_at=NOW - MINUTE)
    for comment in ("Said before", None):
        answer(records, 4, comment, answered_at=NOW - 2 * MINUTE)
    assert saved_answer(records) == ({"Csat": 4}, last or "")


def test_a_suspect_form_removes_the_comment_and_changes_nothing_else(records: Records) -> None:
    answer(records, 4, "Said before")
    assert answer(records, 1, None, is_suspect=True) == "ignored"
    assert saved_answer(records) == ({"Csat": 4}, "")


def test_a_blank_comment_keeps_the_earlier_comment(records: Records) -> None:
    answer(records, 4, "Said before")
    assert answer(records, 5, "") == "saved"
    assert saved_answer(records) == ({"Csat": 5}, "Said before")
    assert answer(records, 5, "") == "same"
    assert answer(records, 5, "Another") == "saved"
    assert saved_answer(records) == ({"Csat": 5}, "Another")


def test_a_score_missing_in_a_changed_answer_is_removed(records: Records) -> None:
    terms = Survey(ratings=(CSAT, NPS))
    records.save_answer(GivenAnswer(link_of(), terms, {CSAT: 1, NPS: 2}, "", "en"))
    records.save_answer(GivenAnswer(link_of(), terms, {NPS: 0}, "", "da"))
    assert saved_answer(records) == ({"Nps": 0}, "")
    assert load(records).answered.language == "da"


def test_a_repeated_answer_supersedes_a_spooled_answer_in_between(records: Records) -> None:
    answer(records, 5, answered_at=NOW - 2 * MINUTE)
    assert answer(records, 5) == "same"
    assert answer(records, 3, answered_at=NOW - MINUTE) == "superseded"
    assert saved_answer(records) == ({"Csat": 5}, "")


def test_a_spooled_repetition_keeps_the_later_time_of_the_answer(records: Records) -> None:
    answer(records, 5)
    assert answer(records, 5, answered_at=NOW - 2 * MINUTE) == "same"
    assert answer(records, 3, answered_at=NOW - MINUTE) == "superseded"


def test_an_answer_is_never_dated_in_the_future(records: Records) -> None:
    """The clock of the spool's host was ahead."""
    answer(records, 5, answered_at=datetime.now(UTC) + 2 * MINUTE)
    assert answer(records, 1) == "saved"
    assert saved_answer(records) == ({"Csat": 1}, "")


def test_an_answer_now_is_the_latest_after_a_clock_set_back(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    answer(records, 5)
    ahead = to_ms(datetime.now(UTC) + 2 * MINUTE)
    redis_client.hset(f"{prefix}survey:{SURVEY_ID}", "answered_at", ahead)
    assert answer(records, 1) == "saved"
    assert saved_answer(records) == ({"Csat": 1}, "")
    assert answer(records, 4, answered_at=datetime.now(UTC)) == "superseded"


@pytest.mark.parametrize(("reason", "outcome"), [(Reason.REOPENED, "saved"), (Reason.ERASED, "closed")])
def test_an_answer_reopens_a_cancelled_record_from_a_backup(records: Records, reason: Reason, outcome: str) -> None:
    """The backup had no offer, so a later reopening cancelled it."""
    records.accept(close_of(), [AT_ONCE])
    records.decide(claim(records), Decision(Verdict.CANCEL, reason))
    assert answer(records, 4) == outcome
    if outcome == "saved":
        submit(records)


def test_an_answer_can_not_change_during_the_submit(records: Records) -> None:
    answer(records, 1)
    found = claim(records, Journey.ANSWER)
    records.begin_call(found, CSAT, [], timedelta())
    assert answer(records, 5) == "not_changed"
    assert answer(records, 1) == "same"
    records.submitted(found, CSAT, [CSAT])
    assert answer(records, 5) == "not_changed"
    assert saved_answer(records) == ({"Csat": 1}, "")


def test_the_later_answer_counts_in_any_order_of_arrival(records: Records) -> None:
    """Answers in the spools of two web processes are drained in any order."""
    answer(records, 2, answered_at=NOW)
    assert answer(records, 1, answered_at=NOW - MINUTE) == "superseded"
    assert saved_answer(records) == ({"Csat": 2}, "")
    assert answer(records, 3, answered_at=NOW + timedelta(seconds=1)) == "saved"
    assert saved_answer(records) == ({"Csat": 3}, "")


def test_an_answer_before_the_recorded_offer_ends_the_offer_journey(records: Records) -> None:
    """The customer was quicker than a worker frozen between Dixa's response and its own next write."""
    records.accept(close_of(), [AT_ONCE])
    found = claim(records)
    records.decide(found, Decision(Verdict.ASK), "en")
    records.begin_call(found, CSAT, [], timedelta())
    assert answer(records, 4) == "saved"
    record = load(records)
    assert record.offer.state is OfferState.DELIVERED
    assert [(each.rating, each.rating_id) for each in record.offers] == [(CSAT, "rating")]
    assert record.reconcile_first
    with pytest.raises(StaleClaim, match="stale"):
        records.offered(found, CSAT, "another")
    assert take_due(records, Journey.OFFER, 10, MINUTE) == []
    submit(records)


def test_an_answer_without_a_record_creates_a_record(records: Records) -> None:
    assert answer(records, 4, "Still here") == "saved"
    record = load(records)
    assert (record.close, record.terms, record.offer.state) == (None, AT_ONCE, OfferState.DELIVERED)
    assert [offer.rating_id for offer in record.offers] == ["rating"]
    submit(records)
    progress = load(records).answer
    assert progress is not None
    assert progress.state is AnswerState.SUBMITTED
    assert records.accept(close_of(), [AT_ONCE])[0] == "duplicate"


def test_an_erased_survey_accepts_no_answer(records: Records) -> None:
    records.accept(close_of(), [AT_ONCE])
    records.decide(claim(records), Decision(Verdict.CANCEL, Reason.ERASED))
    assert answer(records) == "closed"
    assert load(records).answer is None
