"""What the reports of the window share: they read the archive in a thread, and say so if it can't be trusted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from flask import Response, request

from service.archive.engine import ArchiveUnavailable
from service.records.due_archive import ArchiveFacts, DueArchive
from service.records.names import Names, NamesInDixa
from service.reports.queue_names import read_queue_names
from service.reports.reading import read_report
from service.reports.selection import NONE, Period, Selection
from service.surveys.language_codes import LANGUAGES
from service.web.archive_access import read_archive
from service.web.operator.blueprint import bp
from service.web.operator.filters import Filters
from service.web.operator.rendering import Choice, render_view
from service.web.services import services

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Report:
    """A report, with the names in Dixa. `warning` says why its numbers may be old."""

    content: Any
    labels: "Labels"
    warning: str


class ArchiveProblem(Exception):
    """There is no archive to read. The texts are for the operator: what is wrong, and what to do."""

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(what)
        self.what, self.todo = what, todo


class Labels:
    """What people call a value of a dimension."""

    _MISSING: Mapping[str, str] = {
        "survey": "No survey possible",
        "channel": "Unknown channel",
        "queue": "No queue",
        "agent": "No agent",
        "language": "Unknown language",
    }

    def __init__(self, names: NamesInDixa) -> None:
        self._names: Mapping[str, Mapping[str, str]] = {
            "agent": names.agents,
            "queue": names.queues,
            "language": {code: spelled[0] for code, spelled in LANGUAGES.items()},
        }

    def __call__(self, dimension: str, value: str | None) -> str:
        """Return the label of a value, which is the value itself without a known name."""
        if value in (None, "", NONE):
            return self._MISSING[dimension]
        return self._names.get(dimension, {}).get(value, value)

    @property
    def choices(self) -> dict[str, list[Choice]]:
        """The agents and queues for the line of filters."""
        found = {}
        for dimension in ("queue", "agent"):
            known = [Choice(*each) for each in self._names[dimension].items()]
            known.sort(key=lambda each: each.label.casefold())
            found[dimension] = [*known, Choice(NONE, self(dimension, NONE))]
        return found


def read(filters: Filters, query: Callable[[Any, Selection], T]) -> Report:
    """Read a report of these filters. Raises ArchiveProblem."""
    core = services()
    url = core.settings.archive_url
    if url is None:
        raise ArchiveProblem(
            "There is no archive, and reports are made from it.",
            "Write `ARCHIVE_URL`, restart web and workers, and run `afterword archive rebuild`. See docs/archive.md.",
        )
    names = Names.beside(core.records).read()
    # Read before the database: workers write there first.
    written = DueArchive.beside(core.records).facts()
    selection = select(filters)

    def read_all(connection: Any) -> tuple[T, dict[str, str]]:
        return query(connection, selection), {} if names.queues else read_queue_names(connection)

    try:
        found = read_archive(url, read_report, read_all)
    except ArchiveUnavailable as error:
        raise _explain(error, written) from None
    content, queues = found.report
    labels = Labels(replace(names, queues=queues) if queues else names)
    return Report(content, labels, _warn(written, found.archive, found.version))


def select(filters: Filters) -> Selection:
    """Return the filters as reports take them."""
    period, before = filters.period, filters.before
    return Selection(
        Period(period.since, period.until),
        Period(before.since, before.until),
        filters.survey,
        filters.channel,
        filters.queue,
        filters.agent,
        filters.language,
    )


def render_report(
    template: str, view: str, report: Report, filters: Filters, kept: Mapping[str, str], **facts: Any
) -> Response:
    """Render a report in the shell of the window."""
    return render_view(
        template,
        view,
        filters=filters,
        choices=report.labels.choices,
        kept={name: value for name, value in kept.items() if value},
        report=report.content,
        label=report.labels,
        warning=report.warning,
        **facts,
    )


def _explain(error: ArchiveUnavailable, written: ArchiveFacts | None) -> ArchiveProblem:
    if written is None:
        return ArchiveProblem(
            f"No worker has written the archive yet ({error}).",
            "Start a worker. If one runs, see `afterword doctor --only archive`.",
        )
    return ArchiveProblem(
        f"This web process can't read the archive ({error}). Surveys and answers are not affected.",
        "Give web and workers the same `ARCHIVE_URL`. A file of SQLite works on one host only; for several, use "
        "PostgreSQL. See docs/archive.md.",
    )


def _warn(written: ArchiveFacts | None, archive: str, version: int) -> str:
    if written is None or (written.archive == archive and version >= written.version):
        return ""
    return (
        "These numbers are not the latest: the workers have written another archive than the one that this web process "
        "reads. Give all the same `ARCHIVE_URL`, and restart them."
    )


@bp.errorhandler(ArchiveProblem)
def _show_problem(error: ArchiveProblem) -> Response:
    view = (request.endpoint or "").rpartition(".")[2]
    return render_view("archive_problem.html", view, status=503, what=error.what, todo=error.todo)


def choose(given: str | None, known: Sequence[str], default: str = "") -> str:
    """Return a value of the query if it is known."""
    return given if given and given in known else default
