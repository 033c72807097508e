"""Each state of the survey page as a response. What to show is decided by the views; the words are in `wording`.

The functions need an application context, as `flask.render_template` does, and write nothing anywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from flask import Response, render_template
from markupsafe import Markup

from config.surveys import RatingType
from service.web import forms, wording
from service.web.forms import FormErrors
from service.web.headers import style


@dataclass(frozen=True, slots=True)
class PageContext:
    """What every page of one survey shows. `channel` is in Dixa's API spelling; `action` is where its forms post to."""

    brand: str
    support_url: str | None
    privacy_url: str | None
    ratings: tuple[RatingType, ...]
    channel: str | None
    closed_on: date | None
    action: str


class Closed(StrEnum):
    """Why a survey takes no answer any more."""

    EXPIRED = "expired"
    CANCELLED = "cancelled"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class _Question:
    rating: RatingType
    field: str
    text: str
    hint: str | None
    options: Mapping[int, str]
    chosen: int | None
    error: str | None


def form_page(
    ctx: PageContext,
    *,
    chosen: Mapping[RatingType, int] | None = None,
    comment: str = "",
    preselected: bool = False,
    errors: FormErrors | None = None,
    status: int | None = None,
    failed: bool = False,
) -> Response:
    """Show the questions: fresh, preselected by a link, or again with what was typed and what went wrong.

    The status is 422 with errors, 503 when failed and 200 otherwise, unless another one is given.
    """
    problem = bool(errors) or failed
    usual = 503 if failed else 422 if errors else 200
    return _form(
        ctx,
        chosen or {},
        usual if status is None else status,
        title=wording.TITLE_WITH_ERROR if problem else wording.TITLE,
        comment=comment,
        confirm=_first_chosen(ctx, chosen or {}) if preselected and not problem else None,
        errors=errors or {},
        failed=failed,
    )


def change_page(ctx: PageContext, scores: Mapping[RatingType, int], *, has_comment: bool) -> Response:
    """Show the questions with the saved scores chosen. The comment isn't shown again: a link may be passed on."""
    return _form(ctx, scores, 200, title=wording.TITLE, keeps_comment=has_comment)


def saved_page(
    ctx: PageContext, scores: Mapping[RatingType, int], *, has_comment: bool, change_url: str | None
) -> Response:
    """Say what is saved. Its comment box posts the scores again, so that a comment never comes without its rating."""
    return _page(
        "saved.html",
        ctx.brand,
        200,
        title=wording.THANKS,
        ctx=ctx,
        answered=[question for question in _questions(ctx, scores) if question.chosen is not None],
        has_comment=has_comment,
        change_url=change_url,
    )


def recorded_page(ctx: PageContext, *, not_changed: bool) -> Response:
    """Say thanks for an answer that is on its way to Dixa; with `not_changed`, to someone who sent a different one."""
    words = wording.NOT_CHANGED if not_changed else wording.RECORDED
    return _page(
        "message.html", ctx.brand, 200, title=wording.THANKS, text=words, thanks=True, support_url=ctx.support_url
    )


def closed_page(ctx: PageContext, reason: Closed) -> Response:
    """Say why the survey has closed, and how to reach support."""
    return _page(
        "message.html",
        ctx.brand,
        410,
        title=wording.CLOSED,
        text=wording.CLOSED_WHY[reason],
        support_url=ctx.support_url,
    )


def not_found_page(brand: str, support_url: str | None) -> Response:
    """Answer every bad or unknown token with the same words."""
    return _page(
        "message.html", brand, 404, title=wording.NOT_FOUND, text=wording.NOT_FOUND_WHY, support_url=support_url
    )


def _form(ctx: PageContext, chosen: Mapping[RatingType, int], status: int, **facts: Any) -> Response:
    questions = _questions(ctx, chosen, facts.get("errors", {}))
    return _page("form.html", ctx.brand, status, ctx=ctx, questions=questions, about=_about(ctx), **facts)


def _page(template: str, brand: str, status: int, **facts: Any) -> Response:
    # The style sheet is ours and is never made from anything that is sent to us.
    sheet = Markup(style())  # noqa: S704
    html = render_template(template, brand=brand, style=sheet, words=wording, forms=forms, **facts)
    return Response(html, status, content_type="text/html; charset=utf-8")


def _questions(ctx: PageContext, chosen: Mapping[RatingType, int], errors: FormErrors | None = None) -> list[_Question]:
    return [
        _Question(
            rating=rating,
            field=name,
            text=wording.QUESTION[rating].format(brand=ctx.brand),
            hint=wording.SCALE_HINT.get(rating),
            options=wording.OPTIONS[rating],
            chosen=chosen.get(rating),
            error=(errors or {}).get(name),
        )
        for rating, name in forms.field_names(ctx.ratings).items()
    ]


def _first_chosen(ctx: PageContext, chosen: Mapping[RatingType, int]) -> RatingType | None:
    return next((rating for rating in ctx.ratings if rating in chosen), None)


def _about(ctx: PageContext) -> str:
    """Say which conversation this is about, naming nobody and quoting nothing."""
    kind = wording.CHANNEL_KIND.get(ctx.channel or "", "conversation")
    if ctx.closed_on is None:
        return wording.CONTEXT_WITHOUT_DATE[kind]
    return wording.CONTEXT[kind].format(date=wording.date_text(ctx.closed_on))
