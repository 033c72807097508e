"""Renders each state of the survey page. The views choose the state; the texts are in `page_texts`.

The functions need an application context, as `flask.render_template` does.
"""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from flask import Response

from service.surveys.ratings import RatingType
from service.surveys.theme import DEFAULT_THEME, Theme
from service.texts.catalog import Language
from service.texts.questions import conversation_text
from service.web import page_texts
from service.web.forms import FormErrors
from service.web.page_context import NOTHING_TYPED, Closed, PageContext, Unsaved
from service.web.page_questions import Question, list_questions
from service.web.page_rendering import Page, render, render_page, respond

_LINK = f"link-{secrets.token_hex(16)}"
"""The place of the opt-out link in a page kept for all customers. Nobody can guess it, so no text contains it."""


def form_page(  # noqa: PLR0913 - a form has all of these
    ctx: PageContext,
    *,
    chosen: Mapping[RatingType, int] | None = None,
    comment: str = "",
    preselected: bool = False,
    errors: FormErrors | None = None,
    status: int | None = None,
    failed: bool = False,
    keeps_comment: bool = False,
) -> Response:
    """Render the questions: empty, preselected by a link, or filled in again with `errors` or after a failure.

    Without `status` it is 422 with errors, 503 after a failure, and 200 otherwise.
    """
    chosen, errors = chosen or {}, errors or {}
    usual = 503 if failed else 422 if errors else 200
    facts = {
        "confirm": _first_chosen(ctx, chosen) if preselected and not (errors or failed) else None,
        "failed": failed,
        "keeps_comment": keeps_comment,
    }
    # A page with nothing of this customer's but the links with the token is the same for others.
    is_common = not (comment or errors or ctx.deadline) and ctx.query is not None
    if is_common:
        common = replace(ctx, opt_out_url=_LINK) if ctx.opt_out_url else ctx
        page = _common_form(common, tuple(chosen.items()), **facts).with_text(_LINK, ctx.opt_out_url or "")
    else:
        page = _form(ctx, chosen, title=page_texts.TITLE, comment=comment, errors=errors, **facts)
    return respond(page, usual if status is None else status, ctx.language)


def change_page(
    ctx: PageContext,
    scores: Mapping[RatingType, int],
    typed: Unsaved = NOTHING_TYPED,
    *,
    has_comment: bool,
) -> Response:
    """Render the questions with the saved scores chosen, overridden by unsaved ones.

    The saved comment isn't shown: the link may have been forwarded.
    """
    chosen = {**scores, **typed.scores}
    unsaved = (rating for rating in ctx.ratings if chosen.get(rating) != scores.get(rating))
    page = _form(
        ctx,
        chosen,
        title=page_texts.TITLE,
        saved=scores,
        about=_deadline_text(ctx) or conversation_text(ctx.language, ctx.channel, ctx.closed_on),
        comment=typed.comment,
        confirm=None if typed.errors else next(unsaved, None),
        errors=typed.errors,
        keeps_comment=has_comment,
    )
    return respond(page, typed.status, ctx.language)


def saved_page(
    ctx: PageContext,
    scores: Mapping[RatingType, int],
    *,
    has_comment: bool,
    is_comment_removed: bool = False,
    typed: Unsaved = NOTHING_TYPED,
    onward: str | None = None,
) -> Response:
    """Render the thanks: the saved answer, its deadline, and a form for what is missing. Redirect to `onward` if given.

    The form posts the saved scores again: a comment is never saved without its rating.
    """
    answered = _answered(ctx, scores)
    unanswered = [each for each in list_questions(ctx, typed.scores, typed.errors) if each.rating not in scores]
    return render_page(
        "saved.html",
        ctx.language,
        typed.status,
        ctx.theme,
        brand=ctx.brand,
        query=ctx.query,
        typed=bool(unanswered) or not has_comment,
        title=page_texts.THANKS,
        ctx=ctx,
        thank_you=onward or ctx.thank_you,
        onward_at_once=onward,
        answered=answered,
        unanswered=unanswered,
        has_comment=has_comment,
        is_comment_removed=is_comment_removed,
        until=_deadline_text(ctx),
        comment=typed.comment,
        errors=typed.errors,
    )


def recorded_page(ctx: PageContext, scores: Mapping[RatingType, int], onward: str | None = None) -> Response:
    """Render the thanks for a final answer. Redirect to `onward`, if given."""
    thank_you = onward or ctx.thank_you
    return _write_recorded(
        ctx, scores, title=page_texts.THANKS, thanks=True, thank_you=thank_you, onward_at_once=onward
    )


