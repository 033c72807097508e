"""The view "Set-up": what the doctor finds, which processes run, and the surveys.toml that each of them has."""

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from flask import Response

from service.doctor.finding import Level
from service.doctor.last_run import LastRuns
from service.records.processes import Process
from service.web.operator.blueprint import bp
from service.web.operator.rendering import render_view
from service.web.operator.today import recent_findings
from service.web.readiness import Findings
from service.web.services import services

_TROUBLES: Final = {Level.FAIL, Level.WARN, Level.SKIP}
_OLD: Final = timedelta(days=7)
_AROUND = 2
"""Unchanged lines beside a difference."""


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a difference. `sign` is "+", "-", "@" or "" for an unchanged one."""

    sign: str
    text: str


@dataclass(frozen=True, slots=True)
class Version:
    """A surveys.toml, the processes that have it, and how it differs from the one that most have."""

    name: str
    text: str
    places: Sequence[str]
    diff: Sequence[DiffLine]


@dataclass(frozen=True, slots=True)
class Examined:
    """Findings, divided into those that need a look and all others."""

    troubles: Findings
    others: Findings


@bp.get("/set-up")
def set_up() -> Response:
    """Show the set-up."""
    core = services()
    running = core.processes.at_work()
    last_run = LastRuns.beside(core.records).read()
    now, now_at = recent_findings()
    return render_view(
        "set_up.html",
        "set_up",
        now=_divide(now),
        now_at=now_at,
        last_run=last_run,
        last_found=_divide(last_run.found) if last_run else None,
        old_after=_OLD,
        running=running,
        versions=compare_versions(running, core.processes.surveys_files(running)),
    )


def _divide(found: Findings) -> Examined:
    return Examined(
        [each for each in found if each[1].level in _TROUBLES], [each for each in found if each[1].level is Level.OK]
    )


def compare_versions(running: Sequence[Process], texts: Mapping[str, str]) -> list[Version]:
    """Return the versions of surveys.toml, the most frequent one first: the others are compared with that."""
    counts = Counter(each.surveys_file for each in running if each.surveys_file in texts)
    names = [name for name, _ in counts.most_common()]
    return [
        Version(
            name,
            texts[name],
            [*dict.fromkeys(each.place for each in running if each.surveys_file == name)],
            [*_compare(texts[names[0]], texts[name])],
        )
        for name in names
    ]


def _compare(common: str, other: str) -> Sequence[DiffLine]:
    lines = difflib.unified_diff(common.splitlines(), other.splitlines(), n=_AROUND, lineterm="")
    # The first two lines name the files.
    return [DiffLine(each[0].strip(), each if each[0] == "@" else each[1:]) for each in [*lines][2:]]
