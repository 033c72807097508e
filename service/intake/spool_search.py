"""Finds and deletes the spooled entries about a person, those set aside as unreadable too."""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.intake import synced_files
from service.intake.spool import CORRUPT, LOCK
from service.intake.spool_size import list_entries

_OPT_OUT = "opt_out"


@dataclass(frozen=True, slots=True)
class SpooledData:
    """An entry about a person. `content` is its text if it isn't JSON."""

    path: Path
    content: Any = field(repr=False)

    @property
    def is_opt_out(self) -> bool:
        """Whether it is the person's wish to get no surveys, or to get them again."""
        return isinstance(self.content, dict) and _OPT_OUT in _kinds_of(self.content)


def find_entries(folder: Path, is_about: Callable[[str], bool], survey_ids: Collection[str]) -> list[SpooledData]:
    """Return the entries about a person, or about one of these surveys.

    `is_about` gets the identities in a close, or the whole text of an unreadable entry.
    """
    found = []
    for each in (*list_entries(folder), *list_entries(folder / CORRUPT)):
        try:
            text = Path(each.path).read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            continue  # It was drained just now.
        content = _parse(text)
        survey_id = content.get("survey_id") if isinstance(content, dict) else None
        if is_about(_identities_in(content)) or survey_id in survey_ids:
            found.append(SpooledData(Path(each.path), content))
    return sorted(found, key=lambda entry: entry.path.name)


def delete_entries(folder: Path, entries: Collection[SpooledData]) -> int:
    """Delete entries while nobody drains the spool. Return how many were there. Raises FolderBusy."""
    deleted = 0
    with synced_files.alone(folder / LOCK) as is_alone:
        if not is_alone:
            raise FolderBusy
        for each in entries:
            try:
                each.path.unlink()
            except FileNotFoundError:
                continue
            deleted += 1
    return deleted


class FolderBusy(Exception):
    """Another process drains the spool now."""


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _identities_in(content: Any) -> str:
    if isinstance(content, str):
        return content
    close = content.get("close") if isinstance(content, dict) else None
    return f"{close.get('requester_id')} {close.get('person')}" if isinstance(close, dict) else ""


def _kinds_of(content: dict[str, Any]) -> set[Any]:
    within = content.get("entries")
    parts = [content, *(within if isinstance(within, list) else ())]
    return {each.get("kind") for each in parts if isinstance(each, dict)}
