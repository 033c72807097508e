"""The questions of a survey as its pages show them."""

from collections.abc import Mapping
from dataclasses import dataclass

from config.surveys import RatingType
from service.surveys.questions import say_options, say_question
from service.web import forms, wording
from service.web.forms import FormErrors
from service.web.page_context import PageContext

_LONGEST_WORD = 11
"""What a fifth of the page has room for, in letters of the usual width. Fonts differ, but in this they agree."""

_NARROW, _WIDE = frozenset("fijlrtíIι-/."), frozenset("mwMWжмшщюфφψω")
"""The letters that are about half as wide as the others, and half as wide again."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question as a template shows it. `ends` are the labels at the ends of its scale, by score."""

    rating: RatingType
    field: str
    text: str
    ends: Mapping[int, str]
    options: Mapping[int, str]
    chosen: int | None
    saved: int | None
    error: str | None

    @property
    def layout(self) -> str:
        """How the answers lie on a wide screen: side by side if each word has room, else below each other."""
        longest = max(_width(word) for text in self.options.values() for word in text.split())
        return "" if longest > _LONGEST_WORD else self.rating.name.lower()


def list_questions(
    ctx: PageContext,
    chosen: Mapping[RatingType, int],
    errors: FormErrors | None = None,
    saved: Mapping[RatingType, int] | None = None,
) -> list[Question]:
    """List the questions of a survey in their order, with what is chosen, saved and wrong of each."""
    return [
        Question(
            rating=rating,
            field=name,
            text=ctx.words.questions.get(rating) or say_question(ctx.language, rating, ctx.brand),
            ends=wording.SCALE_ENDS.get(rating, {}),
            options=say_options(ctx.language, rating),
            chosen=chosen.get(rating),
            saved=(saved or {}).get(rating),
            error=(errors or {}).get(name),
        )
        for rating, name in forms.field_names(ctx.ratings).items()
    ]


def _width(word: str) -> float:
    return sum(0.5 if letter in _NARROW else 1.5 if letter in _WIDE else 1 for letter in word)
