"""What every page of one survey shows, and what a form holds that isn't saved."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Self

from service.surveys.ratings import RatingType
from service.surveys.theme import DEFAULT_LOOK, Look
from service.surveys.words import NEUTRAL, Words
from service.texts.catalog import Language
from service.web.forms import FormErrors


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment until which an answer can be changed, in the customer's time zone, as seen at `now`.

    It can be moved if more time is given to whoever asks for it.
    """

    at: datetime
    now: datetime
    can_move: bool = False


@dataclass(frozen=True, slots=True)
class Unsaved:
    """What a form has in it that isn't saved, and what is wrong with it."""

    scores: Mapping[RatingType, int] = field(default_factory=dict)
    comment: str = ""
    errors: FormErrors = field(default_factory=dict)
    status: int = 200


NOTHING = Unsaved()


@dataclass(frozen=True, slots=True)
class PageContext:
    """What every page of one survey shows. `channel` is in Dixa's API spelling; `action` is where its forms post to.

    `words` are the survey's own in the page's language.
    `until` is the last day on which an answer is taken, None when there is one or the day can't be told; `kept_for` is
    how long the record stays once all is over, None when it is gone.
    `has_answer` is False where there is no answer and none can be given: such a page doesn't speak of one.
    `opt_out_url` is where a customer stops being asked, None on that page itself and where no token is known.
    `query` is what the links to the other languages keep of this page's, such as `r=4`; None leaves those links out.
    `thank_you` is the page elsewhere that the thanks lead on to. `deadline` is None when the answer can't be changed or
    the time can't be told.
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
    look: Look = DEFAULT_LOOK
    until: date | None = None
    kept_for: timedelta | None = None
    has_answer: bool = True
    opt_out_url: str | None = None
    words: Words = NEUTRAL
    thank_you: str = ""
    deadline: Deadline | None = None

    @property
    def in_passing(self) -> Self:
        """What a page shows that takes no answer."""
        return replace(self, until=None)

    @property
    def without_answer(self) -> Self:
        """What a page shows that neither has nor takes an answer."""
        return replace(self, has_answer=False)


class Closed(StrEnum):
    """Why a survey takes no answer any more."""

    EXPIRED = "expired"
    ERASED = "erased"
