"""Every number of a report against a plain count in Python, over random rows and filters, on both databases."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings

from service.reports.answers import Answer, Cursor, Kind, Mood, read_answers
from service.reports.durations import Durations
from service.reports.estimates import Estimate
from service.reports.funnel import Funnel, Step, read_funnel
from service.reports.results import Results, read_results
from service.reports.selection import DIMENSIONS, NONE, Period, Selection
from service.surveys.ratings import RatingType
from tests.reports.conftest import FilledArchive
from tests.reports.random_rows import NOW, Case, cases

Rows = list[dict[str, Any]]

_ZONE = ZoneInfo("Europe/Copenhagen")

examples = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _is_selected(row: dict[str, Any], selection: Selection) -> bool:
    for name, column in DIMENSIONS.items():
        wanted = getattr(selection, name)
        if wanted and (row[column.name] or NONE) != wanted:
            return False
    return True


def _in(given: Iterable[dict[str, Any]], moment: str, period: Period, selection: Selection) -> Rows:
    return [
        row
        for row in given
        if row[moment] and period.since <= row[moment] < period.until and _is_selected(row, selection)
    ]


def _steps(closed: Rows) -> dict[Step, int]:
    return {
        Step.CLOSED: len(closed),
        Step.ASKED: sum(bool(row["asked_at"] or row["delivered_at"] or row["answered_at"]) for row in closed),
        Step.DELIVERED: sum(bool(row["delivered_at"] or row["answered_at"]) for row in closed),
        Step.ANSWERED: sum(bool(row["answered_at"]) for row in closed),
        Step.SUBMITTED: sum(bool(row["submitted_at"]) for row in closed),
    }


def _funnel(archive: FilledArchive, selection: Selection) -> Funnel:
    with archive.engine.connect() as connection:
        return read_funnel(connection, selection, NOW, unfold=True)


def _results(
    archive: FilledArchive, selection: Selection, by: Sequence[str], rating: RatingType | None = RatingType.CSAT
) -> Results:
    with archive.engine.connect() as connection:
        return read_results(connection, selection, by, _ZONE, NOW, rating=rating)


@examples
@given(cases)
def test_funnel_counts_each_survey_once(archive: FilledArchive, case: Case) -> None:
    found, selection = case.rows, case.selection
    archive.fill(found)
    funnel = _funnel(archive, selection)
    closed = _in(found, "closed_at", selection.period, selection)
    assert funnel.steps == _steps(closed)
    assert funnel.before == _steps(_in(found, "closed_at", selection.before, selection))
    # Whoever is not at the end fell out once.
    assert sum(cause.count for cause in funnel.causes) == funnel.steps[Step.CLOSED] - funnel.steps[Step.SUBMITTED]
    for step, following in zip(Step, [*Step][1:], strict=False):
        assert sum(cause.count for cause in funnel.lost_after(step)) == funnel.steps[step] - funnel.steps[following]
    assert funnel.suspects == sum(row["is_suspect"] for row in closed)
    assert funnel.failed_follow_ups == sum(row["failure"] == "follow_up" for row in closed)


@examples
@given(cases)
def test_causes_have_the_rules_of_their_surveys(archive: FilledArchive, case: Case) -> None:
    found, selection = case.rows, case.selection
    archive.fill(found)
    funnel = _funnel(archive, selection)
    closed = _in(found, "closed_at", selection.period, selection)
    expected = Counter((row["survey"], row["rule"]) for row in closed if row["rule"] and not row["submitted_at"])
    assert sum((cause.rules for cause in funnel.causes), Counter()) == expected
    not_asked = [row for row in closed if not (row["asked_at"] or row["delivered_at"] or row["answered_at"])]
    mismatches = Counter(tuple(each) for row in not_asked for each in row["mismatches"] or ())
    assert {(each.survey, each.reason, each.rule): each.count for each in funnel.mismatches or ()} == mismatches


@examples
@given(cases)
def test_durations_are_of_their_own_period(archive: FilledArchive, case: Case) -> None:
    found, selection = case.rows, case.selection
    archive.fill(found)
    funnel = _funnel(archive, selection)
    delivered = _in(found, "delivered_at", selection.period, selection)
    assert funnel.to_delivery == Durations.of((row["seconds_to_delivery"], 1) for row in delivered)
    submitted = [
        row
        for row in _in(found, "answered_at", selection.period, selection)
        if row["submitted_at"] and not row["is_suspect"]
    ]
    assert funnel.to_dixa == Durations.of((row["seconds_to_dixa"], 1) for row in submitted)


def _is_by_a_person(row: dict[str, Any]) -> bool:
    return bool(row["answered_at"]) and not row["is_suspect"]


def _counted(estimate: Estimate | None) -> tuple[float, int] | None:
    return (estimate.value, estimate.size) if estimate else None


def _share(counted: Rows, is_part: Callable[[dict[str, Any]], bool]) -> tuple[float, int] | None:
    return (sum(map(is_part, counted)) / len(counted), len(counted)) if counted else None


@examples
@given(cases)
def test_shares_and_their_denominators_have_the_same_filter(archive: FilledArchive, case: Case) -> None:
    found, selection = case.rows, case.selection
    archive.fill(found)
    results = _results(archive, selection, ["queue"])
    for period, moment in ((selection.period, "now"), (selection.before, "before")):
        delivered = _in(found, "delivered_at", period, selection)
        assert _counted(getattr(results.response, moment)) == _share(delivered, _is_by_a_person)
        closed = _in(found, "closed_at", period, selection)
        assert _counted(getattr(results.coverage, moment)) == _share(closed, _is_by_a_person)
        rated = [
            row
            for row in _in(found, "answered_at", period, selection)
            if not row["is_suspect"] and row["csat"] is not None
        ]
        assert _counted(getattr(results.score, moment)) == _share(rated, lambda row: row["csat"] >= 4)
    answered = _in(found, "answered_at", selection.period, selection)
    assert results.answers.suspects == sum(row["is_suspect"] for row in answered)
    assert results.answers.people == len(answered) - results.answers.suspects
    rated = [row for row in answered if row["csat"] is not None]
    assert _counted(results.with_suspects) == _share(rated, lambda row: row["csat"] >= 4)
    links = [row["final_at"] for row in _in(found, "delivered_at", selection.period, selection)]
    assert results.final_at == max(links, default=None)
    assert results.is_final == all(each <= NOW for each in links)


@examples
@given(cases)
def test_distribution_and_weeks_have_every_score(archive: FilledArchive, case: Case) -> None:
    found, selection = case.rows, case.selection
    archive.fill(found)
    rating = case.random.choice([*RatingType])
    results = _results(archive, selection, ["agent"], rating)
    column = {RatingType.CSAT: "csat", RatingType.NPS: "nps", RatingType.THUMBS: "thumbs"}[rating]
    people = [row for row in _in(found, "answered_at", selection.period, selection) if not row["is_suspect"]]
    scores = Counter(row[column] for row in people if row[column] is not None)
    assert dict(results.scores.distribution) == {score: scores[score] for score in rating.scores}
    for week in results.weeks:
        in_week = [row for row in people if week.first <= row["answered_at"].astimezone(_ZONE).date() <= week.last]
        assert week.now.counts == Counter(row[column] for row in in_week if row[column] is not None)
    before = [row for row in _in(found, "answered_at", selection.before, selection) if not row["is_suspect"]]
    assert sum((week.before.counts for week in results.weeks), Counter()) == Counter(
        row[column] for row in before if row[column] is not None
    )


@examples
@given(cases)
def test_groups_are_counted_by_all_their_dimensions(archive: FilledArchive, case: Case) -> None:
    found, selection = case.rows, case.selection
    archive.fill(found)
    by = case.random.choice([["queue"], ["agent", "queue"], ["language", "survey"], ["channel", "agent"]])
    results = _results(archive, selection, by)
    columns = [DIMENSIONS[name].name for name in by]

    def keys(row: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in columns)

    delivered = _in(found, "delivered_at", selection.period, selection)
    answered = _in(found, "answered_at", selection.period, selection)
    assert sorted(map(repr, {keys(row) for row in [*delivered, *answered]})) == sorted(
        repr(group.keys) for group in results.groups
    )
    for group in results.groups:
        mine = [row for row in delivered if keys(row) == group.keys]
        assert (group.delivered, group.responded) == (len(mine), sum(map(_is_by_a_person, mine)))
        given_scores = [row for row in answered if keys(row) == group.keys]
        assert group.suspects == sum(row["is_suspect"] for row in given_scores)
        assert group.scores.counts == Counter(
            row["csat"] for row in given_scores if row["csat"] is not None and not row["is_suspect"]
        )


_MOODS: dict[Mood | None, Callable[[dict[str, Any]], bool]] = {
    None: lambda row: True,
    Mood.LOW: lambda row: row["csat"] in (1, 2) or row["nps"] in range(7) or row["thumbs"] == 0,
    Mood.HIGH: lambda row: row["csat"] in (4, 5) or row["nps"] in (9, 10) or row["thumbs"] == 1,
}


@examples
@given(cases)
def test_pages_have_every_answer_once_newest_first(archive: FilledArchive, case: Case) -> None:
    found, selection = case.rows, case.selection
    archive.fill(found)
    kind = Kind(case.random.choice([*_MOODS]), case.random.random() < 0.5, case.random.choice([None, True, False]))
    limit = case.random.randint(1, 7)
    expected = [
        row
        for row in _in(found, "answered_at", selection.period, selection)
        if _MOODS[kind.mood](row)
        and (row["has_comment"] or not kind.has_comment)
        and kind.is_suspect in (None, row["is_suspect"])
    ]
    expected.sort(key=lambda row: (row["answered_at"], row["survey_id"]), reverse=True)
    read: list[Answer] = []
    after: Cursor | None = None
    with archive.engine.connect() as connection:
        while True:
            page = read_answers(connection, selection, kind, after, limit=limit)
            assert page.size == len(expected)
            read += page.answers
            if page.following is None:
                break
            after = Cursor.load(str(page.following))
    assert [each.survey_id for each in read] == [row["survey_id"] for row in expected]


@pytest.mark.parametrize("text", ["", "1", "x.1", "-1.a", "1" * 30 + ".a", "٣.a", "1."])
def test_strange_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        Cursor.load(text)


def test_weeks_are_local_also_where_the_clock_changes(archive: FilledArchive) -> None:
    # In Copenhagen the clock went back on 25 October 2026, so that week has 169 hours.
    def midnight(day: int, month: int) -> datetime:
        return datetime(2026, month, day, tzinfo=_ZONE)

    archive.fill([])
    selection = Selection(Period(midnight(13, 10), midnight(2, 11)), Period(midnight(23, 9), midnight(13, 10)))
    weeks = _results(archive, selection, ["queue"]).weeks
    assert [(str(week.first), str(week.last)) for week in weeks] == [
        ("2026-10-13", "2026-10-18"),
        ("2026-10-19", "2026-10-25"),
        ("2026-10-26", "2026-11-01"),
    ]
