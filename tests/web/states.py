"""Every state of the survey page, by name: what the tests of its size and markup go through, and the pictures show."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

from flask import Flask, Response

from config.surveys import RatingType
from service.web import headers, pages, wording
from service.web.pages import Closed, PageContext

CSAT, NPS, THUMBS = RatingType.CSAT, RatingType.NPS, RatingType.THUMBS
PUBLIC_URL = "https://survey.northwind.example"
SUPPORT_URL = "https://northwind.example/support"

CONTEXT = PageContext(
    brand="Northwind",
    support_url=SUPPORT_URL,
    privacy_url=None,
    ratings=(CSAT,),
    channel="WidgetChat",
    closed_on=date(2026, 5, 12),
    action="/s/token",
)
WITH_NPS = replace(CONTEXT, ratings=(NPS,))
WITH_THUMBS = replace(CONTEXT, ratings=(THUMBS,))
WITH_ALL = replace(CONTEXT, ratings=(CSAT, NPS, THUMBS))

NO_RATING = {"rating": wording.NOT_CHOSEN[CSAT]}
TOO_LONG = {"comment": wording.COMMENT_TOO_LONG}
COMMENT = "Marta found the missing parcel.\nIt took two days, though."
ALL_SCORES = {CSAT: 4, NPS: 9, THUMBS: 1}

STATES: dict[str, Callable[[], Response]] = {
    "form": lambda: pages.form_page(CONTEXT),
    "preselected": lambda: pages.form_page(CONTEXT, chosen={CSAT: 4}, preselected=True),
    "error": lambda: pages.form_page(CONTEXT, errors=NO_RATING),
    "error-comment": lambda: pages.form_page(CONTEXT, chosen={CSAT: 2}, comment=COMMENT, errors=TOO_LONG),
    "saved": lambda: pages.saved_page(CONTEXT, {CSAT: 4}, has_comment=False, change_url="/s/token?change=1"),
    "saved-comment": lambda: pages.saved_page(CONTEXT, {CSAT: 4}, has_comment=True, change_url="/s/token?change=1"),
    "change": lambda: pages.change_page(CONTEXT, {CSAT: 4}, has_comment=True),
    "recorded": lambda: pages.recorded_page(CONTEXT, not_changed=False),
    "recorded-not-changed": lambda: pages.recorded_page(CONTEXT, not_changed=True),
    "closed-expired": lambda: pages.closed_page(CONTEXT, Closed.EXPIRED),
    "closed-cancelled": lambda: pages.closed_page(replace(CONTEXT, support_url=None), Closed.CANCELLED),
    "closed-erased": lambda: pages.closed_page(CONTEXT, Closed.ERASED),
    "not-found": lambda: pages.not_found_page("Northwind", SUPPORT_URL),
    "failed": lambda: pages.form_page(CONTEXT, chosen={CSAT: 4}, comment=COMMENT, failed=True),
    "nps": lambda: pages.form_page(WITH_NPS),
    "nps-preselected": lambda: pages.form_page(WITH_NPS, chosen={NPS: 9}, preselected=True),
    "thumbs": lambda: pages.form_page(WITH_THUMBS),
    "thumbs-preselected": lambda: pages.form_page(WITH_THUMBS, chosen={THUMBS: 1}, preselected=True),
    "all": lambda: pages.form_page(WITH_ALL),
    "all-preselected": lambda: pages.form_page(WITH_ALL, chosen={CSAT: 4}, preselected=True),
    "all-error": lambda: pages.form_page(
        replace(WITH_ALL, privacy_url="https://northwind.example/privacy"),
        chosen={NPS: 9},
        comment=COMMENT,
        errors={
            "rating": wording.NOT_CHOSEN[CSAT],
            "rating_thumbs": wording.NOT_CHOSEN[THUMBS],
            "comment": wording.COMMENT_TOO_LONG,
        },
    ),
    "all-saved": lambda: pages.saved_page(WITH_ALL, ALL_SCORES, has_comment=False, change_url="/s/token?change=1"),
}


def make_app() -> Flask:
    """Make an app that shows each state at /states/<name>, with the headers of the real one."""
    app = Flask("service.web")

    @app.get("/states/<name>")
    def state(name: str) -> Response:
        return STATES[name]()

    @app.after_request
    def protect(response: Response) -> Response:
        return headers.add_security_headers(response, public_url=PUBLIC_URL)

    return app
