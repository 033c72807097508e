"""What `afterword try-rules` says in the end: a table, and what it can't know."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from service.cli.try_rules_tally import Doubt, Tally


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
        "cant_be_known": [
            {"rules": dict(doubt.rules), "otherwise": doubt.otherwise or None, "count": count}
            for doubt, count in sorted(counted.doubted.items())
        ],
        "taken_as_met": dict(counted.taken_as_met),
    }


def report(found: Found, counted: Tally, unreadable: int, sample: float) -> Iterator[str]:
    """Write the table, and what it can't know."""
    if not found.ids:
        yield "No conversation was closed since then."
        return
    doubted = {_spell(doubt): count for doubt, count in sorted(counted.doubted.items())}
    skipped = {str(reason): count for reason, count in counted.skipped.items()}
    width = max((26, *(len(each) + 4 for each in doubted)))
    yield from _table("would be asked", counted.asked, len(found.ids), width)
    if doubted:
        yield from _table("can't be known", doubted, len(found.ids), width)
    yield from _table("would not be asked", skipped, len(found.ids), width)
    yield "What this can't know:"
    yield from (f"- {line}" for line in _doubts(found, counted, unreadable, sample))


def _spell(doubt: Doubt) -> str:
    """Say what it hangs on: `vip if user_types, else default`."""
    ifs = (f"{survey} if {' and '.join(rules)}" for survey, rules in doubt.rules)
    return ", ".join((*ifs, f"else {doubt.otherwise or 'not asked'}"))


def _table(title: str, rows: Mapping[str, int], tried: int, width: int) -> Iterator[str]:
    yield _row(title, sum(rows.values()), tried, width)
    for name, count in sorted(rows.items(), key=lambda row: (-row[1], row[0])):
        yield _row(f"  {name}", count, tried, width)
    yield ""


def _row(name: str, count: int, tried: int, width: int) -> str:
    return f"{name:<{width}}{count:>8}{count / tried if tried else 0:>8.1%}"


def _doubts(found: Found, counted: Tally, unreadable: int, sample: float) -> Iterator[str]:
    yield "Dixa tells how a conversation is now: one that was opened again since, or tagged, counts as it is."
    yield "A rating that Dixa has by now counts as already_surveyed, Dixa's own survey's too; Afterword's own don't."
    yield "cooldown and daily_cap are played through in the order of closing, as if nobody had been asked before."
    yield "starts is passed over, and so is whether a requester is a member of the organisation."
    yield "machine: the API tells who wrote, in e-mails and contact forms only; the requester may have another address."
    for rule, count in sorted(counted.taken_as_met.items()):
        yield f"{rule}: the API tells no address for {count} of these; taken as none of them."
    if counted.doubted:
        yield from _reasons_to_doubt(counted.doubted)
    if sample < 1:
        yield f"Only {len(found.ids)} were drawn of {found.among}: customers who come twice are seen less often."
    if not found.is_all:
        yield f"There are more than --limit {len(found.ids)}; these are those that Dixa names first, no random ones."
    if unreadable:
        yield f"{unreadable} could not be read from Dixa."


_UNTOLD = {
    "addresses": "addresses: the API tells the customer's for e-mails and contact forms only.",
    "contact_points": "contact_points: the API tells it for e-mails and contact forms only.",
    "user_types": "user_types: the API doesn't tell them.",
    "assignee_types": "assignee_types: the API doesn't tell them.",
    "deliver": "deliver: only an e-mail could reach these, and the API doesn't tell whether there is an address.",
}


def _reasons_to_doubt(doubts: Iterable[Doubt]) -> Iterator[str]:
    rules = {rule for doubt in doubts for _, named in doubt.rules for rule in named}
    yield from (text for rule, text in _UNTOLD.items() if rule in rules)
    yield "Who can't be known takes no turn: neither cooldown nor daily_cap of the others counts them."
