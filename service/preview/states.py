"""The states that a customer can meet the page in, by name."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from flask import Response

from config.surveys import RatingType
from service.web import pages, stop, wording
from service.web.page_context import Closed, PageContext, Unsaved

_SCORES = {RatingType.CSAT: 4, RatingType.NPS: 9, RatingType.THUMBS: 1}


def _scores(ctx: PageContext) -> Mapping[RatingType, int]:
    return {rating: _SCORES[rating] for rating in ctx.ratings}


def _first(ctx: PageContext) -> Mapping[RatingType, int]:
    return dict([*_scores(ctx).items()][:1])


def _wrong(ctx: PageContext) -> Response:
    several = len(ctx.ratings) > 1
    missing = wording.NOTHING_CHOSEN if several else wording.NOT_CHOSEN[ctx.ratings[0]]
    return pages.form_page(ctx, errors={"rating": missing, "comment": wording.COMMENT_TOO_LONG})


def _saved(ctx: PageContext, *, has_comment: bool) -> Response:
    return pages.saved_page(ctx, _scores(ctx), has_comment=has_comment)


def _thanked(ctx: PageContext) -> Response:
    return _saved(replace(ctx, thank_you="https://reviews.example.com"), has_comment=True)


def _late(ctx: PageContext) -> Response:
    return pages.late_page(ctx, _scores(ctx), comment=wording.COMMENT_LABEL)


def _other(ctx: PageContext) -> Mapping[RatingType, int]:
    return {ctx.ratings[0]: ctx.ratings[0].scores[0]}


def _changed(ctx: PageContext) -> Response:
    return pages.change_page(ctx, _scores(ctx), Unsaved(_other(ctx)), has_comment=False)


def _nothing_added(ctx: PageContext) -> Response:
    nothing = Unsaved(errors={"comment": wording.NOTHING_TO_ADD}, status=422)
    return pages.saved_page(ctx, _first(ctx), has_comment=False, typed=nothing)


STATES: Mapping[str, tuple[str, Callable[[PageContext], Response]]] = {
    "form": ("Form", pages.form_page),
    "preselected": (
        "Opened with a score",
        lambda ctx: pages.form_page(ctx, chosen=_first(ctx), preselected=True),
    ),
    "error": ("With mistakes", _wrong),
    "failed": ("Not saved", lambda ctx: pages.form_page(ctx, chosen=_first(ctx), failed=True)),
    "busy": ("Sent too often", lambda ctx: pages.form_page(ctx, chosen=_first(ctx), failed=True, status=429)),
    "saved": ("Thanks", lambda ctx: _saved(ctx, has_comment=False)),
    "saved-comment": ("Thanks, with a comment", lambda ctx: _saved(ctx, has_comment=True)),
    "saved-first": ("Thanks, with questions left", lambda ctx: pages.saved_page(ctx, _first(ctx), has_comment=False)),
    "saved-mistake": ("Thanks, nothing to add", _nothing_added),
    "saved-removed": (
        "Thanks, comment removed",
        lambda ctx: pages.saved_page(ctx, _scores(ctx), has_comment=False, is_comment_removed=True),
    ),
    "saved-thank-you": ("Thanks, with a page to go on to", _thanked),
    "change": ("Change the answer", lambda ctx: pages.change_page(ctx, _scores(ctx), has_comment=True)),
    "changed": ("Saved, opened with another score", _changed),
    "recorded": ("Recorded", lambda ctx: pages.recorded_page(ctx, _scores(ctx))),
    "not-changed": (
        "Recorded, a change came late",
        lambda ctx: pages.late_page(ctx, _scores(ctx), is_changed=True),
    ),
    "not-removed": ("Recorded, a removal came late", lambda ctx: pages.late_page(ctx, _scores(ctx), forgets=True)),
    "late-comment": ("Recorded, a comment came late", _late),
    "expired": ("Closed: expired", lambda ctx: pages.closed_page(ctx, Closed.EXPIRED)),
    "expired-comment": (
        "Closed: a comment came late",
        lambda ctx: pages.closed_page(ctx, Closed.EXPIRED, wording.COMMENT_LABEL),
    ),
    "erased": ("Closed: erased", lambda ctx: pages.closed_page(ctx, Closed.ERASED)),
    "not-found": ("No such link", lambda ctx: pages.not_found_page(ctx.language, ctx.brand, ctx.support_url, ctx.look)),
    "unavailable": (
        "Short link, Redis away",
        lambda ctx: pages.unavailable_page(ctx.language, ctx.brand, ctx.support_url, ctx.look),
    ),
    "stop": ("Stop the surveys", lambda ctx: stop.button_page(ctx, action="stop")),
    "stopped": ("Stopped", lambda ctx: stop.stopped_page(ctx, action="stop")),
    "stop-kept": ("Stopped and undone", lambda ctx: stop.kept_page(ctx, action="stop")),
    "stop-failed": ("Not stopped", lambda ctx: stop.button_page(ctx, action="stop", failed=True)),
    "stop-failed-undo": ("Not undone", lambda ctx: stop.stopped_page(ctx, action="stop", failed=True)),
    "stop-unknown": ("Stop: nobody known", stop.unknown_page),
    "stop-unknown-undo": ("Undo: nobody known", lambda ctx: stop.unknown_page(ctx, is_undo=True)),
}
"""Each with its name for people."""
