"""`afterword stats`: decisions by day and reason, and surveys by survey, channel or queue."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import click

from config.settings import Settings
from service.cli.archive_reader import read_names, reading_archive
from service.cli.context import open_records, open_settings, warn_if_paused
from service.cli.output import say_all, say_json
from service.cli.params import json_option

ASKED = "asked"
_DAYS_IN_A_ROW = 7

Counts = Mapping[date, Mapping[str, int]]


@click.command()
@click.option("--days", type=click.IntRange(1, 400), default=7, show_default=True, help="Days, up to today.")
@click.option("--survey", help="Of this survey. Needs the archive, like all that follow.")
@click.option("--channel", help="Of this channel, such as Email.")
@click.option("--queue", help="Of this queue, by its name or id.")
@click.option("--by", type=click.Choice(["survey", "channel", "queue"]), help="How far surveys have come, by this.")
@json_option
def stats(
    days: int, survey: str | None, channel: str | None, queue: str | None, by: str | None, *, as_json: bool
) -> None:
    """Show the decisions by day (UTC) and reason, or with --by how far the surveys of these days have come."""
    settings, today = open_settings(), datetime.now(UTC).date()
    records = open_records(settings)
    warn_if_paused(records)
    span = [today - timedelta(ago) for ago in reversed(range(days))]
    given = {"survey": survey, "channel": channel, "queue": queue}
    only = {name: [value] for name, value in given.items() if value is not None}
    queues = read_names(settings).queues if queue or by == "queue" else {}
    if queue:
        only["queue"] += [each for each, name in queues.items() if name.casefold() == queue.casefold()]
    if by:
        steps = _steps(settings, span[0], by, only)
        _show_steps(_with_names(steps, queues) if by == "queue" else steps, by, days, as_json=as_json)
        return
    if only:
        counted = _decisions(settings, span[0], only)
        found: Counts = {day: counted.get(day, {}) for day in span}
    else:
        found = {day: records.count_decisions(day) for day in span}
    if as_json:
        say_json({str(day): dict(counted) for day, counted in found.items()})
        return
    say_all(_table(found) if any(found.values()) else [f"No decisions in the last {days} days."])


def _decisions(settings: Settings, since: date, only: Mapping[str, Sequence[str]]) -> Counts:
    from service.archive.counts import count_decisions  # noqa: PLC0415 - needs SQLAlchemy

    with reading_archive(settings) as engine:
        return count_decisions(engine, since, only)


def _steps(
    settings: Settings, since: date, by: str, only: Mapping[str, Sequence[str]]
) -> Mapping[str, Mapping[str, int]]:
    from service.archive.counts import count_steps  # noqa: PLC0415 - needs SQLAlchemy

    with reading_archive(settings) as engine:
        return count_steps(engine, since, by, only)


def _with_names(found: Mapping[str, Mapping[str, int]], queues: Mapping[str, str]) -> Mapping[str, Mapping[str, int]]:
    """Return the counts by name where a queue has only its id. Counts of one name are added up."""
    named: dict[str, Counter[str]] = {}
    for value, counts in found.items():
        named.setdefault(queues.get(value, value), Counter()).update(counts)
    return named


def _show_steps(found: Mapping[str, Mapping[str, int]], by: str, days: int, *, as_json: bool) -> None:
    if as_json:
        say_json(found)
    elif found:
        names = [*next(iter(found.values()))]
        rows = [_step_row(value or "(none)", map(str, counts.values())) for value, counts in found.items()]
        say_all([_step_row(by, names), *rows])
    else:
        say_all([f"No surveys in the last {days} days."])


def _step_row(name: str, cells: Iterator[str] | Sequence[str]) -> str:
    return f"{name:<22}" + "".join(f"{cell:>11}" for cell in cells)


def _table(found: Counts) -> Iterator[str]:
    """Write one block a week, one line a reason, the most frequent first."""
    days = list(found)
    for start in range(0, len(days), _DAYS_IN_A_ROW):
        if start:
            yield ""
        yield from _block({day: found[day] for day in days[start : start + _DAYS_IN_A_ROW]})


def _block(found: Counts) -> Iterator[str]:
    totals = Counter[str]()
    for counted in found.values():
        totals.update(counted)
    reasons = sorted(totals, key=lambda reason: (reason != ASKED, -totals[reason], reason))
    yield _row("decision", [f"{day:%d %b}" for day in found], "total")
    for reason in reasons:
        yield _row(reason, [str(counted.get(reason, "·")) for counted in found.values()], str(totals[reason]))
    yield _row("all", [str(sum(counted.values())) for counted in found.values()], str(totals.total()))


def _row(name: str, cells: Sequence[str], total: str) -> str:
    return f"{name:<22}" + "".join(f"{cell:>8}" for cell in cells) + f"{total:>9}"
