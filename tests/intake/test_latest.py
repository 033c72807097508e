"""Several answers of one survey share a spool entry, with the same effect as separate entries."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from service.intake.latest import Repeated, add_to, key_of
from service.intake.spool import Entry
from service.intake.spool_codec import SpooledAnswer, SpooledOptOut, read_entries
from service.records.answer_transitions import GivenAnswer
from service.records.records import Records
from service.surveys.definition import Survey
from service.surveys.links import Link
from service.surveys.model import Offer
from service.surveys.ratings import RatingType

BEGUN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
TERMS = Survey(editable_for=timedelta(hours=2), suspect_editable_for=timedelta(hours=2))
numbers = count(700_000)


def link(survey_id: str) -> Link:
    return Link(survey_id, int(survey_id), "default", (Offer(RatingType.CSAT, "0e2f"),))


@st.composite
def given_answers(draw: st.DrawFn, min_size: int, max_size: int) -> list[SpooledAnswer]:
    """Draw answers of a survey in the order of their times, some suspect, some with a comment or its removal."""
    kinds = st.tuples(st.integers(1, 3), st.sampled_from(["", "", "Tak", "Nej", None]), st.booleans())
    return answered(*draw(st.lists(kinds, min_size=min_size, max_size=max_size)))


def answered(*made: tuple[int, str | None, bool]) -> list[SpooledAnswer]:
    """Return answers a minute apart. Each is given as score, comment and suspicion."""
    return [
        SpooledAnswer(
            GivenAnswer(link("1"), TERMS, {RatingType.CSAT: score}, comment, "en", is_suspect),
            BEGUN + timedelta(minutes=number),
        )
        for number, (score, comment, is_suspect) in enumerate(made)
    ]


def merge(waiting: list[Repeated]) -> Entry:
    entry: Entry | None = None
    for each in waiting:
        entry = add_to(entry, each)
    assert entry
    return entry


def outcome(records: Records, answers: list[SpooledAnswer]) -> dict[str, Any]:
    """Drain these answers. Return the answer's fields of the record."""
    survey_id = str(next(numbers))
    for each in answers:
        records.save_answer(replace(each.answer, link=link(survey_id)), each.answered_at)
    names = ("answer_state", "score:Csat", "comment", "comment_sha1", "suspect", "answered_at")
    found = records._redis.hgetall(records._key(survey_id))
    return {name: found.get(name) for name in names}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(before=answered((1, "Tak", False)), waiting=answered((1, None, True), (2, "Tak", True), (1, "", False)))
@example(before=answered((1, "Nej", False)), waiting=answered((1, None, True), (2, "Nej", True)))
@given(before=given_answers(0, 3), waiting=given_answers(1, 6))
def test_merged_entry_has_the_effect_of_separate_entries(
    records: Records, before: list[SpooledAnswer], waiting: list[SpooledAnswer]
) -> None:
    earlier = [SpooledAnswer(each.answer, each.answered_at - timedelta(hours=1)) for each in before]
    several = [each for each in read_entries(merge([*waiting])) if isinstance(each, SpooledAnswer)]
    assert len(several) <= 3
    assert outcome(records, [*earlier, *several]) == outcome(records, [*earlier, *waiting])


@given(waiting=given_answers(1, 6))
def test_at_most_three_answers_are_kept(waiting: list[SpooledAnswer]) -> None:
    assert len(merge([*waiting])["entries"]) <= 3


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=6))
def test_only_the_latest_opt_out_or_opt_in_is_kept(requests: list[tuple[bool, int]]) -> None:
    waiting: list[Repeated] = [
        SpooledOptOut(link("1"), is_opt_in, BEGUN + timedelta(minutes=minute)) for is_opt_in, minute in requests
    ]
    latest = max(minute for _, minute in requests)
    last = next(is_opt_in for is_opt_in, minute in reversed(requests) if minute == latest)
    assert read_entries(merge(waiting)) == (SpooledOptOut(link("1"), last, BEGUN + timedelta(minutes=latest)),)


def test_answers_and_opt_outs_have_separate_entries() -> None:
    answer = SpooledAnswer(GivenAnswer(link("1"), TERMS, {RatingType.CSAT: 4}, "", "en", is_suspect=False), BEGUN)
    opt_out = SpooledOptOut(link("1"), is_opt_in=False, wished_at=BEGUN)
    other = SpooledOptOut(link("2"), is_opt_in=False, wished_at=BEGUN)
    assert len({key_of(answer), key_of(opt_out), key_of(other)}) == 3
