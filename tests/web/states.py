"""Every state of the survey page, by name: what the tests of its size and markup go through, and the pictures show."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

from flask import Flask, Response, request

from config.surveys import RatingType
from service.surveys.languages import Language, language
from service.web import headers, pages, stop, wording
from service.web.pages import Closed, PageContext
from tests.web.pseudo import PSEUDO

CSAT, NPS, THUMBS = RatingType.CSAT, RatingType.NPS, RatingType.THUMBS
PUBLIC_URL = "https://survey.northwind.example"
SUPPORT_URL = "https://northwind.example/support"
PRIVACY_URL = "https://northwind.example/privacy"

CONTEXT = PageContext(
    language=language("en"),
    brand="Northwind",
    support_url=SUPPORT_URL,
    privacy_url=None,
    ratings=(CSAT,),
    channel="WidgetChat",
    closed_on=date(2026, 5, 12),
    until=date(2026, 9, 22),
    kept_for=timedelta(days=90),
    action="/s/token",
)
WITH_NPS = replace(CONTEXT, ratings=(NPS,))
WITH_THUMBS = replace(CONTEXT, ratings=(THUMBS,))
WITH_ALL = replace(CONTEXT, ratings=(CSAT, NPS, THUMBS))

TOO_LONG = {"comment": wording.COMMENT_TOO_LONG}
COMMENT = "Marta found the missing parcel.\nIt took two days, though."
ALL_SCORES = {CSAT: 4, NPS: 9, THUMBS: 1}
KINDS: dict[str, tuple[RatingType, ...]] = {
    "": (CSAT,),
    "nps": (NPS,),
    "thumbs": (THUMBS,),
    "all": (CSAT, NPS, THUMBS),
}
"""What a survey asks, by the first word of its states' names."""

State = Callable[[PageContext], Response]


def _states_of(ratings: tuple[RatingType, ...]) -> dict[str, State]:
    """Name the states that look different for each kind of survey."""
    scores = {rating: ALL_SCORES[rating] for rating in ratings}
    linked = {ratings[0]: scores[ratings[0]]}
    no_rating = wording.NOTHING_CHOSEN if len(ratings) > 1 else wording.NOT_CHOSEN[ratings[0]]

    def of(ctx: PageContext, query: str = "") -> PageContext:
        return replace(ctx, ratings=ratings, query=query)

    return {
        "form": lambda ctx: pages.form_page(of(ctx)),
        "preselected": lambda ctx: pages.form_page(of(ctx, f"r={scores[ratings[0]]}"), chosen=linked, preselected=True),
        "error": lambda ctx: pages.form_page(of(ctx), errors={"rating": no_rating}),
        "saved": lambda ctx: pages.saved_page(of(ctx), scores, has_comment=False, change_url="/s/token?change=1"),
        "change": lambda ctx: pages.change_page(of(ctx, "change=1"), scores, has_comment=True),
        "failed": lambda ctx: pages.form_page(of(ctx), chosen=scores, comment=COMMENT, failed=True),
    }


STATES: dict[str, State] = {
    **{
        kind if kind and name == "form" else "-".join(filter(None, (kind, name))): state
        for kind, ratings in KINDS.items()
        for name, state in _states_of(ratings).items()
    },
    "busy": lambda ctx: pages.form_page(ctx, chosen={CSAT: 4}, comment=COMMENT, failed=True, status=429),
    "error-comment": lambda ctx: pages.form_page(ctx, chosen={CSAT: 2}, comment=COMMENT, errors=TOO_LONG),
    "saved-thank-you": lambda ctx: pages.saved_page(
        replace(ctx, thank_you="https://reviews.northwind.example/rate"),
        {CSAT: 5},
        has_comment=True,
        change_url="/s/token",
    ),
    # The fullest page that there is.
    "all-error": lambda ctx: pages.form_page(
        replace(ctx, ratings=KINDS["all"], privacy_url=ctx.privacy_url or PRIVACY_URL),
        comment=COMMENT,
        errors={"rating": wording.NOTHING_CHOSEN, **TOO_LONG},
    ),
    "saved-comment": lambda ctx: pages.saved_page(ctx, {CSAT: 4}, has_comment=True, change_url="/s/token?change=1"),
    "recorded": lambda ctx: pages.recorded_page(ctx, not_changed=False),
    "recorded-not-changed": lambda ctx: pages.recorded_page(ctx, not_changed=True),
    "recorded-late": lambda ctx: pages.late_page(ctx, COMMENT, is_rating_recorded=True),
    "closed-expired": lambda ctx: pages.closed_page(ctx, Closed.EXPIRED),
    "closed-erased": lambda ctx: pages.closed_page(replace(ctx, support_url=None), Closed.ERASED),
    "not-found": lambda ctx: pages.not_found_page(ctx.language, ctx.brand, ctx.support_url, ctx.look),
    "stop": lambda ctx: stop.button_page(ctx, action=f"{ctx.action}/stop"),
    "stop-failed": lambda ctx: stop.button_page(ctx, action=f"{ctx.action}/stop", failed=True),
    "stop-stopped": lambda ctx: stop.stopped_page(ctx, action=f"{ctx.action}/stop"),
    "stop-kept": lambda ctx: stop.kept_page(ctx, action=f"{ctx.action}/stop"),
    "stop-failed-undo": lambda ctx: stop.stopped_page(ctx, action=f"{ctx.action}/stop", failed=True),
    "stop-unknown": stop.unknown_page,
    "stop-unknown-undo": lambda ctx: stop.unknown_page(ctx, is_undo=True),
}


def show(name: str, spoken: Language = CONTEXT.language) -> Response:
    """Show a state in a language."""
    return STATES[name](replace(CONTEXT, language=spoken))


def make_app() -> Flask:
    """Make an app that shows each state at /states/<name>?lang=…&brand=…, with the headers of the real one."""
    app = Flask("service.web")

    @app.get("/states/<name>")
    def state(name: str) -> Response:
        code = request.args.get("lang", "en")
        spoken = PSEUDO if code == PSEUDO.code else language(code)
        return STATES[name](replace(CONTEXT, language=spoken, brand=request.args.get("brand", CONTEXT.brand)))

    @app.after_request
    def protect(response: Response) -> Response:
        return headers.add_security_headers(response, public_url=PUBLIC_URL)

    return app
