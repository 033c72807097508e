"""Findings, and the checks that yield them."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from service.doctor.installation import Installation
from service.records.redis import RecordsUnavailable
from service.surveys.errors import CallError


class Level(StrEnum):
    """How bad it is. A skipped check could not be made, since another one failed."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found, and what to do about it."""

    level: Level
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        """Return the whole line for a person."""
        return f"{self.text}. {self.remedy[0].upper()}{self.remedy[1:]}." if self.remedy else f"{self.text}."


def ok(text: str) -> Finding:
    """Return a finding without a problem. Texts have no full stop."""
    return Finding(Level.OK, text)


def warn(text: str, remedy: str = "") -> Finding:
    """Return a problem that loses nothing yet."""
    return Finding(Level.WARN, text, remedy)


def fail(text: str, remedy: str = "") -> Finding:
    """Return a problem that stops surveys, or may lose some."""
    return Finding(Level.FAIL, text, remedy)


@dataclass(frozen=True, slots=True)
class Check:
    """A check with its stable id. It is skipped if one of the checks that it needs failed.

    `find` may raise RecordsUnavailable or a CallError, which are findings too.
    """

    id: str
    find: Callable[[Installation], Iterable[Finding]]
    needs: Collection[str] = ()


def examine(checks: Iterable[Check], installation: Installation) -> Iterator[tuple[str, Finding]]:
    """Make the checks in turn. Yield each finding with the id of its check."""
    causes: dict[str, str] = {}
    for check in checks:
        if cause := next((causes[each] for each in check.needs if each in causes), None):
            causes[check.id] = cause
            yield check.id, Finding(Level.SKIP, f"not tested, since {cause} failed")
            continue
        for finding in _find(check, installation):
            if finding.level is Level.FAIL:
                causes[check.id] = check.id
            yield check.id, finding


def _find(check: Check, installation: Installation) -> Iterator[Finding]:
    try:
        yield from check.find(installation)
    except RecordsUnavailable as error:
        yield fail(str(error), "Check REDIS_URL, and that Redis is running")
    except CallError as error:
        yield fail(str(error))
