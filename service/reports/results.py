"""The results of a period: figures with their change, the weeks, and a table by one or two dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, case, func, select

from service.archive.schema import SURVEY
from service.reports.deliveries import Deliveries, read_deliveries
from service.reports.estimates import Difference, Estimate, compare, estimate_share
from service.reports.scores import Answers, Scores
from service.reports.selection import DIMENSIONS, Scanned, Selection
from service.reports.weeks import SCORES, merge, read_weeks
from service.surveys.ratings import RatingType

_C = SURVEY.c


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of the period and of the one before. One that can still rise is not compared."""

    now: Estimate | None
    before: Estimate | None
    is_final: bool = True

    @property
    def change(self) -> Difference | None:
        """The difference to the period before. None with too few answers, or before the figure is final."""
        return compare(self.now, self.before) if self.is_final else None


@dataclass(frozen=True, slots=True)
class ScoredWeek:
    """The scores of one rating in a week, and in the same week of the period before."""

    first: date
    last: date
    now: Scores
    before: Scores


@dataclass(slots=True)
class Group:
    """A row of the table: what one agent, queue and so on delivered and got. `keys` are the values of the dimensions.

    `score_difference` and `response_difference` compare it with all other rows together.
    """

    keys: tuple[str | None, ...]
    scores: Scores
    delivered: int = 0
    responded: int = 0
    suspects: int = 0
    score_difference: Difference | None = None
    response_difference: Difference | None = None

    def named(self, dimensions: Sequence[str]) -> list[tuple[str, str | None]]:
        """Return the values with their dimensions."""
        return [*zip(dimensions, self.keys, strict=True)]

    @property
    def score(self) -> Estimate | None:
        """The figure of the rating."""
        return self.scores.estimate

    @property
    def response(self) -> Estimate | None:
        """The response rate."""
        return estimate_share(self.responded, self.delivered)


@dataclass(frozen=True, slots=True)
class Results:
    """The results of a selection. `ratings` are the types with scores, and the rest is of the one chosen.

    At `final_at`, the last link delivered in the period expires. Until then response rate and coverage can rise, and
    they have no change to the period before.
    """

    ratings: Sequence[RatingType]
    rating: RatingType
    answers: Answers
    score: Figure
    response: Figure
    coverage: Figure
    final_at: datetime | None
    is_final: bool
    weeks: Sequence[ScoredWeek]
    groups: Sequence[Group]

    @property
    def scores(self) -> Scores:
        """The scores of people."""
        return self.answers.scores[self.rating]

    @property
    def with_suspects(self) -> Estimate | None:
        """The figure as it would be with the answers of suspected machines."""
        return (self.scores + self.answers.suspect_scores[self.rating]).estimate


def read_results(
    connection: Connection,
    selection: Selection,
    by: Sequence[str],
    zone: ZoneInfo,
    now: datetime,
    *,
    rating: RatingType | None = None,
) -> Results:
    """Read the results, with a table by one or two of DIMENSIONS. Without a rating, it is the first shown."""
    weeks = read_weeks(connection, selection, zone)
    answers, before = merge([week.now for week in weeks]), merge([week.before for week in weeks])
    chosen = rating or _choose_rating(answers)
    deliveries = read_deliveries(connection, selection, by)
    is_final = deliveries.last_link is None or deliveries.last_link <= now
    return Results(
        ratings=[each for each in RatingType if answers.scores[each].size or before.scores[each].size],
        rating=chosen,
        answers=answers,
        score=Figure(answers.scores[chosen].estimate, before.scores[chosen].estimate),
        response=Figure(deliveries.now, deliveries.before, is_final=is_final),
        coverage=replace(_read_coverage(connection, selection), is_final=is_final),
        final_at=deliveries.last_link,
        is_final=is_final,
        weeks=[
            ScoredWeek(each.first, each.last, each.now.scores[chosen], each.before.scores[chosen]) for each in weeks
        ],
        groups=_read_groups(connection, selection, by, chosen, deliveries),
    )


def _choose_rating(answers: Answers) -> RatingType:
    """Return the first type with enough answers, in the order of the enum: a page must not change it by chance."""
    shown = (each for each in RatingType if (found := answers.scores[each].estimate) and found.is_shown)
    return next(shown, max(RatingType, key=lambda each: answers.scores[each].size))


def _read_coverage(connection: Connection, selection: Selection) -> Figure:
    """Read which share of the closes got an answer, in both periods."""
    is_now = Scanned(_C.closed_at) >= selection.period.since
    is_before = Scanned(_C.closed_at) < selection.before.until
    answered = case((~_C.is_suspect, _C.answered_at))
    query = select(
        func.count(case((is_now, answered))),
        func.count(case((is_now, 1))),
        func.count(case((is_before, answered))),
        func.count(case((is_before, 1))),
    ).where(selection.with_before.where(Scanned(_C.closed_at)))
    now, closed, before, closed_before = connection.execute(query).one()
    return Figure(estimate_share(now, closed), estimate_share(before, closed_before))


def _read_groups(
    connection: Connection, selection: Selection, by: Sequence[str], rating: RatingType, deliveries: Deliveries
) -> list[Group]:
    dimensions = [DIMENSIONS[name] for name in by]
    score = SCORES[rating]
    query = (
        select(*dimensions, score, _C.is_suspect, func.count())
        .where(selection.where(_C.answered_at), _C.answered_at.is_not(None))
        .group_by(*dimensions, score, _C.is_suspect)
    )
    groups = {
        keys: Group(keys, Scores(rating), delivered, responded)
        for keys, (delivered, responded) in deliveries.groups.items()
    }
    for *values, given, is_suspect, count in connection.execute(query):
        group = groups.setdefault(tuple(values), Group(tuple(values), Scores(rating)))
        if is_suspect:
            group.suspects += count
        elif given is not None:
            group.scores.counts[given] += count
    return _compare_with_the_others([*groups.values()], rating)


def _compare_with_the_others(groups: list[Group], rating: RatingType) -> list[Group]:
    """Compare each group with all others together, which are different answers."""
    scores = Scores(rating)
    for each in groups:
        scores.counts += each.scores.counts
    delivered, responded = sum(each.delivered for each in groups), sum(each.responded for each in groups)
    for each in groups:
        each.score_difference = compare(each.score, (scores - each.scores).estimate)
        others = estimate_share(responded - each.responded, delivered - each.delivered)
        each.response_difference = compare(each.response, others)
    return groups
