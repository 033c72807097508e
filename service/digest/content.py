"""What a digest says: read from the archive, the records and the doctor's cheap checks."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from service.doctor.cheap import CHECKS
from service.doctor.finding import Level, examine
from service.doctor.installation import Installation
from service.records.missed import MissedBookmark
from service.records.names import Names
from service.records.redis import RecordsUnavailable
from service.reports.estimates import MIN_TO_COMPARE, Estimate, compare
from service.reports.funnel import Funnel, Step, read_funnel
from service.reports.results import Group, Results, read_results
from service.reports.selection import Selection
from service.surveys.ratings import RatingType

_COMPARED_BY: Final = ("survey", "queue", "channel")
"""Not by agent: a message that many read is no place to judge one person by a week."""
_STEPS: Final[Mapping[Step, str]] = {
    Step.CLOSED: "Closed",
    Step.ASKED: "Asked",
    Step.DELIVERED: "Delivered",
    Step.ANSWERED: "Answered",
    Step.SUBMITTED: "In Dixa",
}
_SCORES: Final[Mapping[RatingType, str]] = {
    RatingType.CSAT: "CSAT",
    RatingType.NPS: "NPS",
    RatingType.THUMBS: "Thumbs up",
}
_RETRY = "afterword retry --all-failed"
_HAS_A_SPOOL_ELSEWHERE = "spool"
"""Checks of the spool are about the web's host."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number of the week, and of the week before."""

    label: str
    now: str
    before: str


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest. `headline` is the main score. `figures`, `changes` and `problems` are sentences.

    `compared` is how many scores were compared with the week before.
    """

    first: date
    last: date
    headline: str
    numbers: Sequence[Number]
    figures: Sequence[str]
    changes: Sequence[str]
    compared: int
    problems: Sequence[str]


def read_digest(connection: Any, installation: Installation, selection: Selection, now: datetime) -> Digest:
    """Read the digest of a selection. Raises what the archive and the records raise."""
    zone = installation.settings.time_zone
    funnel = read_funnel(connection, selection, now)
    results = read_results(connection, selection, [], zone, now)
    changes, compared = _read_changes(connection, installation, selection, results, now)
    since, until = (moment.astimezone(zone).date() for moment in (selection.period.since, selection.period.until))
    return Digest(
        first=since,
        last=until - timedelta(days=1),
        headline=_headline(results),
        numbers=[Number(name, f"{funnel.steps[step]:,}", f"{funnel.before[step]:,}") for step, name in _STEPS.items()],
        figures=[*_figures(connection, installation, selection, results, now)],
        changes=changes,
        compared=compared,
        problems=[*_failures(funnel), *_missed(installation, since, until), *_findings(installation)],
    )


def _headline(results: Results) -> str:
    found = results.score.now
    if found and found.is_shown:
        return f"{_SCORES[results.rating]} {_value(results.rating, found.value)}"
    return "few answers" if found else "no answers"


def _figures(
    connection: Any, installation: Installation, selection: Selection, results: Results, now: datetime
) -> Iterator[str]:
    for rating in results.ratings:
        found = (
            results
            if rating is results.rating
            else read_results(connection, selection, [], installation.settings.time_zone, now, rating=rating)
        )
        yield _figure(_SCORES[rating], rating, found.score.now, found.score.before)
    response = results.response.now
    if response and response.is_shown:
        so_far = "" if results.is_final else " so far, since links still work"
        yield f"Response rate {_percent(response.value)}{so_far}."
    if suspects := results.answers.suspects:
        yield f"{suspects:,} answers may be of machines. They count in no score."


def _figure(name: str, rating: RatingType, now: Estimate | None, before: Estimate | None) -> str:
    if now is None or not now.is_shown:
        return f"{name}: too few answers to show ({now.size if now else 0})."
    earlier = f" The week before: {_value(rating, before.value)}." if before and before.is_shown else ""
    between = " to " if rating is RatingType.NPS else "\u2013"
    low = _value(rating, now.low).removesuffix("\u00a0%")
    interval = f"{low}{between}{_value(rating, now.high)}"
    return f"{name} {_value(rating, now.value)} from {now.size:,} answers (95\u00a0% interval: {interval}).{earlier}"


def _read_changes(
    connection: Any, installation: Installation, selection: Selection, results: Results, now: datetime
) -> tuple[list[str], int]:
    """Return what differs from the week before, and how many scores could be compared.

    Only scores: a response rate still rises, so the last week's is always lower.
    """
    rating, zone = results.rating, installation.settings.time_zone
    earlier = selection.at(selection.before)
    pairs = [("All", results.score.now, results.score.before)]
    for dimension in _COMPARED_BY:
        groups, before = (
            _by_key(read_results(connection, which, [dimension], zone, now, rating=rating))
            for which in (selection, earlier)
        )
        if len(groups) > 1:
            names = _names(installation) if dimension == "queue" else {}
            pairs += [*_pair(dimension, groups, before, names)]
    changes, compared = [], 0
    for label, one, other in pairs:
        if (difference := compare(one, other)) is None or one is None or other is None:
            continue
        compared += 1
        if difference.differs:
            way = "rose" if difference.value > 0 else "fell"
            low, high = sorted((abs(difference.low), abs(difference.high)))
            changes.append(
                f"{label}: {_SCORES[rating]} {way} from {_value(rating, other.value)} to {_value(rating, one.value)}, "
                f"by {low * 100:.0f} to {high * 100:.0f} points."
            )
    return changes, compared


def _by_key(results: Results) -> Mapping[str | None, Group]:
    return {each.keys[0]: each for each in results.groups}


def _pair(
    dimension: str,
    groups: Mapping[str | None, Group],
    before: Mapping[str | None, Group],
    names: Mapping[str, str],
) -> Iterator[tuple[str, Estimate | None, Estimate | None]]:
    for key, group in sorted(groups.items(), key=lambda each: str(each[0])):
        if key in before:
            yield f"{dimension.capitalize()} {names.get(key or '', key) or 'none'}", group.score, before[key].score


def _names(installation: Installation) -> Mapping[str, str]:
    with suppress(RecordsUnavailable):
        return Names.beside(installation.records).read().queues
    return {}


def explain_changes(digest: Digest) -> str:
    """Return how far the changes can be relied on, or why there are none."""
    if not digest.compared:
        return f"Too few answers to compare: that takes {MIN_TO_COMPARE} in both weeks."
    what = f"{digest.compared} scores were" if digest.compared > 1 else "One score was"
    if not digest.changes:
        return f"Nothing by more than chance. {what} compared with the week before."
    return f"{what} compared with the week before. About one in twenty looks different by chance alone."


def _failures(funnel: Funnel) -> Iterator[str]:
    failed = [each for each in funnel.causes if each.has_failed]
    if failed:
        count = sum(each.count for each in failed)
        causes = ", ".join(f"{each.count:,} {each.cause}" for each in failed)
        yield f"{count:,} surveys of the week failed for good ({causes}). To try again: {_RETRY}."
    if count := funnel.failed_follow_ups:
        yield f"{count:,} follow-ups of the week failed, such as alerts or tags. To try again: {_RETRY}."


def _missed(installation: Installation, since: date, until: date) -> Iterator[str]:
    status = MissedBookmark.beside(installation.records).status()
    missed = sum(count for day, count in status.missed.items() if since <= day < until) if status else 0
    if missed:
        yield f"{missed:,} closes came without their webhook. They were found in Dixa and taken."


def _findings(installation: Installation) -> Iterator[str]:
    for name, finding in examine(CHECKS, installation):
        if finding.level in (Level.WARN, Level.FAIL) and not name.startswith(_HAS_A_SPOOL_ELSEWHERE):
            yield f"{name}: {finding}"


def _value(rating: RatingType, value: float) -> str:
    return f"{value * 100:+.0f}" if rating is RatingType.NPS else _percent(value)


def _percent(share: float) -> str:
    return f"{share * 100:.0f}\u00a0%"
