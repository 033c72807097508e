"""Parses a customer's form into an `AnswerForm` or one error. It knows neither pages nor records.

The form's contract: `rating` answers the survey's first rating type; `rating_csat`, `rating_nps` and `rating_thumbs`
answer further ones; `comment` is always optional. The form may be sent by one of these buttons: `add` (add to a saved
answer), `more` (more time to change it; `change` leads to the change form), `forget` (remove the comment) and `lang`
(the same form in another language).

Unknown fields are ignored, though we refuse unknown keys elsewhere: browser extensions add fields of their own, and no
customer could correct such an error. The honeypot isn't refused either, so that a bot doesn't learn which field it is.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validates_schema
from werkzeug.datastructures import MultiDict

from service.surveys.ratings import RatingType
from service.web import page_texts

FIRST = "rating"
COMMENT = "comment"
HONEYPOT = "website"
ADD, MORE, FORGET, LANG = "add", "more", "forget", "lang"
CHANGE = "change"
"""The value of `more` for the change form."""
_FURTHER = {
    RatingType.CSAT: "rating_csat",
    RatingType.NPS: "rating_nps",
    RatingType.THUMBS: "rating_thumbs",
}

FormErrors = Mapping[str, str]
"""Errors by the name of the field, in the order of the page."""


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """A parsed form. `comment` is verbatim, or empty if nothing in it is visible.

    `is_suspect` is true if the honeypot was filled in. `is_addition`, `more_time`, `removes_comment` and `language` are
    the button that sent the form.
    """

    scores: Mapping[RatingType, int]
    comment: str
    is_suspect: bool
    is_addition: bool = False
    more_time: str = ""
    removes_comment: bool = False
    language: str | None = None


class FormError(Exception):
    """An invalid form: its errors by field, and everything typed, to fill in the page again."""

    def __init__(self, errors: FormErrors, typed: AnswerForm) -> None:
        super().__init__(", ".join(errors))
        self.errors = errors
        self.typed = typed


def field_names(ratings: tuple[RatingType, ...]) -> Mapping[RatingType, str]:
    """Return the name of the field for each rating type of a survey."""
    return {rating: _FURTHER[rating] if place else FIRST for place, rating in enumerate(ratings)}


def load_answer_form(form: MultiDict[str, str], ratings: tuple[RatingType, ...]) -> AnswerForm:
    """Parse the form of a survey with these rating types. Raises FormError."""
    try:
        return _answer(_schema(ratings).load(form.to_dict(flat=False)), ratings)
    except ValidationError as error:
        valid: dict[str, Any] = error.valid_data  # type: ignore[assignment]  # one form was loaded, not many
        messages = {name: error.messages_dict[name][0] for name in _in_order(ratings) if name in error.messages_dict}
        typed = _answer({**valid, COMMENT: clean_comment(form.get(COMMENT, ""))}, ratings)
        raise FormError(messages, typed) from error


def _answer(data: Mapping[str, Any], ratings: tuple[RatingType, ...]) -> AnswerForm:
    return AnswerForm(
        scores={rating: data[name] for rating, name in field_names(ratings).items() if name in data},
        comment=data[COMMENT],
        is_suspect=data[HONEYPOT],
        is_addition=data[ADD],
        more_time=data[MORE],
        removes_comment=data[FORGET],
        language=data[LANG],
    )


def _in_order(ratings: tuple[RatingType, ...]) -> tuple[str, ...]:
    return (*field_names(ratings).values(), COMMENT)


_UNSENDABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    "\U00016fe4\U0001d159\U000e0000-\U000e0fff]"
)
"""Invisible characters outside the categories below: fillers, variation selectors, Braille's blank, and the rest of
Unicode's `Default_Ignorable_Code_Point`."""


def clean_comment(comment: str) -> str:
    """Normalise line ends to LF, drop characters unfit for JSON, and empty an invisible comment.

    Lone surrogates have no UTF-8 form, so JSON can't carry them. Many JSON parsers refuse or mangle C0 controls other
    than line feed and tab. No customer means to type either.
    """
    comment = _UNSENDABLE.sub("", comment.replace("\r\n", "\n").replace("\r", "\n"))
    return comment if any(map(_is_visible, comment)) else ""


def _is_visible(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] != "Z" and category not in ("Cc", "Cf") and not _BLANK.match(character)


class _Score(fields.Field[int]):
    """One score in plain digits. A field may be sent twice with the same value."""

    def __init__(self, rating: RatingType, *, required: bool) -> None:
        self._scores = {str(score): score for score in rating.scores}
        not_chosen = page_texts.NOT_CHOSEN[rating]
        super().__init__(required=required, error_messages={"required": not_chosen, "invalid": not_chosen})

    def _deserialize(self, value: list[str], *_: Any, **__: Any) -> int:
        # Not int(), which also accepts signs, leading zeros, spaces and the digits of all scripts.
        if len(set(value)) != 1 or value[0] not in self._scores:
            raise self.make_error("invalid")
        return self._scores[value[0]]


class _Comment(fields.Field[str]):
    def _deserialize(self, value: list[str], *_: Any, **__: Any) -> str:
        comment = clean_comment(value[0])
        if len(comment) > page_texts.MAX_COMMENT_CHARACTERS:
            raise ValidationError(page_texts.COMMENT_TOO_LONG)
        return comment


class _Filled(fields.Field[bool]):
    def _deserialize(self, value: list[str], *_: Any, **__: Any) -> bool:
        return any(value)


class _Word(fields.Field[str]):
    def _deserialize(self, value: list[str], *_: Any, **__: Any) -> str:
        return value[0]


class _AnswerSchema(Schema):
    """The common fields of every survey's form. Each value is the list of values sent under that name."""

    class Meta:
        unknown = EXCLUDE

    comment = _Comment(load_default="")
    website = _Filled(load_default=False)
    add = _Filled(load_default=False)
    more = _Word(load_default="")
    forget = _Filled(load_default=False)
    lang = _Word(load_default=None)

    @validates_schema
    def _check(self, data: Mapping[str, Any], **_: Any) -> None:
        if not any(isinstance(self.fields[name], _Score) for name in data):
            raise ValidationError(page_texts.NOTHING_CHOSEN, FIRST)


@cache
def _schema(ratings: tuple[RatingType, ...]) -> Schema:
    """Build the schema of a survey's form. A single question must be answered; of several, at least one."""
    scores: dict[str, fields.Field[Any]] = {
        name: _Score(rating, required=len(ratings) == 1) for rating, name in field_names(ratings).items()
    }
    return _AnswerSchema.from_dict(scores, name="AnswerSchema")()
