"""Reads and validates surveys.toml. The rest of Afterword gets frozen dataclasses, or one error with every mistake."""

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from service.surveys.definition import DELIVERY_CHANNELS, Credit, OnReclose, Survey
from service.surveys.toml.brand import BrandSchema
from service.surveys.toml.errors import Table, describe_mistakes
from service.surveys.toml.fields import (
    Choice,
    Count,
    Delay,
    Duration,
    Flag,
    Names,
    Strict,
    Text,
    keys_of,
    read_moment,
    read_ratings,
    written_as,
)
from service.surveys.toml.match import MatchSchema
from service.surveys.toml.on_answer import OnAnswerSchema, resolve_ratings
from service.surveys.toml.send_window import SendWindowSchema
from service.surveys.toml.words import SenderSchema, WordsSchema, read_senders, read_words

_DEFAULTS: Final = Survey()


class SurveysFileError(ValueError):
    """surveys.toml is invalid. The text has one line per mistake, with its key and a fix."""


def load_surveys(text: str) -> tuple[Survey, ...]:
    """Parse the text of a surveys.toml. Raises SurveysFileError with every mistake."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # tomllib raises these for huge numbers and deep nesting
        raise SurveysFileError(f"not valid TOML: {error}") from error
    try:
        loaded: Mapping[str, tuple[Survey, ...]] = _FILE.load(document)
    except ValidationError as error:
        raise SurveysFileError("\n".join(describe_mistakes(error.messages, document, _TABLES))) from error
    return loaded["survey"]


@dataclass(frozen=True, slots=True)
class SurveysFile:
    """The surveys of a surveys.toml, and its text."""

    surveys: tuple[Survey, ...]
    text: str = field(default="", repr=False)


def read_surveys(path: Path) -> SurveysFile:
    """Read and validate the file at `path`. Raises SurveysFileError; each line begins with the path.

    Some editors begin a file with a byte order mark; `utf-8-sig` skips it.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        return SurveysFile(load_surveys(text), text)
    except SurveysFileError as error:
        raise SurveysFileError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from error
    except OSError as error:
        raise SurveysFileError(
            f"{path} can't be read: {error.strerror}. Name a file like config/surveys.toml."
        ) from error
    except ValueError as error:
        raise SurveysFileError(f"{path} can't be read: it is not UTF-8 text.") from error


def _check_deliver(names: tuple[str, ...]) -> None:
    known = ", ".join(DELIVERY_CHANNELS)
    if not names:
        raise ValidationError(f"Name at least one of: {known}.")
    for name in names:
        if name not in DELIVERY_CHANNELS:
            raise ValidationError(f"There is no channel {name!r}. Known: {known}.")


class SurveySchema(Strict):
    """`[[survey]]`."""

    error_messages = written_as("[[survey]]", 'name = "default"')

    name = Text(
        validate=validate.Regexp(r"[a-z0-9][a-z0-9-]{0,19}\Z", error="1 to 20 of a-z, 0-9 and - (it is in every link).")
    )
    ratings = fields.Function(deserialize=read_ratings, data_key="rating")
    delay = Delay(maximum=timedelta(days=60))
    editable_for = Duration(maximum=timedelta(days=7))
    extend = Duration(maximum=timedelta(hours=1))
    suspect_editable_for = Duration(maximum=timedelta(days=7))
    expires = Duration(minimum=timedelta(minutes=1), maximum=timedelta(days=365))
    on_reclose = Choice(OnReclose)
    cooldown = Duration(maximum=timedelta(days=3650))
    reminder = Duration(minimum=timedelta(minutes=1), maximum=timedelta(days=60), allow_none=True)
    credit = Choice(Credit)
    not_before = fields.Function(deserialize=read_moment, allow_none=True)
    daily_cap = Count()
    send_window = fields.Nested(SendWindowSchema, allow_none=True)
    deliver = Names(validate=_check_deliver)
    reclose = Flag()
    stop_line = Flag()
    match = fields.Nested(MatchSchema)
    words = fields.Function(deserialize=read_words)
    senders = fields.Function(deserialize=read_senders, data_key="sender")
    brand = fields.Nested(BrandSchema)
    on_answer = fields.List(
        fields.Nested(OnAnswerSchema),
        error_messages={"invalid": "Write it with double brackets: [[survey.on_answer]]."},
    )

    @validates_schema
    def _check_questions(self, data: Mapping[str, Any], **_: Any) -> None:
        ratings = data.get("ratings", _DEFAULTS.ratings)
        for code, words in data.get("words", {}).items():
            if "" in words.questions and len(ratings) > 1:
                example = ", ".join(f'{rating} = "…"' for rating in ratings)
                problem = f"One text for several rating types. Write question = {{ {example} }}."
                raise ValidationError({"words": {code: {"question": [problem]}}})
            for name in set(words.questions) - {"", *ratings}:
                problem = f"The survey doesn't ask this rating type. It asks: {', '.join(ratings)}."
                raise ValidationError({"words": {code: {"question": {name: [problem]}}}})

    @validates_schema(skip_on_field_errors=True)
    def _check_reminder(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("reminder") and data["reminder"] >= data.get("expires", _DEFAULTS.expires):
            raise ValidationError("Must be shorter than `expires`: the link has expired by then.", "reminder")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Survey:
        data |= data.pop("delay", {})
        for code, words in data.get("words", {}).items():
            if "" in words.questions:
                (rating,) = data.get("ratings", _DEFAULTS.ratings)
                data["words"][code] = replace(words, questions={rating: words.questions[""]})
        data["on_answer"] = resolve_ratings(data.get("on_answer", ()), data.get("ratings", _DEFAULTS.ratings))
        return Survey(**data)


class _FileSchema(Strict):
    survey = fields.List(
        fields.Nested(SurveySchema),
        required=True,
        validate=validate.Length(min=1, error="Write at least one [[survey]]."),
        error_messages={
            "required": "Write at least one [[survey]].",
            "invalid": "Write it with double brackets: [[survey]].",
        },
    )

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> dict[str, tuple[Survey, ...]]:
        repeated = [name for name, count in Counter(each.name for each in data["survey"]).items() if count > 1]
        if repeated:
            raise ValidationError(f"Two surveys are named {repeated[0]!r}; give each a name of its own.", "survey")
        return {"survey": tuple(data["survey"])}


_FILE: Final = _FileSchema()
_TABLES: Final = {
    "": Table("", keys_of(_FILE)),
    "survey": Table("[[survey]]", keys_of(SurveySchema())),
    "match": Table("[survey.match]", keys_of(MatchSchema())),
    "send_window": Table("[survey.send_window]", keys_of(SendWindowSchema())),
    "words": Table("[survey.words.da]", keys_of(WordsSchema())),
    "sender": Table("[survey.sender]", keys_of(SenderSchema())),
    "brand": Table("[survey.brand]", keys_of(BrandSchema())),
    "on_answer": Table("[[survey.on_answer]]", keys_of(OnAnswerSchema())),
}
