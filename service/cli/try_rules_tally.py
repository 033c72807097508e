"""What a trial comes to: the turns that people and days take, which the records keep otherwise, and the counts."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from service.rules.dry_run import DryRunResult, Outcome
from service.surveys.model import Reason


@dataclass(frozen=True, slots=True, order=True)
class Doubt:
    """What it hangs on whether a conversation is asked: a survey's rules, and the survey that asks `otherwise`."""

    rules: tuple[tuple[str, tuple[str, ...]], ...]
    otherwise: str


@dataclass(frozen=True, slots=True)
class Tally:
    """What a trial came to: how many would be asked by survey, skipped by reason, and can't be known by what.

    `taken_as_met` counts, of those who may be asked, whom a rule might have left out.
    """

    asked: Mapping[str, int]
    skipped: Mapping[Reason, int]
    doubted: Mapping[Doubt, int]
    taken_as_met: Mapping[str, int]


def tally(results: Iterable[DryRunResult]) -> Tally:
    """Give the turns of people and of days in the order of closing, and count what is left."""
    asked, skipped = Counter[str](), Counter[Reason]()
    doubted, taken_as_met = Counter[Doubt](), Counter[str]()
    for result, outcomes in _take_turns(sorted(results, key=lambda each: each.closed_at)):
        first = outcomes[0]
        if first.reason and all(each.reason for each in outcomes):
            skipped[first.reason] += 1
            continue
        taken_as_met.update(result.taken_as_met)
        if len(outcomes) > 1:
            doubted[_doubt(outcomes)] += 1
        elif first.survey:
            asked[first.survey.name] += 1
    return Tally(asked, skipped, doubted, taken_as_met)


def _doubt(outcomes: Sequence[Outcome]) -> Doubt:
    *supposed, sure = outcomes
    rules: dict[str, tuple[str, ...]] = {}
    for each in supposed:
        if each.survey:
            rules[each.survey.name] = tuple(dict.fromkeys((*rules.get(each.survey.name, ()), *each.unknown)))
    return Doubt(tuple(rules.items()), sure.survey.name if sure.survey and not sure.reason else "")


def _take_turns(results: Iterable[DryRunResult]) -> Iterator[tuple[DryRunResult, Sequence[Outcome]]]:
    """Do what decide.lua does: a turn for each trait of a person, and one of the survey's for the day.

    Who may or may not be asked takes none.
    """
    turns: dict[str, datetime] = {}
    asks = Counter[tuple[object, str]]()

    def settle(outcome: Outcome, persons: Sequence[str]) -> Outcome:
        survey, due_at = outcome.survey, outcome.due_at
        if outcome.reason or survey is None:
            return outcome
        if any(who in turns and turns[who] + survey.cooldown > due_at for who in persons):
            return replace(outcome, reason=Reason.ASKED_RECENTLY)
        is_full = 0 < survey.daily_cap <= asks[due_at.date(), survey.name]
        return replace(outcome, reason=Reason.DAILY_CAP) if is_full else outcome

    for result in results:
        outcomes = [settle(each, result.persons) for each in result.outcomes]
        survey, due_at = outcomes[0].survey, outcomes[0].due_at
        if len(outcomes) == 1 and survey and not outcomes[0].reason:
            asks[due_at.date(), survey.name] += 1
            turns |= dict.fromkeys(result.persons, due_at)
        yield result, outcomes
