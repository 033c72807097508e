"""The questions of a survey, as its pages show them."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.surveys.ratings import RatingType
from service.texts.questions import option_texts, question_text
from service.web import forms, page_texts
from service.web.forms import FormErrors
from service.web.page_context import PageContext

_STACKED = frozenset({"el", "lt", "lv", "pl", "uk"})
"""Languages with a Csat answer that is too long for a fifth of a wide page: their tiles always lie below each other."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question. `ends` are the labels at both ends of its scale, by score. `is_stacked` puts its answers in rows."""

    rating: RatingType
    field: str
    text: str
    ends: Mapping[int, str]
    options: Mapping[int, str]
    chosen: int | None
    saved: int | None
    error: str | None
    is_stacked: bool


def list_questions(
    ctx: PageContext,
    chosen: Mapping[RatingType, int],
    errors: FormErrors | None = None,
    saved: Mapping[RatingType, int] | None = None,
) -> list[Question]:
    """Return the questions in order, each with its chosen score, its saved score and its error."""
    return [
        Question(
            rating=rating,
            field=name,
            text=ctx.words.questions.get(rating) or question_text(ctx.language, rating, ctx.brand),
            ends=page_texts.SCALE_ENDS.get(rating, {}),
            options=option_texts(ctx.language, rating),
            chosen=chosen.get(rating),
            saved=(saved or {}).get(rating),
            error=(errors or {}).get(name),
            is_stacked=rating is RatingType.CSAT and ctx.language.code in _STACKED,
        )
        for rating, name in forms.field_names(ctx.ratings).items()
    ]
