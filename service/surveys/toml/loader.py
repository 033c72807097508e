"""surveys.toml: who is asked, when and how. Read and validated here, used everywhere as frozen dataclasses.

Nothing here decides anything: `service.rules.matching` does, from these terms and a conversation's facts.
"""

import json
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, post_dump, post_load, validate, validates_schema

from service.surveys.definition import CHANNELS, Credit, OnReclose, Survey
from service.surveys.language_codes import LANGUAGES
from service.surveys.toml.brand import BrandSchema, WrittenBrandSchema
from service.surveys.toml.errors import Table, tell_mistakes
from service.surveys.toml.fields import (
    Choice,
    Count,
    Delay,
    Duration,
    Flag,
    Moment,
    Names,
    Ratings,
    Strict,
    Text,
    keys_of,
    written_as,
)
from service.surveys.toml.match import MatchSchema, WrittenMatchSchema
from service.surveys.toml.on_answer import OnAnswerSchema, settle_after
from service.surveys.toml.send_window import SendWindowSchema
from service.surveys.toml.words import ByLanguage, Senders, SenderSchema, WordsSchema

_ONLY_IF_SET = {"words", "sender", "brand", "on_answer"}
"""A record has none of these, unless it has something to say."""


_USUAL = Survey()


class SurveysFileError(Exception):
    """surveys.toml can't be used; the text has one line for each mistake, with the key and the way out."""


def load_surveys(text: str) -> tuple[Survey, ...]:
    """Read the text of a surveys.toml.

    Raises SurveysFileError naming every mistake.
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # A giant number and deep nesting are not TOMLDecodeErrors.
        raise SurveysFileError(f"  not valid TOML: {error}") from error
    try:
        loaded: Mapping[str, tuple[Survey, ...]] = _FileSchema().load(document)
    except ValidationError as error:
        lines = tell_mistakes(error.messages, document, _TABLES)
        raise SurveysFileError("\n".join(f"  {line}" for line in lines)) from error
    return loaded["survey"]


def dump_terms(survey: Survey) -> str:
    """Write a survey as the JSON that a record keeps."""
    return json.dumps(_schema(SurveySchema).dump(survey), ensure_ascii=False)


def load_terms(text: str) -> Survey:
    """Read a record's terms, as this or another version wrote them: unknown keys are ignored."""
    terms = json.loads(text)
    known = _known(terms, SurveySchema)
    known["match"] = _known(known.get("match", {}), MatchSchema)
    sender = known.get("sender", {})
    known["sender"] = _known(sender, SenderSchema) | {
        code: _known(sender[code], SenderSchema) for code in LANGUAGES if code in sender
    }
    words = {code: _known(each, WordsSchema) for code, each in known.get("words", {}).items() if code in LANGUAGES}
    known["words"] = words
    known["brand"] = _known(known.get("brand", {}), BrandSchema)
    known["on_answer"] = [_known(each, OnAnswerSchema) for each in known.get("on_answer", [])]
    survey: Survey = _schema(SurveySchema).load(known)
    return survey


def _known(given: Mapping[str, Any], kind: type[Schema]) -> dict[str, Any]:
    return {name: given[name] for name in keys_of(_schema(kind)) if name in given}


@cache
def _schema(kind: type[Schema]) -> Schema:
    """Make each schema once: making one takes longer than reading a record's terms with it."""
    return kind()


def read_surveys(path: Path) -> tuple[Survey, ...]:
    """Read and validate the file at `path`. Raises SurveysFileError, whose lines begin with the path.

    It may begin with a BOM, as some editors write one.
    """
    try:
        return load_surveys(path.read_text(encoding="utf-8-sig"))
    except SurveysFileError as error:
        raise SurveysFileError("\n".join(f"  {path}: {line.strip()}" for line in str(error).splitlines())) from error
    except OSError as error:
        raise SurveysFileError(
            f"  {path} can't be read: {error.strerror}. Name a file like config/surveys.toml."
        ) from error
    except ValueError as error:
        raise SurveysFileError(f"  {path} can't be read: it is not UTF-8 text.") from error


