"""How long an answer can be changed."""

from datetime import UTC, datetime, timedelta

import pytest
import redis

from service.records.codec import to_ms
from service.records.outcomes import StaleClaim
from service.records.records import Records
from service.surveys.definition import Survey
from service.surveys.states import Journey
from tests.harness import CSAT
from tests.records.steps import MINUTE, SURVEY_ID, answer, claim, is_about, load, said, submit


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
    held.answer(terms, since=70 * MINUTE, left=timedelta(milliseconds=-1))
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


def test_the_same_answer_again_does_not_extend_the_time(records: Records) -> None:
    answer(records, 3, "Same", Survey(editable_for=MINUTE))
    before = load(records).answer
    assert answer(records, 3, "Same", Survey(editable_for=2 * MINUTE)) == "same"
    after = load(records).answer
    assert before
    assert after
    assert (after.due_at, after.answer.scores, after.state) == (before.due_at, before.answer.scores, before.state)
