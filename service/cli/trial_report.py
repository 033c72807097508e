"""What `afterword try-rules` says in the end: a table, and what it can't know."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from service.surveys.model import Reason
from service.surveys.trial import Tally


@dataclass(frozen=True, slots=True)
class Found:
    """The conversations that are tried, and of how many; `is_all` is False when there are more than were looked at."""

    ids: tuple[int, ...]
    among: int
    is_all: bool


def facts_of(found: Found, counted: Tally, unreadable: int) -> dict[str, object]:
    """Give the numbers, for machines."""
    return {
        "tried": len(found.ids),
        "among": found.among,
        "is_all": found.is_all,
        "unreadable": unreadable,
        "asked": dict(counted.asked),
        "skipped": dict(counted.skipped),
        "taken_as_met": dict(counted.unknown),
    }


def report(found: Found, counted: Tally, unreadable: int, sample: float) -> Iterator[str]:
    """Write the table, and what it can't know."""
    if not found.ids:
        yield "No conversation was closed since then."
        return
    asked, skipped = sum(counted.asked.values()), sum(counted.skipped.values())
    yield from _table("would be asked", counted.asked, asked, len(found.ids))
    yield ""
    yield from _table("would not be asked", counted.skipped, skipped, len(found.ids))
    yield ""
    yield "What this can't know:"
    yield from (f"- {line}" for line in _doubts(found, counted, unreadable, sample))


def _table(title: str, rows: Mapping[str, int] | Mapping[Reason, int], total: int, tried: int) -> Iterator[str]:
    yield _row(title, total, tried)
    for name, count in sorted(rows.items(), key=lambda row: (-row[1], row[0])):
        yield _row(f"  {name}", count, tried)


def _row(name: str, count: int, tried: int) -> str:
    return f"{name:<26}{count:>8}{count / tried if tried else 0:>8.1%}"


def _doubts(found: Found, counted: Tally, unreadable: int, sample: float) -> Iterator[str]:
    yield "Dixa tells how a conversation is now: one that was opened again since, or tagged, counts as it is."
    yield "A rating that Dixa has by now counts as already_surveyed, Dixa's own survey's too; Afterword's own don't."
    yield "again_after and daily_cap are played through in the order of closing, as if nobody had been asked before."
    yield "starts is passed over, and so is whether a requester is a member of the organisation."
    for rule, count in sorted(counted.unknown.items()):
        yield f"{rule}: the API doesn't tell it for {count} of these; taken as met."
    if sample < 1:
        yield f"Only {len(found.ids)} were drawn of {found.among}: customers who come twice are seen less often."
    if not found.is_all:
        yield f"There are more than --limit {len(found.ids)}; these are those that Dixa names first, no random ones."
    if unreadable:
        yield f"{unreadable} could not be read from Dixa."