def late_page(
    ctx: PageContext,
    scores: Mapping[RatingType, int],
    *,
    is_changed: bool = False,
    comment: str = "",
    removes_comment: bool = False,
) -> Response:
    """Render the recorded answer, and the late part: other scores, a comment, or the removal of a comment.

    The page quotes the comment. The customer may send it to the support team in another way.
    """
    late = [
        text
        for text, is_so in (
            (page_texts.NOT_CHANGED, is_changed),
            (page_texts.NOT_REMOVED, removes_comment),
            (page_texts.COMMENT_TOO_LATE, comment),
        )
        if is_so
    ]
    return _write_recorded(ctx, scores, title=page_texts.RATING_RECORDED, late=late, comment=comment)


def closed_page(ctx: PageContext, reason: Closed, comment: str = "") -> Response:
    """Render why the survey has closed and how to reach support. Quote a late comment."""
    late = [page_texts.COMMENT_TOO_LATE] if comment else []
    text = page_texts.CLOSED_WHY[reason]
    return render_message(
        ctx.without_answer, 410, title=page_texts.CLOSED, text=text, late=late, comment=comment, is_done=not comment
    )


def not_found_page(language: Language, brand: str, support_url: str | None, theme: Theme = DEFAULT_THEME) -> Response:
    """Render the same page for every invalid or unknown token."""
    return _page_of_no_survey(
        language,
        404,
        theme,
        brand=brand,
        support_url=support_url,
        title=page_texts.NOT_FOUND,
        text=page_texts.NOT_FOUND_WHY,
    )


def unavailable_page(language: Language, brand: str, support_url: str | None, theme: Theme = DEFAULT_THEME) -> Response:
    """Render the page of a short link while Redis, which has its target, is down."""
    title, text = page_texts.UNAVAILABLE, page_texts.UNAVAILABLE_WHY
    return _page_of_no_survey(language, 503, theme, brand=brand, support_url=support_url, title=title, text=text)


def _page_of_no_survey(language: Language, status: int, theme: Theme, **facts: Any) -> Response:
    return render_page("message.html", language, status, theme, query="", **facts)


def render_message(ctx: PageContext, status: int, **facts: Any) -> Response:
    """Render a message: a `title` and a `text`, then how to reach support.

    The page ends instead with the thank-you link if it has `thanks`. Without a support URL it says how to reach support
    only if it quotes a comment, or if `needs_us`.
    """
    return render_page(
        "message.html",
        ctx.language,
        status,
        ctx.theme,
        ctx=ctx.without_form,
        brand=ctx.brand,
        support_url=ctx.support_url,
        # A link to another language would lose the quoted comment.
        query=None if facts.get("comment") else ctx.query,
        **facts,
    )


@lru_cache(maxsize=200)
def _common_form(ctx: PageContext, chosen: tuple[tuple[RatingType, int], ...], **facts: Any) -> Page:
    """Render an empty or a preselected form. The key has all of the page's facts, and a page has 10,000 bytes."""
    return _form(ctx, dict(chosen), title=page_texts.TITLE, comment="", errors={}, **facts)


def _form(ctx: PageContext, chosen: Mapping[RatingType, int], **facts: Any) -> Page:
    questions = list_questions(ctx, chosen, facts.get("errors"), facts.get("saved"))
    return render(
        "form.html",
        ctx.language,
        ctx.theme,
        brand=ctx.brand,
        query=ctx.query,
        typed=True,
        ctx=ctx,
        questions=questions,
        **{"about": conversation_text(ctx.language, ctx.channel, ctx.closed_on), **facts},
    )


def _deadline_text(ctx: PageContext) -> str:
    """Return the sentence about the deadline, or "" without one."""
    if ctx.deadline is None:
        return ""
    at, now = ctx.deadline.at, ctx.deadline.now
    language = ctx.language
    return language.translate(
        page_texts.CHANGE_UNTIL, time=language.format_moment(at, now), left=language.format_remaining(at - now)
    )


def _write_recorded(ctx: PageContext, scores: Mapping[RatingType, int], **facts: Any) -> Response:
    answered = _answered(ctx, scores)
    text = "" if not answered else page_texts.RECORDED if len(answered) == 1 else page_texts.ALL_RECORDED
    return render_message(ctx, 200, text=text, answered=answered, **facts)


def _answered(ctx: PageContext, scores: Mapping[RatingType, int]) -> list[Question]:
    return [question for question in list_questions(ctx, scores) if question.chosen is not None]


def _first_chosen(ctx: PageContext, chosen: Mapping[RatingType, int]) -> RatingType | None:
    return next((rating for rating in ctx.ratings if rating in chosen), None)
