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
from service.reports.results import Figure, Group, Results, read_results
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
_SPOOL, _FAILED = "spool", "failed"
"""Checks that are left out: those of the spool, which is on the web's host, and that of failures already named."""


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
    scores = {
        rating: read_results(connection, selection, [], zone, now, rating=rating).score for rating in results.ratings
    }
    compared = [*_compare_all(scores), *_compare_groups(connection, installation, selection, results.rating, now)]
    since, until = (moment.astimezone(zone).date() for moment in (selection.period.since, selection.period.until))
    failures = [*_failures(funnel)]
    return Digest(
        first=since,
        last=until - timedelta(days=1),
        headline=_headline(results),
        numbers=[Number(name, f"{funnel.steps[step]:,}", f"{funnel.before[step]:,}") for step, name in _STEPS.items()],
        figures=[*_figures(results, scores)],
        changes=[each for each in compared if each],
        compared=len(compared),
        problems=[
            *failures,
            *_missed(installation, since, until),
            *_findings(installation, but=_FAILED if failures else ""),
        ],
    )


def _headline(results: Results) -> str:
    found = results.score.now
    if found and found.is_shown:
        return f"{_SCORES[results.rating]} {_value(results.rating, found.value)}"
    return "few answers" if found else "no answers"


def _figures(results: Results, scores: Mapping[RatingType, Figure]) -> Iterator[str]:
    for rating, score in scores.items():
        yield _figure(_SCORES[rating], rating, score.now, score.before)
    response = results.response.now
    if response and response.is_shown:
        so_far = "" if results.is_final else " so far, since links still work"
        yield f"Response rate {_percent(response.value)}{so_far}."
    if suspects := results.answers.suspects:
        are = "answer may be of a machine. It counts" if suspects == 1 else "answers may be of machines. They count"
        yield f"{suspects:,} {are} in no score."


def _figure(name: str, rating: RatingType, now: Estimate | None, before: Estimate | None) -> str:
    if now is None or not now.is_shown:
        return f"{name}: too few answers to show ({now.size if now else 0})."
    earlier = f" The week before: {_value(rating, before.value)}." if before and before.is_shown else ""
    between = " to " if rating is RatingType.NPS else "\u2013"
    low = _value(rating, now.low).removesuffix("\u00a0%")
    interval = f"{low}{between}{_value(rating, now.high)}"
    return f"{name} {_value(rating, now.value)} from {now.size:,} answers (95\u00a0% interval: {interval}).{earlier}"


def _compare_all(scores: Mapping[RatingType, Figure]) -> Iterator[str]:
    """Compare each score with that of the week before. Yield the change in words, or "" for none by more than chance.

    Only scores: a response rate still rises, so the last week's is always lower.
    """
    for rating, score in scores.items():
        yield from _compare("All", rating, score.now, score.before)


def _compare_groups(
    connection: Any, installation: Installation, selection: Selection, rating: RatingType, now: datetime
) -> Iterator[str]:
    """Do the same for the main score of each survey, queue and channel."""
    zone = installation.settings.time_zone
    for dimension in _COMPARED_BY:
        groups, before = (
            _by_key(read_results(connection, which, [dimension], zone, now, rating=rating))
            for which in (selection, selection.at(selection.before))
        )
        names = _names(installation) if dimension == "queue" else {}
        for key in sorted(groups.keys() & before.keys(), key=str) if len(groups) > 1 else ():
            name = names.get(key or "", key) or "none"
            yield from _compare(f"{dimension.capitalize()} {name}", rating, groups[key].score, before[key].score)


def _compare(label: str, rating: RatingType, one: Estimate | None, other: Estimate | None) -> Iterator[str]:
    difference = compare(one, other)
    if difference is None or one is None or other is None:
        return
    if not difference.differs:
        yield ""
        return
    way = "rose" if difference.value > 0 else "fell"
    low, high = sorted((abs(difference.low), abs(difference.high)))
    yield (
        f"{label}: {_SCORES[rating]} {way} from {_value(rating, other.value)} to {_value(rating, one.value)}, "
        f"by {low * 100:.0f} to {high * 100:.0f} points."
    )


def _by_key(results: Results) -> Mapping[str | None, Group]:
    return {each.keys[0]: each for each in results.groups}


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
    failed = sorted((each for each in funnel.causes if each.has_failed), key=lambda each: -each.count)
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


def _findings(installation: Installation, *, but: str) -> Iterator[str]:
    for name, finding in examine(CHECKS, installation):
        if finding.level in (Level.WARN, Level.FAIL) and not name.startswith(_SPOOL) and name != but:
            yield f"{name}: {finding}"


def _value(rating: RatingType, value: float) -> str:
    return f"{value * 100:+.0f}" if rating is RatingType.NPS else _percent(value)


def _percent(share: float) -> str:
    return f"{share * 100:.0f}\u00a0%"
