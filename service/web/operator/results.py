"""The view "Results": figures beside the period before, by week, and a table by one or two dimensions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import Response, request

from service.reports.results import Group, Results, read_results
from service.reports.selection import DIMENSIONS, NONE
from service.surveys.ratings import RatingType
from service.web.operator.blueprint import bp
from service.web.operator.rendering import Clock, read_filters
from service.web.operator.reports import Labels, choose, read, render_report
from service.web.services import services

_RATINGS: Final = {"csat": RatingType.CSAT, "nps": RatingType.NPS, "thumbs": RatingType.THUMBS}
NAMES: Final = {RatingType.CSAT: "CSAT", RatingType.NPS: "NPS", RatingType.THUMBS: "Thumbs up"}
MAX_ROWS: Final = 200
"""More rows than anybody reads. The filters make fewer."""

SORTS: Final = {
    "score": "Score",
    "answers": "Answers",
    "response": "Response rate",
    "delivered": "Delivered",
    "name": "Name",
}
_ASCENDING: Final = ("score", "response", "name")
"""Worst first, and the largest first of the others. A minus before the name turns the order round."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """The rows of the table. Those with too few answers are never ranked: they follow, the largest first."""

    ranked: Sequence[Group]
    unranked: Sequence[Group]
    hidden: int


@bp.get("/results")
def results() -> Response:
    """Show the results."""
    filters, now = read_filters(), Clock(services().settings).now
    by = choose(request.args.get("by"), [*DIMENSIONS], "queue")
    then = choose(request.args.get("then"), [name for name in DIMENSIONS if name != by])
    rating = choose(request.args.get("rating"), [*_RATINGS])
    order = choose(request.args.get("sort"), [*SORTS, *(f"-{name}" for name in SORTS)], "score")
    dimensions = [by, then] if then else [by]
    zone = services().settings.time_zone
    report = read(
        filters,
        lambda connection, chosen: read_results(connection, chosen, dimensions, zone, now, rating=_RATINGS.get(rating)),
    )
    found: Results = report.content
    return render_report(
        "results.html",
        "results",
        report,
        filters,
        {"by": by, "then": then, "rating": rating, "sort": order},
        dimensions=dimensions,
        all_dimensions=[*DIMENSIONS],
        table=sort_groups(found.groups, order, dimensions, report.labels),
        sorts=SORTS,
        order=order,
        ratings={key: name for key, name in _RATINGS.items() if name in found.ratings},
        names=NAMES,
        query_of=_query_of,
        distribution=[(_spell(found.rating, score), count) for score, count in reversed(found.scores.distribution)],
    )


def _query_of(named: Sequence[tuple[str, str | None]]) -> dict[str, str]:
    """Return the filters of a row, for a URL."""
    return {dimension: value or NONE for dimension, value in named}


def _spell(rating: RatingType, score: int) -> str:
    return ("Down", "Up")[score] if rating is RatingType.THUMBS else str(score)


def sort_groups(groups: Sequence[Group], order: str, dimensions: Sequence[str], label: Labels) -> Sorted:
    """Sort the rows. A figure ranks only rows with enough answers for it."""
    name, is_turned = order.removeprefix("-"), order.startswith("-")

    def spell(group: Group) -> tuple[str, ...]:
        return tuple(label(*each).casefold() for each in group.named(dimensions))

    keys: dict[str, Callable[[Group], Any]] = {
        "score": lambda group: group.score.value if group.score else 0,
        "response": lambda group: group.response.value if group.response else 0,
        "answers": lambda group: group.scores.size,
        "delivered": lambda group: group.delivered,
        "name": spell,
    }
    estimates = {"score": lambda group: group.score, "response": lambda group: group.response}
    of = estimates.get(name)
    ranked = [each for each in groups if of is None or ((found := of(each)) and found.is_comparable)]
    unranked = [each for each in groups if of is not None and not ((found := of(each)) and found.is_comparable)]
    ranked.sort(key=spell)
    ranked.sort(key=keys[name], reverse=is_turned is (name in _ASCENDING))
    unranked.sort(key=lambda group: (-group.delivered, spell(group)))
    room = max(MAX_ROWS - len(ranked), 0)
    shown = ranked[:MAX_ROWS], unranked[:room]
    return Sorted(*shown, hidden=len(groups) - len(shown[0]) - len(shown[1]))
