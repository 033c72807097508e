"""`afterword stats`: decisions by day and reason."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import click

from service.cli.context import open_records, open_settings, warn_if_paused
from service.cli.output import say_all, say_json
from service.cli.params import json_option

ASKED = "asked"
_DAYS_IN_A_ROW = 7

Counts = Mapping[date, Mapping[str, int]]


@click.command()
@click.option("--days", type=click.IntRange(1, 400), default=7, show_default=True, help="Days, up to today.")
@json_option
def stats(days: int, *, as_json: bool) -> None:
    """Show the decisions by day (UTC) and reason."""
    records, today = open_records(open_settings()), datetime.now(UTC).date()
    warn_if_paused(records)
    found = {day: records.count_decisions(day) for day in (today - timedelta(ago) for ago in reversed(range(days)))}
    if as_json:
        say_json({str(day): dict(counted) for day, counted in found.items()})
        return
    say_all(_table(found) if any(found.values()) else [f"No decisions in the last {days} days."])


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
