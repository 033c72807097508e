"""Counts the results of a dry run, with cooldown and daily cap applied."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from service.rules.dry_run import DryRunResult
from service.surveys.reasons import Reason


@dataclass(frozen=True, slots=True)
class Tally:
    """Conversations of a dry run: asked by survey, skipped by reason, unknown by survey and rules, or unreadable."""

    asked: Mapping[str, int]
    skipped: Mapping[Reason, int]
    unknown: Mapping[tuple[str, tuple[str, ...]], int]
    unreadable: int


def tally(results: Sequence[DryRunResult | None]) -> Tally:
    """Count the results in the order of closing. Cooldown and daily cap apply as in decide.lua.

    An unknown result counts for neither. None is a conversation that Dixa could not show.
    """
    asked, skipped, unknown = Counter[str](), Counter[Reason](), Counter[tuple[str, tuple[str, ...]]]()
    asked_at: dict[str, datetime] = {}
    by_day = Counter[tuple[object, str]]()
    for result in sorted(filter(None, results), key=lambda each: each.closed_at):
        survey, due_at, reason = result.survey, result.due_at, result.reason
        if survey and result.unknown:
            unknown[survey.name, result.unknown] += 1
            continue
        if survey and not reason:
            if any(each in asked_at and asked_at[each] + survey.cooldown > due_at for each in result.identities):
                reason = Reason.ASKED_RECENTLY
            elif 0 < survey.daily_cap <= by_day[due_at.date(), survey.name]:
                reason = Reason.DAILY_CAP
        if reason:
            skipped[reason] += 1
        elif survey:
            asked[survey.name] += 1
            by_day[due_at.date(), survey.name] += 1
            asked_at |= dict.fromkeys(result.identities, due_at)
    return Tally(asked, skipped, unknown, results.count(None))
