"""Every state of the pages, by name. The preview shows them; the tests weigh and measure them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from flask import Response

from service.surveys.brand import Brand
from service.surveys.ratings import RatingType
from service.web import forms, opt_out, page_texts, pages, statements
from service.web.page_context import Closed, PageContext, Unsaved

State = Callable[[PageContext], Response]

COMMENT: Final = "Marta found the missing parcel.\nIt took two days, though."
SCORES: Final = {RatingType.CSAT: 4, RatingType.NPS: 9, RatingType.THUMBS: 1}
_TOO_LONG = {forms.COMMENT: page_texts.COMMENT_TOO_LONG}
_NOTHING_ADDED = Unsaved(errors={forms.COMMENT: page_texts.NOTHING_TO_ADD}, status=422)


def _all(ctx: PageContext) -> Mapping[RatingType, int]:
    return {rating: SCORES[rating] for rating in ctx.ratings}


def _first(ctx: PageContext) -> Mapping[RatingType, int]:
    return {ctx.ratings[0]: SCORES[ctx.ratings[0]]}


def _lowest(ctx: PageContext) -> Mapping[RatingType, int]:
    return {ctx.ratings[0]: ctx.ratings[0].scores[0]}


def _error(ctx: PageContext) -> Response:
    missing = page_texts.NOTHING_CHOSEN if len(ctx.ratings) > 1 else page_texts.NOT_CHOSEN[ctx.ratings[0]]
    return pages.form_page(ctx, comment=COMMENT, errors={forms.FIRST: missing, **_TOO_LONG})


def _failed(ctx: PageContext, status: int | None = None) -> Response:
    return pages.form_page(ctx, chosen=_all(ctx), comment=COMMENT, failed=True, status=status)


def _saved(ctx: PageContext, **facts: Any) -> Response:
    return pages.saved_page(ctx.without_form, **{"scores": _all(ctx), "has_comment": False, **facts})


def _changed(ctx: PageContext, typed: Unsaved, *, has_comment: bool) -> Response:
    return pages.change_page(ctx.without_form, _all(ctx), typed, has_comment=has_comment)


def _late(ctx: PageContext, **facts: Any) -> Response:
    return pages.late_page(ctx, _all(ctx), **facts)


def _brand(ctx: PageContext) -> Brand:
    return Brand(ctx.brand, ctx.theme, ctx.support_url)


def _stop(page: Callable[..., Response], **facts: Any) -> State:
    return lambda ctx: page(ctx, action=ctx.opt_out_url or "", **facts)


STATES: Final[Mapping[str, tuple[str, State]]] = {
    "form": ("Form", pages.form_page),
    "preselected": (
        "Opened with a score",
        lambda ctx: pages.form_page(ctx, chosen=_first(ctx), preselected=True),
    ),
    "error": ("With mistakes", _error),
    "error-comment": (
        "Comment too long",
        lambda ctx: pages.form_page(ctx, chosen=_first(ctx), comment=COMMENT, errors=_TOO_LONG),
    ),
    "failed": ("Not saved", _failed),
    "busy": ("Sent too often", lambda ctx: _failed(ctx, 429)),
    "saved": ("Thanks", _saved),
    "saved-comment": ("Thanks, with a comment", lambda ctx: _saved(ctx, has_comment=True)),
    "saved-removed": ("Thanks, comment removed", lambda ctx: _saved(ctx, is_comment_removed=True)),
    "saved-error": ("Thanks, nothing to add", lambda ctx: _saved(ctx, typed=_NOTHING_ADDED)),
    "saved-error-comment": (
        "Thanks, comment too long",
        lambda ctx: _saved(ctx, typed=Unsaved(comment=COMMENT, errors=_TOO_LONG, status=422)),
    ),
    "saved-spooled": ("Thanks, Redis away", lambda ctx: _saved(replace(ctx, deadline=None, query=None))),
    "saved-thank-you": (
        "Thanks, with a page to go on to",
        lambda ctx: _saved(replace(ctx, thank_you="https://reviews.example.com/rate"), has_comment=True),
    ),
    "saved-first": ("Thanks, with questions left", lambda ctx: _saved(ctx, scores=_first(ctx))),
    "saved-first-error": (
        "Thanks, none of those left answered",
        lambda ctx: _saved(ctx, typed=_NOTHING_ADDED, scores=_first(ctx)),
    ),
    "saved-first-comment": (
        "Thanks, questions left, comment sent",
        lambda ctx: _saved(ctx, scores=_first(ctx), has_comment=True),
    ),
    "change": ("Change the answer", lambda ctx: _changed(ctx, Unsaved(), has_comment=True)),
    "changed": (
        "Saved, opened with another score",
        lambda ctx: _changed(ctx, Unsaved(_lowest(ctx)), has_comment=False),
    ),
    "change-error": (
        "Change the answer, comment too long",
        lambda ctx: _changed(ctx, Unsaved(_lowest(ctx), COMMENT, _TOO_LONG, 422), has_comment=True),
    ),
    "recorded": ("Recorded", lambda ctx: pages.recorded_page(ctx, _all(ctx))),
    "recorded-not-changed": ("Recorded, a change came late", lambda ctx: _late(ctx, is_changed=True)),
    "recorded-not-removed": ("Recorded, a removal came late", lambda ctx: _late(ctx, removes_comment=True)),
    "recorded-late": ("Recorded, a comment came late", lambda ctx: _late(ctx, comment=COMMENT)),
    "recorded-late-changed": ("Recorded, all came late", lambda ctx: _late(ctx, comment=COMMENT, is_changed=True)),
    "closed-expired": ("Closed: expired", lambda ctx: pages.closed_page(ctx, Closed.EXPIRED)),
    "closed-expired-comment": (
        "Closed: a comment came late",
        lambda ctx: pages.closed_page(ctx, Closed.EXPIRED, COMMENT),
    ),
    "closed-erased": ("Closed: erased", lambda ctx: pages.closed_page(ctx, Closed.ERASED)),
    "not-found": (
        "No such link",
        lambda ctx: pages.not_found_page(ctx.language, ctx.brand, ctx.support_url, ctx.theme),
    ),
    "unavailable": (
        "Short link, Redis away",
        lambda ctx: pages.unavailable_page(ctx.language, ctx.brand, ctx.support_url, ctx.theme),
    ),
    "stop": ("Stop the surveys", _stop(opt_out.opt_out_page)),
    "stop-stopped": ("Stopped", _stop(opt_out.opted_out_page)),
    "stop-kept": ("Stopped and undone", _stop(opt_out.opted_in_page)),
    "stop-failed": ("Not stopped", _stop(opt_out.opt_out_page, failed=True)),
    "stop-failed-undo": ("Not undone", _stop(opt_out.opted_out_page, failed=True)),
    "stop-unknown": ("Stop: nobody known", opt_out.unknown_page),
    "stop-unknown-undo": ("Undo: nobody known", lambda ctx: opt_out.unknown_page(ctx, is_opt_in=True)),
    "privacy": (
        "Privacy notice",
        lambda ctx: statements.privacy_page(ctx.language, _brand(ctx), None, timedelta(days=90), ctx.survey),
    ),
    "accessibility": (
        "Accessibility",
        lambda ctx: statements.accessibility_page(ctx.language, _brand(ctx), None, ctx.survey),
    ),
}
"""Each with its label."""
