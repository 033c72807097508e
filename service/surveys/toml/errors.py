"""Error lines for surveys.toml: each names its place, and suggests a key for an unknown one."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from typing import Any, Final

from service.surveys.toml.fields import NO_SUCH_KEY, KeyPath, flatten


@dataclass(frozen=True, slots=True)
class Table:
    """A table of surveys.toml: its header line and its keys."""

    line: str
    keys: tuple[str, ...]


Tables = dict[str, Table]
"""The tables by key. The key of the whole file is "". Suggestions come from the first table that has one."""

_LIKELY_TABLES = ("survey", "match")
RENAMED: Final = {
    "after": "on_answer",
    "again": "on_reclose",
    "again_after": "cooldown",
    "ask": "match",
    "close_again": "reclose",
    "hold": "editable_for",
    "rated": "credit",
    "starts": "not_before",
    "suspect_hold": "suspect_editable_for",
    "window": "send_window",
}
"""Keys of the previews: old name → new name."""


def describe_mistakes(messages: Any, document: Mapping[str, Any], tables: Tables) -> Iterator[str]:
    """Yield one line per marshmallow message, such as `survey "vip": match.sample: …`."""
    found = list(flatten(messages))
    names = _names(document, {path[1] for path, _ in found if path[2:] == ("name",)})
    for path, message in found:
        problem = _explain_unknown(path, tables) if message == NO_SUCH_KEY else message
        yield f"{_place(path, names)}: {problem}"


def _names(document: Mapping[str, Any], refused: set[str | int]) -> dict[int, str]:
    """Return the surveys' names by position, without invalid and repeated ones."""
    surveys = document.get("survey")
    given = dict(enumerate(surveys)) if isinstance(surveys, list) else {}
    names = {at: each.get("name") for at, each in given.items() if at not in refused and isinstance(each, Mapping)}
    count = Counter(names.values())
    return {at: name for at, name in names.items() if name and count[name] == 1}


def _place(path: KeyPath, names: Mapping[int, str]) -> str:
    """Spell a path for people, who count from 1."""
    text = "".join(map(str, path[:1]))
    for before, step in pairwise(path):
        if isinstance(step, int):
            text += f' "{names[step]}"' if before == "survey" and step in names else f" {step + 1}"
        else:
            text += f": {step}" if isinstance(before, int) else f".{step}"
    return text


def _explain_unknown(path: KeyPath, tables: Tables) -> str:
    key = str(path[-1]).casefold() if path else ""
    if key in RENAMED:
        return f"`{key}` is called `{RENAMED[key]}` now."
    return f"{NO_SUCH_KEY} {_suggest(path, tables)}"


def _suggest(path: KeyPath, tables: Tables) -> str:
    """Suggest a similar key of the same table, or the table that has such a key."""
    *above, key = (str(step).casefold() for step in ("", *path))
    if key and key in tables:
        return f"Write it as {tables[key].line}."
    here = next((name for name in reversed(above) if name in tables), "")
    # In TOML a key belongs to the header above it. Keys of [[survey]] and [survey.match] often land in a later table.
    near = tables if here in {"", "survey"} else _LIKELY_TABLES
    there = {each: name for name in reversed(near) if name != here for each in tables[name].keys}
    guess = key if key in there else _nearest(key, tables[here].keys, 0.6) or _nearest(key, there, 0.8)
    if not guess:
        return "See the list of keys in docs/surveys.md."
    if guess in tables:
        return f"Did you mean {tables[guess].line}?"
    if guess in tables[here].keys:
        return f'Did you mean "{guess}"?'
    place = f"above {tables[here].line}" if here and there[guess] == "survey" else "below that line"
    return f'Did you mean "{guess}" of {tables[there[guess]].line}? Write it {place}.'


def _nearest(key: str, known: Iterable[str], likeness: float) -> str:
    return next(iter(get_close_matches(key, known, 1, likeness)), "")
