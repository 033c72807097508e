"""The output of `afterword try-rules`: a table, and its limits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from service.cli.try_rules_tally import Tally


@dataclass(frozen=True, slots=True)
class Found:
    """The conversations to try, and the number that the search found; `is_all` is False if there are more."""

    ids: tuple[int, ...]
    among: int
    is_all: bool


def facts_of(found: Found, counted: Tally) -> dict[str, object]:
    """Return the numbers for JSON."""
    return {
        "tried": len(found.ids),
        "among": found.among,
        "is_all": found.is_all,
        "unreadable": counted.unreadable,
        "asked": dict(counted.asked),
        "skipped": dict(counted.skipped),
        "unknown": [
            {"survey": survey, "rules": rules, "count": count}
            for (survey, rules), count in sorted(counted.unknown.items())
        ],
    }


def report(found: Found, counted: Tally, sample: float) -> Iterator[str]:
    """Yield the lines of the table and of its limits."""
    if not found.ids:
        yield "No conversation was closed since then."
        return
    unknown = {f"{survey}, if {' and '.join(rules)}": count for (survey, rules), count in counted.unknown.items()}
    skipped = {str(reason): count for reason, count in counted.skipped.items()}
    width = max((26, *(len(each) + 4 for each in unknown)))
    yield from _table("would be asked", counted.asked, len(found.ids), width)
    if unknown:
        yield from _table("unknown", unknown, len(found.ids), width)
    yield from _table("would not be asked", skipped, len(found.ids), width)
    yield "Limits:"
    yield from (f"- {line}" for line in _limits(found, counted, sample))


def _table(title: str, rows: Mapping[str, int], tried: int, width: int) -> Iterator[str]:
    yield _row(title, sum(rows.values()), tried, width)
    for name, count in sorted(rows.items(), key=lambda row: (-row[1], row[0])):
        yield _row(f"  {name}", count, tried, width)
    yield ""


def _row(name: str, count: int, tried: int, width: int) -> str:
    return f"{name:<{width}}{count:>8}{count / tried if tried else 0:>8.1%}"


def _limits(found: Found, counted: Tally, sample: float) -> Iterator[str]:
    yield "A conversation counts as it is now: reopened or tagged since, for example."
    yield "Any rating in Dixa counts as already_surveyed, except Afterword's own."
    yield "cooldown and daily_cap apply in the order of closing, as if nobody had been asked before."
    yield "not_before is ignored. The API doesn't show members of the organisation."
    yield "machine and without_addresses: the API shows an address for e-mails and contact forms only."
    rules = {rule for _, named in counted.unknown for rule in named}
    yield from (text for rule, text in _MISSING_FACTS.items() if rule in rules)
    if rules:
        yield "An unknown result counts for no cooldown and no daily_cap."
    if sample < 1:
        yield f"Sample: {len(found.ids)} of {found.among}. It shows fewer repeated customers than there are."
    if not found.is_all:
        yield f"More than --limit {len(found.ids)} conversations match. These are the first that Dixa lists."
    if counted.unreadable:
        yield f"Dixa could not show {counted.unreadable} of the conversations."


_MISSING_FACTS = {
    "addresses": "addresses: the API shows the customer's for e-mails and contact forms only.",
    "contact_points": "contact_points: the API shows them for e-mails and contact forms only.",
    "user_types": "user_types: the API doesn't show them.",
    "assignee_types": "assignee_types: the API doesn't show them.",
    "deliver": "deliver: only an e-mail could reach these customers. The API doesn't show if they have one.",
}
