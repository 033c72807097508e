"""Every state of the survey page, by name: what the tests of its size and markup go through, and the pictures show."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Flask, Response, request

from config.surveys import RatingType
from service.surveys.languages import Language, language
from service.web import headers, pages, stop, wording
from service.web.page_context import Closed, Deadline, PageContext, Unsaved
from tests.web.pseudo import PSEUDO

CSAT, NPS, THUMBS = RatingType.CSAT, RatingType.NPS, RatingType.THUMBS
PUBLIC_URL = "https://survey.northwind.example"
SUPPORT_URL = "https://northwind.example/support"
STOP_URL = "/s/token/stop"
PRIVACY_URL = "https://northwind.example/privacy"

NOW = datetime(2026, 5, 12, 14, 30, tzinfo=ZoneInfo("Europe/Copenhagen"))

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
    action="?",
    stop_url=STOP_URL,
    deadline=Deadline(NOW + timedelta(minutes=5), NOW, can_move=True),
)
WITH_NPS = replace(CONTEXT, ratings=(NPS,))
WITH_THUMBS = replace(CONTEXT, ratings=(THUMBS,))
WITH_ALL = replace(CONTEXT, ratings=(CSAT, NPS, THUMBS))

TOO_LONG = {"comment": wording.COMMENT_TOO_LONG}
NOTHING_TO_ADD = {"comment": wording.NOTHING_TO_ADD}
THANK_YOU = "https://reviews.northwind.example/rate"
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
    linked, other = {ratings[0]: scores[ratings[0]]}, {ratings[0]: ratings[0].scores[0]}
    no_rating = wording.NOTHING_CHOSEN if len(ratings) > 1 else wording.NOT_CHOSEN[ratings[0]]

    def of(ctx: PageContext, query: str = "") -> PageContext:
        return replace(ctx, ratings=ratings, query=query)

    def answered(ctx: PageContext, query: str = "") -> PageContext:
        return replace(of(ctx, query), until=None)

    return {
        "form": lambda ctx: pages.form_page(of(ctx)),
        "preselected": lambda ctx: pages.form_page(of(ctx, f"r={scores[ratings[0]]}"), chosen=linked, preselected=True),
        "error": lambda ctx: pages.form_page(of(ctx), errors={"rating": no_rating}),
        "saved": lambda ctx: pages.saved_page(answered(ctx), scores, has_comment=False),
        "change": lambda ctx: pages.change_page(answered(ctx, "change=1"), scores, has_comment=True),
        "changed": lambda ctx: pages.change_page(answered(ctx, "r=1"), scores, Unsaved(other), has_comment=False),
        "change-error": lambda ctx: pages.change_page(
            answered(ctx, "change=1"), scores, Unsaved(other, COMMENT, TOO_LONG, 422), has_comment=True
        ),
        "recorded": lambda ctx: pages.recorded_page(answered(ctx), scores),
        "recorded-not-changed": lambda ctx: pages.late_page(answered(ctx), scores, is_changed=True),
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
        replace(ctx, thank_you=THANK_YOU),
        {CSAT: 5},
        has_comment=True,
    ),
    # The fullest page that there is.
    "all-error": lambda ctx: pages.form_page(
        replace(ctx, ratings=KINDS["all"], privacy_url=ctx.privacy_url or PRIVACY_URL),
        comment=COMMENT,
        errors={"rating": wording.NOTHING_CHOSEN, **TOO_LONG},
    ),
    "saved-comment": lambda ctx: pages.saved_page(ctx, {CSAT: 4}, has_comment=True),
    "saved-removed": lambda ctx: pages.saved_page(ctx, {CSAT: 4}, has_comment=False, is_comment_removed=True),
    "saved-error": lambda ctx: pages.saved_page(
        ctx, {CSAT: 4}, has_comment=False, typed=Unsaved(errors=NOTHING_TO_ADD, status=422)
    ),
    "saved-error-comment": lambda ctx: pages.saved_page(
        ctx, {CSAT: 4}, has_comment=False, typed=Unsaved(comment=COMMENT, errors=TOO_LONG, status=422)
    ),
    "saved-spooled": lambda ctx: pages.saved_page(
        replace(ctx, deadline=None, query=None), {CSAT: 4}, has_comment=False
    ),
    # The first of three was confirmed, and the first is the shortest.
    "all-saved-first": lambda ctx: pages.saved_page(
        replace(ctx, ratings=(NPS, CSAT, THUMBS), until=None), {NPS: 9}, has_comment=False
    ),
    "all-saved-first-error": lambda ctx: pages.saved_page(
        replace(ctx, ratings=(NPS, CSAT, THUMBS), until=None),
        {NPS: 9},
        has_comment=False,
        typed=Unsaved(errors=NOTHING_TO_ADD, status=422),
    ),
    "all-saved-first-comment": lambda ctx: pages.saved_page(
        replace(ctx, ratings=KINDS["all"], until=None), {CSAT: 4}, has_comment=True
    ),
    "recorded-late": lambda ctx: pages.late_page(ctx, {CSAT: 4}, comment=COMMENT),
    "recorded-late-changed": lambda ctx: pages.late_page(ctx, {CSAT: 4}, is_changed=True, comment=COMMENT),
    "recorded-not-removed": lambda ctx: pages.late_page(ctx, {CSAT: 4}, forgets=True),
    "closed-expired": lambda ctx: pages.closed_page(ctx, Closed.EXPIRED),
    "closed-expired-comment": lambda ctx: pages.closed_page(ctx, Closed.EXPIRED, COMMENT),
    "closed-erased": lambda ctx: pages.closed_page(replace(ctx, support_url=None), Closed.ERASED),
    "not-found": lambda ctx: pages.not_found_page(ctx.language, ctx.brand, ctx.support_url, ctx.look),
    "unavailable": lambda ctx: pages.unavailable_page(ctx.language, ctx.brand, ctx.support_url, ctx.look),
    "stop": lambda ctx: stop.button_page(ctx, action=STOP_URL),
    "stop-failed": lambda ctx: stop.button_page(ctx, action=STOP_URL, failed=True),
    "stop-stopped": lambda ctx: stop.stopped_page(ctx, action=STOP_URL),
    "stop-kept": lambda ctx: stop.kept_page(ctx, action=STOP_URL),
    "stop-failed-undo": lambda ctx: stop.stopped_page(ctx, action=STOP_URL, failed=True),
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
