"""The editable time of an answer, and its extensions."""

from datetime import UTC, datetime, timedelta

import pytest
import redis

from service.records.codec import to_ms
from service.records.outcomes import StaleClaim
from service.records.records import Records
from service.surveys.definition import Survey
from service.surveys.states import Journey
from tests.harness import CSAT
from tests.records.steps import MINUTE, SURVEY_ID, answer, claim, is_about, load, saved_answer, submit


def test_a_changed_answer_replaces_the_old_answer_and_is_editable_again(records: Records) -> None:
    assert answer(records, 1, terms=Survey(editable_for=MINUTE)) == "saved"
    first = load(records).answer
    assert answer(records, 2, terms=Survey(editable_for=2 * MINUTE)) == "saved"
    second = load(records).answer
    assert first is not None
    assert second is not None
    assert first.due_at is not None
    assert second.due_at is not None
    assert second.due_at - first.due_at >= MINUTE
    assert saved_answer(records) == ({"Csat": 2}, "")


class EditableAnswer:
    """The editable time of an answer, with times as distances from now."""

    def __init__(self, records: Records, client: redis.Redis, prefix: str) -> None:
        self.records = records
        self._client = client
        self._key = f"{prefix}survey:{SURVEY_ID}"

    def answer(self, terms: Survey, *, since: timedelta, left: timedelta) -> None:
        """Save a first answer with this age and remaining editable time."""
        assert answer(self.records, 1, terms=terms) == "saved"
        self.move(since=since, left=left)

    def move(self, *, since: timedelta, left: timedelta) -> None:
        now = datetime.now(UTC)
        times = {"first_answered_at": to_ms(now - since), "answer_due": to_ms(now + left)}
        self._client.hset(self._key, mapping=times)  # type: ignore[arg-type]

    @property
    def left(self) -> timedelta:
        """The remaining editable time."""
        progress = load(self.records).answer
        assert progress is not None
        assert progress.due_at is not None
        return progress.due_at - datetime.now(UTC)


@pytest.fixture
def editable(records: Records, redis_client: redis.Redis, prefix: str) -> EditableAnswer:
    return EditableAnswer(records, redis_client, prefix)


CHANGES = {
    # editable_for, extend, age of the first answer, time left before and after the extension (minutes)
    "longer than the time left": (5, 20, 1, 4, 20),
    "shorter than the time left": (30, 20, 1, 29, 29),
    "extension off": (5, 0, 1, 4, 4),
    "up to an hour after the first answer": (5, 20, 50, 2, 10),
    "no longer than an hour": (5, 20, 58, 2, 2),
    "longer editable time stays": (600, 20, 300, 300, 300),
}


@pytest.mark.parametrize("case", CHANGES)
def test_an_extension_never_shortens_the_time(editable: EditableAnswer, case: str) -> None:
    editable_for, extend, since, left, wanted = (count * MINUTE for count in CHANGES[case])
    terms = Survey(editable_for=editable_for, extend=extend)
    editable.answer(terms, since=since, left=left)
    until = editable.records.extend(SURVEY_ID, terms)
    assert until is not None
    progress = load(editable.records).answer
    assert progress is not None
    assert progress.due_at == until
    assert is_about(editable.left, wanted)
    assert editable.records.extend(SURVEY_ID, terms) >= until  # type: ignore[operator]
    assert is_about(editable.left, wanted)


RENEWED = {
    # editable_for, age of the first answer, time left before and after a change (minutes)
    "renewed": (5, 1, 4, 5),
    "longer promised time stays": (5, 1, 20, 20),
    "up to an hour after the first answer": (5, 58, 1, 2),
    "no longer than an hour": (5, 61, 1, 1),
    "longer editable time counts from the first answer": (600, 300, 200, 300),
}


@pytest.mark.parametrize("case", RENEWED)
def test_changes_delay_a_result_by_an_hour_at_most(editable: EditableAnswer, case: str) -> None:
    editable_for, since, left, wanted = (count * MINUTE for count in RENEWED[case])
    terms = Survey(editable_for=editable_for)
    editable.answer(terms, since=since, left=left)
    for score in (2, 3, 4):
        assert answer(editable.records, score, terms=terms) == "saved"
        assert is_about(editable.left, wanted)


def test_repeated_extensions_end_at_the_same_limit(editable: EditableAnswer) -> None:
    terms = Survey()
    editable.answer(terms, since=timedelta(), left=5 * MINUTE)
    for passed, wanted in ((15, 20), (30, 20), (45, 15), (59, 1)):
        editable.move(since=passed * MINUTE, left=timedelta(seconds=30))
        editable.records.extend(SURVEY_ID, terms)
        answer(editable.records, passed % 5, terms=terms)
        assert is_about(editable.left, wanted * MINUTE)


def test_the_editable_time_is_not_extended_after_its_end(editable: EditableAnswer) -> None:
    terms = Survey()
    assert editable.records.extend(SURVEY_ID, terms) is None
    editable.answer(terms, since=70 * MINUTE, left=timedelta(milliseconds=-1))
    assert editable.records.extend(SURVEY_ID, terms) is None
    submit(editable.records)
    assert editable.records.extend(SURVEY_ID, terms) is None


def test_the_editable_time_is_not_extended_during_a_submit(records: Records) -> None:
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


def test_a_repeated_answer_does_not_extend_the_time(records: Records) -> None:
    answer(records, 3, "Same", Survey(editable_for=MINUTE))
    before = load(records).answer
    assert answer(records, 3, "Same", Survey(editable_for=2 * MINUTE)) == "same"
    after = load(records).answer
    assert before
    assert after
    assert (after.due_at, after.answer.scores, after.state) == (before.due_at, before.answer.scores, before.state)
