"""The facts on every page of a survey, and the unsaved contents of a form."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Self

from service.surveys.ratings import RatingType
from service.surveys.theme import DEFAULT_THEME, Theme
from service.surveys.words import NEUTRAL, Words
from service.texts.catalog import Language
from service.web.forms import FormErrors


@dataclass(frozen=True, slots=True)
class EditDeadline:
    """The end of the time to change an answer, in the customer's time zone, seen from `now`.

    `can_move` is true if the customer can extend it.
    """

    at: datetime
    now: datetime
    can_move: bool = False


@dataclass(frozen=True, slots=True)
class Unsaved:
    """The unsaved contents of a form, and their errors."""

    scores: Mapping[RatingType, int] = field(default_factory=dict)
    comment: str = ""
    errors: FormErrors = field(default_factory=dict)
    status: int = 200


NOTHING_TYPED = Unsaved()


@dataclass(frozen=True, slots=True)
class PageContext:
    """The facts on every page of a survey.

    `channel`: in the spelling of Dixa's API.
    `action`: where the forms post to.
    `query`: repeated in the links to other languages, such as `r=4`. None omits these links.
    `until`: the last date to answer. None with an answer, or if unknown.
    `kept_for`: how long the record stays after its end. None if it is gone.
    `has_answer`: False if there is no answer and none can be given. The page then leaves out its privacy text.
    `opt_out_url`: None on the opt-out page itself, and without a token.
    `words`: the survey's own texts in the language of the page.
    `thank_you`: the URL in the thanks.
    `deadline`: None if the answer can't be changed, or if Redis is down.
    `privacy_url`: None means our own page.
    `survey`: the name of a survey with a brand of its own, for the links to our own pages.
    """

    language: Language
    brand: str
    support_url: str | None
    privacy_url: str | None
    ratings: tuple[RatingType, ...]
    channel: str | None
    closed_on: date | None
    action: str
    query: str | None = ""
    theme: Theme = DEFAULT_THEME
    until: date | None = None
    kept_for: timedelta | None = None
    has_answer: bool = True
    opt_out_url: str | None = None
    words: Words = NEUTRAL
    thank_you: str = ""
    deadline: EditDeadline | None = None
    survey: str = ""

    @property
    def without_form(self) -> Self:
        """The same for a page without a form."""
        return replace(self, until=None)

    @property
    def without_answer(self) -> Self:
        """The same for a page without an answer and without a form."""
        return replace(self, has_answer=False)


class Closed(StrEnum):
    """Why a survey no longer takes an answer."""

    EXPIRED = "expired"
    ERASED = "erased"
