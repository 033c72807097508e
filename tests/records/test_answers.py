"""A customer's answer: saving, changing, the lifetime of a record, and a Redis that is down."""

import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis

from service.records.answer_transitions import GivenAnswer
from service.records.codec import to_ms
from service.records.outcomes import StaleClaim
from service.records.records import Records
from service.records.redis import RecordsUnavailable, connect
from service.surveys.definition import Survey
from service.surveys.model import Decision, Record
from service.surveys.reasons import Reason
from service.surveys.states import AnswerState, Journey, OfferState, Verdict
from tests.harness import AT_ONCE, CSAT, NPS
from tests.polling import eventually
from tests.processes import RedisServer, free_port
from tests.records.test_claims import MINUTE, SURVEY_ID, answer, claim, close_of, link_of

DAY = timedelta(days=1)
NOW = datetime.now(UTC)


def load(records: Records) -> Record:
    found = records.load(SURVEY_ID)
    assert found is not None
    return found


def said(records: Records) -> tuple[dict[str, int], str]:
    found = load(records).answered
    return {str(rating): score for rating, score in found.scores.items()}, found.comment


def submit(records: Records) -> None:
    found = claim(records, Journey.ANSWER)
    records.begin_call(found, CSAT, [], timedelta())
    records.submitted(found, CSAT, [CSAT])


def offer(records: Records) -> None:
    found = claim(records)
    records.decide(found, Decision(Verdict.ASK), "en")
    records.begin_call(found, CSAT, [], timedelta())
    records.offered(found, CSAT, "rating")
    records.begin_delivery(found, "message")
    records.delivered(found)


