"""Every state of the survey page, with each kind of survey: for the tests of size and markup, and for the pictures."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Flask, Response, request

from service.preview import states
from service.preview.states import State
from service.surveys.ratings import RatingType
from service.texts.catalog import Language, load_language
from service.web import security_headers
from service.web.page_context import EditDeadline, PageContext
from tests.web.pseudo import PSEUDO

CSAT, NPS, THUMBS = RatingType.CSAT, RatingType.NPS, RatingType.THUMBS
PUBLIC_URL = "https://survey.northwind.example"
SUPPORT_URL = "https://northwind.example/support"
STOP_URL = "/s/token/stop"
PRIVACY_URL = "https://northwind.example/privacy"

NOW = datetime(2026, 5, 12, 14, 30, tzinfo=ZoneInfo("Europe/Copenhagen"))

CONTEXT = PageContext(
    language=load_language("en"),
    brand="Northwind",
    support_url=SUPPORT_URL,
    privacy_url=None,
    ratings=(CSAT,),
    channel="WidgetChat",
    closed_on=date(2026, 5, 12),
    until=date(2026, 9, 22),
    kept_for=timedelta(days=90),
    action="?",
    opt_out_url=STOP_URL,
    deadline=EditDeadline(NOW + timedelta(minutes=5), NOW, can_move=True),
)
WITH_NPS = replace(CONTEXT, ratings=(NPS,))
WITH_THUMBS = replace(CONTEXT, ratings=(THUMBS,))
WITH_ALL = replace(CONTEXT, ratings=(CSAT, NPS, THUMBS))

KINDS: dict[str, tuple[RatingType, ...]] = {
    "": (CSAT,),
    "nps": (NPS,),
    "thumbs": (THUMBS,),
    "all": (CSAT, NPS, THUMBS),
}
"""The questions of a survey, by the first word of its states' names."""

_OF_EACH_KIND = {
    *("form", "preselected", "error", "saved", "change", "changed", "change-error"),
    *("recorded", "recorded-not-changed", "failed"),
}
"""States with a different page for each kind of survey."""


def _contexts(name: str) -> Iterator[tuple[str, Callable[[PageContext], PageContext]]]:
    """Yield the kinds of survey to try a state with, and how each changes the context."""
    if name.startswith("saved-first"):
        # The page is largest with the shortest of the three questions answered.
        yield "all", lambda ctx: replace(ctx, ratings=(NPS, CSAT, THUMBS))
        return
    yield "", lambda ctx: ctx
    if name in _OF_EACH_KIND:
        yield "nps", lambda ctx: replace(ctx, ratings=KINDS["nps"])
        yield "thumbs", lambda ctx: replace(ctx, ratings=KINDS["thumbs"])
        yield "all", lambda ctx: replace(ctx, ratings=KINDS["all"], privacy_url=ctx.privacy_url or PRIVACY_URL)


def _called(kind: str, name: str) -> str:
    return kind if kind and name == "form" else "-".join(filter(None, (kind, name)))


STATES: dict[str, State] = {
    _called(kind, name): lambda ctx, page=page, of_kind=of_kind: page(of_kind(ctx))  # type: ignore[misc]
    for name, (_, page) in states.STATES.items()
    for kind, of_kind in _contexts(name)
}


def show(name: str, spoken: Language = CONTEXT.language) -> Response:
    """Render a state in a language."""
    return STATES[name](replace(CONTEXT, language=spoken))


def make_app() -> Flask:
    """Make an app that shows each state at /states/<name>?lang=…&brand=…, with the headers of the real one."""
    app = Flask("service.web")

    @app.get("/states/<name>")
    def state(name: str) -> Response:
        code = request.args.get("lang", "en")
        spoken = PSEUDO if code == PSEUDO.code else load_language(code)
        return STATES[name](replace(CONTEXT, language=spoken, brand=request.args.get("brand", CONTEXT.brand)))

    @app.after_request
    def protect(response: Response) -> Response:
        return security_headers.add_security_headers(response, public_url=PUBLIC_URL)

    return app