def _check_deliver(names: tuple[str, ...]) -> None:
    known = ", ".join(CHANNELS)
    if not names:
        raise ValidationError(f"Name at least one of: {known}.")
    for name in names:
        if name not in CHANNELS:
            raise ValidationError(f"There is no channel {name!r}. Known: {known}.")


class SurveySchema(Strict):
    """One survey, as a table of surveys.toml and as a record's terms."""

    error_messages = written_as("[[survey]]", 'name = "default"')

    name = Text(
        validate=validate.Regexp(r"[a-z0-9][a-z0-9-]{0,19}\Z", error="1 to 20 of a-z, 0-9 and - (it is in every link).")
    )
    ratings = Ratings(data_key="rating")
    delay = Delay(usual=_USUAL.delay, most=timedelta(days=60))
    editable_for = Duration(most=timedelta(days=7))
    extend = Duration(most=timedelta(hours=1))
    suspect_editable_for = Duration(most=timedelta(days=7))
    expires = Duration(least=timedelta(minutes=1), most=timedelta(days=365))
    on_reclose = Choice(OnReclose)
    cooldown = Duration(most=timedelta(days=3650))
    reminder = Duration(least=timedelta(minutes=1), most=timedelta(days=60), allow_none=True)
    credit = Choice(Credit)
    not_before = Moment(allow_none=True)
    daily_cap = Count()
    send_window = fields.Nested(SendWindowSchema, allow_none=True)
    deliver = Names(validate=_check_deliver)
    reclose = Flag()
    stop_line = Flag()
    match = fields.Nested(MatchSchema)
    words = ByLanguage()
    senders = Senders(data_key="sender")
    brand = fields.Nested(BrandSchema)
    on_answer = fields.List(
        fields.Nested(OnAnswerSchema),
        error_messages={"invalid": "Write it with double brackets: [[survey.on_answer]]."},
    )

    @validates_schema
    def _check_questions(self, data: Mapping[str, Any], **_: Any) -> None:
        ratings = data.get("ratings", Survey().ratings)
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
        if data.get("reminder") and data["reminder"] >= data.get("expires", _USUAL.expires):
            raise ValidationError("Must be shorter than `expires`: the link is dead by then.", "reminder")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Survey:
        if "delay" in data:
            data["delay"], data["delays"] = data["delay"]
        for code, words in data.get("words", {}).items():
            if "" in words.questions:
                (rating,) = data.get("ratings", Survey().ratings)
                data["words"][code] = replace(words, questions={rating: words.questions[""]})
        data["on_answer"] = settle_after(data.get("on_answer", ()), data.get("ratings", Survey().ratings))
        return Survey(**data)

    @post_dump
    def _keep_what_is_set(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if value or name not in _ONLY_IF_SET}


class _WrittenSurveySchema(SurveySchema):
    match = fields.Nested(WrittenMatchSchema)
    brand = fields.Nested(WrittenBrandSchema)


class _FileSchema(Strict):
    survey = fields.List(
        fields.Nested(_WrittenSurveySchema),
        required=True,
        validate=validate.Length(min=1, error="Write at least one [[survey]]."),
        error_messages={
            "required": "Write at least one [[survey]].",
            "invalid": "Write it with double brackets: [[survey]].",
        },
    )

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> dict[str, tuple[Survey, ...]]:
        twice = [name for name, count in Counter(each.name for each in data["survey"]).items() if count > 1]
        if twice:
            raise ValidationError(f"Two surveys are named {twice[0]!r}; give each a name of its own.", "survey")
        return {"survey": tuple(data["survey"])}


_TABLES: Final = {
    "": Table("", keys_of(_FileSchema())),
    "survey": Table("[[survey]]", keys_of(SurveySchema())),
    "match": Table("[survey.match]", keys_of(MatchSchema())),
    "send_window": Table("[survey.send_window]", keys_of(SendWindowSchema())),
    "words": Table("[survey.words.da]", keys_of(WordsSchema())),
    "sender": Table("[survey.sender]", keys_of(SenderSchema())),
    "brand": Table("[survey.brand]", keys_of(BrandSchema())),
    "on_answer": Table("[[survey.on_answer]]", keys_of(OnAnswerSchema())),
}
