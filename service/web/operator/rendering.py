"""Renders the views of the window: their shell, with the navigation, the filters and the style sheet.

A view is a function of the blueprint; `VIEWS` has each with its name. All of them render with `render_view`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, Final

from flask import Response, render_template, request
from markupsafe import Markup, escape

from config.settings import Settings
from service.surveys.dixa_names import DIXA_CHANNELS
from service.surveys.language_codes import LANGUAGES
from service.web.operator import charts
from service.web.operator.blueprint import bp, operator
from service.web.operator.filters import NARROWING, NONE, PERIODS, FilterError, Filters, load_filters
from service.web.security_headers import page_policy
from service.web.services import services
from service.web.stylesheet import read_stylesheet

VIEWS: Final[Mapping[str, str]] = {
    "today": "Today",
    "funnel": "Funnel",
    "results": "Results",
    "answers": "Answers",
    "story": "Story",
    "failed": "Failed",
    "set_up": "Set-up",
}
"""The views in the order of the navigation: endpoints of the blueprint, and their names."""

_LABELS = {name: name.capitalize() for name in NARROWING}


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a filter, as the URL and as people have it."""

    value: str
    label: str


Choices = Mapping[str, Sequence[Choice]]


def render_view(
    template: str,
    view: str,
    *,
    filters: Filters | None = None,
    choices: Choices = MappingProxyType({}),
    kept: Mapping[str, str] = MappingProxyType({}),
    status: int = 200,
    **facts: Any,
) -> Response:
    """Render a view. `view` is its endpoint in VIEWS.

    With `filters`, the page has the line of filters. `choices` has their queues and agents; surveys, channels and
    languages are known. `kept` are other values of the query that the filters keep, such as the order of a table.
    Without filters, the navigation keeps those of the URL.
    """
    core = services()
    sheet = read_stylesheet("operator/templates/operator/operator.css", core.settings.theme)
    html = render_template(
        f"operator/{template}",
        view=view,
        views=VIEWS,
        filters=filters,
        kept_filters=filters or _kept_filters(),
        filter_labels=_LABELS,
        kept_values=kept,
        choices=_known_choices(core.settings) | {name: [*each] for name, each in choices.items()},
        periods=PERIODS,
        operator=operator(),
        brand=core.settings.brand_name,
        version=version("afterword"),
        clock=Clock(core.settings),
        charts=charts,
        mark_code=mark_code,
        style=sheet,
        **facts,
    )
    headers = {
        "Content-Security-Policy": page_policy(sheet),
        # A post needs its Origin or Referer: without them the post of an older browser is refused.
        "Referrer-Policy": "same-origin",
    }
    return Response(html, status, headers, content_type="text/html; charset=utf-8")


def read_filters() -> Filters:
    """Return the filters of the current request. Raises FilterError, for which there is a page."""
    return load_filters(request.args, services().settings.time_zone)


@bp.errorhandler(FilterError)
def _show_problem(error: FilterError) -> Response:
    view = (request.endpoint or "").rpartition(".")[2]
    return render_view("problem.html", view, status=400, title="These filters can’t be used", problems=error.problems)


def _kept_filters() -> Filters:
    try:
        return read_filters()
    except FilterError:
        return load_filters({}, services().settings.time_zone)


def _known_choices(settings: Settings) -> dict[str, list[Choice]]:
    names: dict[str, Iterable[tuple[str, str]]] = {
        "survey": [(each.name, each.name) for each in settings.surveys],
        "channel": [(each, each) for each in DIXA_CHANNELS],
        "queue": (),
        "agent": (),
        "language": sorted(((code, names[0]) for code, names in LANGUAGES.items()), key=lambda each: each[1]),
    }
    return {name: [*(Choice(*each) for each in found), Choice(NONE, f"No {name}")] for name, found in names.items()}


class Clock:
    """Times as the window shows them: in TIME_ZONE."""

    def __init__(self, settings: Settings) -> None:
        self._zone = settings.time_zone
        self.now = datetime.now(UTC)

    @property
    def zone(self) -> str:
        """The name of the time zone."""
        return self._zone.key

    @property
    def today(self) -> date:
        """The day."""
        return self.now.astimezone(self._zone).date()

    def time(self, moment: datetime) -> str:
        """Return a time of the day, with seconds."""
        return f"{moment.astimezone(self._zone):%H:%M:%S}"

    def short_time(self, moment: datetime) -> str:
        """Return a time of the day."""
        return f"{moment.astimezone(self._zone):%H:%M}"

    def day(self, moment: datetime | date) -> str:
        """Return a day with its month, and its year if that isn't this one."""
        found = moment.astimezone(self._zone).date() if isinstance(moment, datetime) else moment
        year = "" if found.year == self.today.year else f" {found.year}"
        return f"{found.day} {found:%b}{year}"

    def midnight(self, day: date) -> datetime:
        """Return the begin of a day."""
        return datetime.combine(day, time(), self._zone).astimezone(UTC)

    def moment(self, moment: datetime) -> str:
        """Return a day and a time."""
        return f"{self.day(moment)}, {self.short_time(moment)}"

    def ago(self, moment: datetime) -> str:
        """Return how long ago a moment was."""
        return f"{span(self.now - moment)} ago"


def mark_code(text: str) -> Markup:
    """Escape a text of ours, and mark its `code`."""
    parts = str(escape(text)).split("`")
    # Every second part stood between backticks.
    return Markup("".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts)))  # noqa: S704


def span(length: timedelta) -> str:
    """Return a length of time in its largest unit: `40 s`, `12 min`, `5 h` or `3 days`, with a no-break space."""
    seconds = max(int(length.total_seconds()), 0)
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}\N{NO-BREAK SPACE}{unit}"
    return f"{seconds}\N{NO-BREAK SPACE}s"