def test_a_comment_is_deleted_once_it_is_in_dixa(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    answer(records, 4, "A secret thought")
    assert said(records) == ({"Csat": 4}, "A secret thought")
    submit(records)
    assert said(records) == ({"Csat": 4}, "")
    assert "secret" not in str(redis_client.hgetall(f"{prefix}survey:{SURVEY_ID}"))
    progress = load(records).answer
    assert progress is not None
    assert progress.has_comment
    assert answer(records, 4, "A secret thought") == "same"


def test_a_failed_answer_keeps_its_comment(records: Records) -> None:
    answer(records, 4, "Worth keeping")
    records.fail(claim(records, Journey.ANSWER), Reason.REFUSED)
    assert said(records) == ({"Csat": 4}, "Worth keeping")


def test_a_removal_from_a_spool_counts_though_the_scores_were_changed_since(records: Records) -> None:
    answer(records, 4, "my card 4111", answered_at=NOW - 3 * MINUTE)
    answer(records, 2, answered_at=NOW - MINUTE)
    assert answer(records, 4, None, answered_at=NOW - 2 * MINUTE) == "superseded"
    assert said(records) == ({"Csat": 2}, "")


def test_a_comment_from_a_spool_counts_though_the_scores_were_changed_since(records: Records) -> None:
    answer(records, 4, answered_at=NOW - 3 * MINUTE)
    answer(records, 2, answered_at=NOW - MINUTE)
    assert answer(records, 4, "From between", answered_at=NOW - 2 * MINUTE) == "superseded"
    assert said(records) == ({"Csat": 2}, "From between")


@pytest.mark.parametrize("last", ["Said last", None])
def test_the_last_change_of_the_comment_counts(records: Records, last: str | None) -> None:
    answer(records, 4, answered_at=NOW - 4 * MINUTE)
    answer(records, 4, last, answered_at=NOW - MINUTE)
    for comment in ("Said before", None):
        answer(records, 4, comment, answered_at=NOW - 2 * MINUTE)
    assert said(records) == ({"Csat": 4}, last or "")


def test_a_blank_comment_keeps_the_earlier_one(records: Records) -> None:
    answer(records, 4, "Said before")
    assert answer(records, 5, "") == "saved"
    assert said(records) == ({"Csat": 5}, "Said before")
    assert answer(records, 5, "") == "same"
    assert answer(records, 5, "Another") == "saved"
    assert said(records) == ({"Csat": 5}, "Another")


def test_a_changed_answer_replaces_the_old_one_and_is_editable_again(records: Records) -> None:
    assert answer(records, 1, terms=Survey(editable_for=MINUTE)) == "saved"
    first = load(records).answer
    assert answer(records, 2, terms=Survey(editable_for=2 * MINUTE)) == "saved"
    second = load(records).answer
    assert first is not None
    assert second is not None
    assert first.due_at is not None
    assert second.due_at is not None
    assert second.due_at - first.due_at >= MINUTE
    assert said(records) == ({"Csat": 2}, "")


class Held:
    """The editable time of an answer, with times as distances from now."""

    def __init__(self, records: Records, client: redis.Redis, prefix: str) -> None:
        self.records = records
        self._client = client
        self._key = f"{prefix}survey:{SURVEY_ID}"

    def answer(self, terms: Survey, *, since: timedelta, left: timedelta) -> None:
        """A first answer came so long ago, and is due in a while."""
        assert answer(self.records, 1, terms=terms) == "saved"
        self.move(since=since, left=left)

    def move(self, *, since: timedelta, left: timedelta) -> None:
        now = datetime.now(UTC)
        times = {"first_answered_at": to_ms(now - since), "answer_due": to_ms(now + left)}
        self._client.hset(self._key, mapping=times)  # type: ignore[arg-type]

    @property
    def left(self) -> timedelta:
        """How long it can still be changed."""
        progress = load(self.records).answer
        assert progress is not None
        assert progress.due_at is not None
        return progress.due_at - datetime.now(UTC)


@pytest.fixture
def held(records: Records, redis_client: redis.Redis, prefix: str) -> Held:
    return Held(records, redis_client, prefix)


CHANGES = {
    # hold, extend (minutes); how long ago the first answer was, and how long is left; what is left then
    "more than is left": (5, 20, 1, 4, 20),
    "less than is left": (30, 20, 1, 29, 29),
    "off": (5, 0, 1, 4, 4),
    "up to an hour after the first answer": (5, 20, 50, 2, 10),
    "no further": (5, 20, 58, 2, 2),
    "a longer hold stays": (600, 20, 300, 300, 300),
}


@pytest.mark.parametrize("case", CHANGES)
def test_an_extension_never_shortens_the_time(held: Held, case: str) -> None:
    hold, extend, since, left, wanted = (count * MINUTE for count in CHANGES[case])
    terms = Survey(editable_for=hold, extend=extend)
    held.answer(terms, since=since, left=left)
    until = held.records.extend(SURVEY_ID, terms)
    assert until is not None
    progress = load(held.records).answer
    assert progress is not None
    assert progress.due_at == until
    assert is_about(held.left, wanted)
    assert held.records.extend(SURVEY_ID, terms) >= until  # type: ignore[operator]
    assert is_about(held.left, wanted)


HELD_ANEW = {
    # hold (minutes); how long ago the first answer was, and how long is left; what is left after a change
    "anew": (5, 1, 4, 5),
    "what was promised": (5, 1, 20, 20),
    "up to an hour after the first answer": (5, 58, 1, 2),
    "not for longer than that": (5, 61, 1, 1),
    "a longer hold counts from the first answer": (600, 300, 200, 300),
}


@pytest.mark.parametrize("case", HELD_ANEW)
def test_changes_delay_a_result_by_an_hour_at_most(held: Held, case: str) -> None:
    hold, since, left, wanted = (count * MINUTE for count in HELD_ANEW[case])
    terms = Survey(editable_for=hold)
    held.answer(terms, since=since, left=left)
    for score in (2, 3, 4):
        assert answer(held.records, score, terms=terms) == "saved"
        assert is_about(held.left, wanted)


def test_repeated_extensions_end_at_the_same_limit(held: Held) -> None:
    terms = Survey()
    held.answer(terms, since=timedelta(), left=5 * MINUTE)
    for passed, wanted in ((15, 20), (30, 20), (45, 15), (59, 1)):
        held.move(since=passed * MINUTE, left=timedelta(seconds=30))
        held.records.extend(SURVEY_ID, terms)
        answer(held.records, passed % 5, terms=terms)
        assert is_about(held.left, wanted * MINUTE)


def test_no_extension_after_the_time_is_over(held: Held) -> None:
    terms = Survey()
    assert held.records.extend(SURVEY_ID, terms) is None
    held.answer(terms, since=70 * MINUTE, left=-MINUTE)
    assert held.records.extend(SURVEY_ID, terms) is None
    submit(held.records)
    assert held.records.extend(SURVEY_ID, terms) is None


def test_no_extension_while_an_answer_is_submitted(records: Records) -> None:
    answer(records)
    records.begin_call(claim(records, Journey.ANSWER), CSAT, [], timedelta())
    assert records.extend(SURVEY_ID, Survey()) is None


def test_an_extension_also_delays_a_claimed_answer(records: Records) -> None:
    answer(records)
    found = claim(records, Journey.ANSWER)
    until = records.extend(SURVEY_ID, Survey())
    assert until is not None
    with pytest.raises(StaleClaim, match="early"):
        records.begin_call(found, CSAT, [], timedelta())
    records.reschedule(found, timedelta(), failed=False)
    assert records.claim(Journey.ANSWER, SURVEY_ID) is None
    progress = load(records).answer
    assert progress is not None
    assert progress.due_at == until


def test_a_score_missing_in_a_changed_answer_is_removed(records: Records) -> None:
    terms = Survey(ratings=(CSAT, NPS))
    records.save_answer(GivenAnswer(link_of(), terms, {CSAT: 1, NPS: 2}, "", "en"))
    records.save_answer(GivenAnswer(link_of(), terms, {NPS: 0}, "", "da"))
    assert said(records) == ({"Nps": 0}, "")
    assert load(records).answered.language == "da"


def test_the_same_answer_again_does_not_extend_the_time(records: Records) -> None:
    answer(records, 3, "Same", Survey(editable_for=MINUTE))
    before = load(records).answer
    assert answer(records, 3, "Same", Survey(editable_for=2 * MINUTE)) == "same"
    after = load(records).answer
    assert before
    assert after
    assert (after.due_at, after.answer.scores, after.state) == (before.due_at, before.answer.scores, before.state)


def test_an_answer_given_again_is_later_than_a_spooled_one_from_between(records: Records) -> None:
    answer(records, 5, answered_at=NOW - 2 * MINUTE)
    assert answer(records, 5) == "same"
    assert answer(records, 3, answered_at=NOW - MINUTE) == "superseded"
    assert said(records) == ({"Csat": 5}, "")


def test_an_answer_is_never_dated_in_the_future(records: Records) -> None:
    """The clock of the spool's host was ahead."""
    answer(records, 5, answered_at=datetime.now(UTC) + 2 * MINUTE)
    assert answer(records, 1) == "saved"
    assert said(records) == ({"Csat": 1}, "")


def test_an_answer_now_is_the_latest_though_redis_clock_was_set_back(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    answer(records, 5)
    ahead = to_ms(datetime.now(UTC) + 2 * MINUTE)
    redis_client.hset(f"{prefix}survey:{SURVEY_ID}", "answered_at", ahead)
    assert answer(records, 1) == "saved"
    assert said(records) == ({"Csat": 1}, "")
    assert answer(records, 4, answered_at=datetime.now(UTC)) == "superseded"


@pytest.mark.parametrize(("reason", "outcome"), [(Reason.REOPENED, "saved"), (Reason.ERASED, "closed")])
def test_an_answer_reopens_a_cancelled_record_from_a_backup(records: Records, reason: Reason, outcome: str) -> None:
    """The backup had no offer, so a later reopening cancelled it."""
    records.accept(close_of(), [AT_ONCE])
    records.decide(claim(records), Decision(Verdict.CANCEL, reason))
    assert answer(records, 4) == outcome
    if outcome == "saved":
        submit(records)


def test_an_answer_can_not_change_while_it_is_submitted(records: Records) -> None:
    answer(records, 1)
    found = claim(records, Journey.ANSWER)
    records.begin_call(found, CSAT, [], timedelta())
    assert answer(records, 5) == "not_changed"
    assert answer(records, 1) == "same"
    records.submitted(found, CSAT, [CSAT])
    assert answer(records, 5) == "not_changed"
    assert said(records) == ({"Csat": 1}, "")


def test_the_later_answer_counts_in_any_order_of_arrival(records: Records) -> None:
    """Answers in the spools of two web processes are drained in any order."""
    answer(records, 2, answered_at=NOW)
    assert answer(records, 1, answered_at=NOW - MINUTE) == "superseded"
    assert said(records) == ({"Csat": 2}, "")
    assert answer(records, 3, answered_at=NOW + timedelta(seconds=1)) == "saved"
    assert said(records) == ({"Csat": 3}, "")


def test_an_answer_before_the_offer_is_written_ends_the_offers_journey(records: Records) -> None:
    """The customer was quicker than a worker frozen between Dixa's response and its own next write."""
    records.accept(close_of(), [AT_ONCE])
    found = claim(records)
    records.decide(found, Decision(Verdict.ASK), "en")
    records.begin_call(found, CSAT, [], timedelta())
    assert answer(records, 4) == "saved"
    record = load(records)
    assert record.offer.state is OfferState.DELIVERED
    assert [(each.rating, each.rating_id) for each in record.offers] == [(CSAT, "rating")]
    with pytest.raises(StaleClaim, match="stale"):
        records.offered(found, CSAT, "another")
    assert records.take_due(Journey.OFFER, 10, MINUTE) == []
    submit(records)


def test_an_answer_without_a_record_creates_one(records: Records) -> None:
    assert answer(records, 4, "Still here") == "saved"
    record = load(records)
    assert (record.close, record.terms, record.offer.state) == (None, AT_ONCE, OfferState.DELIVERED)
    assert [offer.rating_id for offer in record.offers] == ["rating"]
    submit(records)
    progress = load(records).answer
    assert progress is not None
    assert progress.state is AnswerState.SUBMITTED
    assert records.accept(close_of(), [AT_ONCE]).outcome == "duplicate"


def test_no_answer_is_claimed_while_a_spool_may_hold_a_later_one(records: Records) -> None:
    answer(records, 2)
    records.delay_answers(MINUTE)
    assert records.claim(Journey.ANSWER, SURVEY_ID) is None
    assert answer(records, 5) == "saved"
    records.delay_answers(timedelta(milliseconds=1))
    found = eventually(lambda: records.claim(Journey.ANSWER, SURVEY_ID))
    assert found is not None
    assert found.record.answered.scores == {CSAT: 5}


def test_an_erased_survey_takes_no_answer(records: Records) -> None:
    records.accept(close_of(), [AT_ONCE])
    records.decide(claim(records), Decision(Verdict.CANCEL, Reason.ERASED))
    assert answer(records) == "closed"
    assert load(records).answer is None


def ttl(redis_client: redis.Redis, prefix: str) -> timedelta | None:
    """How long the record lives on; None for ever."""
    seconds = redis_client.ttl(f"{prefix}survey:{SURVEY_ID}")
    return None if seconds == -1 else timedelta(seconds=int(seconds))


def is_about(found: timedelta | None, wanted: timedelta) -> bool:
    return found is not None and wanted - MINUTE < found <= wanted


def test_an_open_record_never_expires(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    records.accept(close_of(), [AT_ONCE])
    assert ttl(redis_client, prefix) is None
    found = claim(records)
    records.decide(found, Decision(Verdict.ASK), "en")
    assert ttl(redis_client, prefix) is None


@pytest.mark.parametrize("end", ["skipped", "cancelled", "failed", "delivered"])
def test_an_ended_record_expires_after_ninety_days(
    records: Records, redis_client: redis.Redis, prefix: str, end: str
) -> None:
    if end == "skipped":
        records.accept(close_of(), [], Reason.CHANNEL)
    else:
        records.accept(close_of(), [AT_ONCE])
    if end == "cancelled":
        records.decide(claim(records), Decision(Verdict.CANCEL, Reason.REOPENED))
    if end == "failed":
        records.fail(claim(records), Reason.REFUSED)
    if end == "delivered":
        offer(records)
    assert load(records).offer.state == end
    assert is_about(ttl(redis_client, prefix), 90 * DAY)


def test_a_record_does_not_expire_before_its_answer_is_submitted(
    records: Records, redis_client: redis.Redis, prefix: str
) -> None:
    records.accept(close_of(), [AT_ONCE])
    offer(records)
    answer(records)
    assert ttl(redis_client, prefix) is None
    submit(records)
    assert is_about(ttl(redis_client, prefix), 90 * DAY)


def test_a_record_outlives_its_link(records: Records, redis_client: redis.Redis, prefix: str) -> None:
    records.accept(close_of(), [Survey(delay=timedelta(), expires=365 * DAY)])
    offer(records)
    assert is_about(ttl(redis_client, prefix), 366 * DAY)


def test_every_key_has_the_prefix(redis_server: RedisServer) -> None:
    client = connect(redis_server.new_database())
    records = Records(client, lease=MINUTE, keep=DAY, prefix="ours:")
    records.accept(close_of(), [AT_ONCE])
    offer(records)
    answer(records)
    submit(records)
    records.accept(close_of(7), [AT_ONCE])
    records.take_due(Journey.OFFER, 10, MINUTE)
    keys = [*client.scan_iter()]
    today = datetime.now(UTC).date()
    counted = [f"ours:asks:{today}:default", f"ours:decisions:{today}"]
    assert sorted(keys) == [*counted, "ours:due:offer", "ours:survey:48213", "ours:survey:7"]
    client.close()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that accepts connections and sends nothing, like a frozen Redis."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        yield port


ASKS: dict[str, Callable[[Records], object]] = {
    "accept": lambda records: records.accept(close_of(), [AT_ONCE]),
    "claim": lambda records: records.claim(Journey.OFFER, SURVEY_ID),
    "load": lambda records: records.load(SURVEY_ID),
    "ping": Records.ping,
    "answer": answer,
    "take": lambda records: records.take_due(Journey.OFFER, 1, MINUTE),
}


def refuse(port: int, *asks: str) -> None:
    client = connect(f"redis://127.0.0.1:{port}/0")
    for name in asks:
        with pytest.raises(RecordsUnavailable):
            ASKS[name](Records(client, lease=MINUTE, keep=DAY, prefix="none:"))
    client.close()


def test_a_redis_that_is_down_is_reported_at_once() -> None:
    refuse(free_port(), *ASKS)


@pytest.mark.timeout(15)
def test_a_frozen_redis_is_reported_within_seconds(silent_port: int) -> None:
    """A second each; redis-py's own retries would take a minute."""
    refuse(silent_port, "accept", "load")
