"""surveys.toml: who is asked, when and how. Read and validated here, used everywhere as frozen dataclasses.

Nothing here decides anything: `service.surveys.rules` does, from these terms and a conversation's facts.
"""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate

CHANNELS = ("message",)
"""The delivery channels that a survey may name in `deliver`."""


class RatingType(StrEnum):
    """Dixa's rating types, spelled as its API spells them (OpenAPI description, CreateRatingOfferInput)."""

    CSAT = "Csat"
    NPS = "Nps"
    THUMBS = "ThumbsUpOrDown"

    @property
    def scores(self) -> range:
        """The scores that Dixa takes for this type, lowest first (OpenAPI description, SubmittedRatingResult)."""
        return {RatingType.CSAT: range(1, 6), RatingType.NPS: range(11), RatingType.THUMBS: range(2)}[self]


@dataclass(frozen=True, slots=True)
class Ask:
    """Which conversations a survey is for; an empty list asks nothing of that fact."""

    channels: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    directions: tuple[str, ...] = ("Inbound",)
    without_tags: tuple[str, ...] = ("no-survey", "spam")
    with_tags: tuple[str, ...] = ()
    assigned: bool = True
    sample: float = 1.0


@dataclass(frozen=True, slots=True)
class Survey:
    """One `[[survey]]` of surveys.toml. A record keeps a copy: its terms, as they were at the close."""

    name: str = "default"
    ratings: tuple[RatingType, ...] = (RatingType.CSAT,)
    delay: timedelta = timedelta(minutes=15)
    hold: timedelta = timedelta(minutes=5)
    expires: timedelta = timedelta(days=28)
    again_after: timedelta = timedelta(days=30)
    deliver: tuple[str, ...] = ("message",)
    ask: Ask = field(default_factory=Ask)


class SurveysFileError(Exception):
    """surveys.toml can't be used; the text has one line for each mistake, with the key and the way out."""


def api_spelling(name: str) -> str:
    """Spell a channel or direction as Dixa's API does: `WIDGET_CHAT` and `WidgetChat` are both `WidgetChat`.

    Webhooks use capitals, the API does not (Dixa's developer documentation); unknown names pass through.
    """
    if name.isupper():
        return "".join(part.capitalize() for part in name.split("_"))
    return name


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
        raise SurveysFileError("\n".join(f"  {line}" for line in mistakes(error.messages, ""))) from error
    return loaded["survey"]


def dump_terms(survey: Survey) -> str:
    """Write a survey as the JSON that a record keeps."""
    text: str = SurveySchema().dumps(survey)
    return text


def load_terms(text: str) -> Survey:
    """Read a record's terms, as this or another version wrote them: unknown keys are ignored."""
    terms = json.loads(text)
    known = {name: value for name, value in terms.items() if name in _keys(SurveySchema())}
    known["ask"] = {name: value for name, value in known.get("ask", {}).items() if name in _keys(_AskSchema())}
    survey: Survey = SurveySchema().load(known)
    return survey


def _keys(schema: Schema) -> set[str]:
    return {each.data_key or name for name, each in schema.fields.items()}


def read_surveys(path: Path) -> tuple[Survey, ...]:
    """Read and validate the file at `path`. Raises SurveysFileError, whose lines begin with the path."""
    try:
        return load_surveys(path.read_text(encoding="utf-8"))
    except SurveysFileError as error:
        raise SurveysFileError("\n".join(f"  {path}: {line.strip()}" for line in str(error).splitlines())) from error
    except OSError as error:
        raise SurveysFileError(
            f"  {path} can't be read: {error.strerror}. Name a file like config/surveys.toml."
        ) from error
    except ValueError as error:
        raise SurveysFileError(f"  {path} can't be read: it is not UTF-8 text.") from error


def mistakes(messages: Any, path: str) -> Iterator[str]:
    """Flatten marshmallow's nested messages to lines such as `survey[0].ask.sample: …`, each with its path."""
    if not isinstance(messages, Mapping):
        yield from (f"{path}: {message}" for message in (messages if isinstance(messages, list) else [messages]))
        return
    for key, inner in messages.items():
        if key == "_schema":
            yield from mistakes(inner, path)
        else:
            yield from mistakes(inner, f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}".lstrip("."))


class Duration(fields.Field[timedelta]):
    """Text such as `"0s"`, `"15m"`, `"1h 30m"` or `"28d"` as a timedelta between `least` and `most`."""

    _UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}
    _PART = re.compile(r"([0-9]{1,15})\s*(ms|[wdhms])\s*")

    def __init__(self, *, most: timedelta, least: timedelta = timedelta(), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._most = most
        self._least = least

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> timedelta:
        parts = self._PART.findall(value) if isinstance(value, str) else []
        if not parts or self._PART.sub("", value):
            raise ValidationError('Not a duration. Write a number with a unit, such as "15m", "24h" or "28d".')
        try:
            found = sum((timedelta(**{self._UNITS[unit]: int(number)}) for number, unit in parts), timedelta())
        except OverflowError:
            found = timedelta.max
        if found > self._most:
            raise ValidationError(f'Too long. Write at most "{self._most.days}d".')
        if found < self._least:
            raise ValidationError(f'Too short. Write at least "{self._least // timedelta(milliseconds=1)}ms".')
        return found

    def _serialize(self, value: timedelta | None, attr: str | None, obj: Any, **_: Any) -> str | None:
        return None if value is None else f"{value // timedelta(milliseconds=1)}ms"


class _Names(fields.List[str]):
    """A list of names, each as text; a single text is refused, since it is a list that was forgotten."""

    def __init__(self, **kwargs: Any) -> None:
        name = fields.String(validate=validate.Length(min=1, error="Must not be empty."))
        super().__init__(name, error_messages={"invalid": 'Not a list. Write it in brackets: ["…"].'}, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return tuple(super()._deserialize(value, *args, **kwargs))


class _Spelled(_Names):
    """Names of channels or directions, in either of Dixa's spellings."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return tuple(api_spelling(name) for name in super()._deserialize(value, *args, **kwargs))


class _Share(fields.Field[float]):
    """A share of a whole."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise ValidationError("Not a share. Write a number from 0.0 to 1.0.")
        return float(value)


class _Ratings(fields.Field[tuple[RatingType, ...]]):
    """One rating type, or a list of different ones."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> tuple[RatingType, ...]:
        names = value if isinstance(value, list) else [value]
        known = {str(rating) for rating in RatingType}
        if not names or any(not isinstance(name, str) or name not in known for name in names):
            raise ValidationError('Not a rating. Write "Csat", "Nps" or "ThumbsUpOrDown", or a list of them.')
        if len(set(names)) < len(names):
            raise ValidationError("Each rating type can be asked once.")
        return tuple(RatingType(name) for name in names)

    def _serialize(self, value: tuple[RatingType, ...] | None, attr: str | None, obj: Any, **_: Any) -> list[str]:
        return [str(rating) for rating in value or ()]


class _Strict(Schema):
    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "No such key. See the list of keys in the README."}


class _AskSchema(_Strict):
    channels = _Spelled()
    queues = _Names()
    directions = _Spelled()
    without_tags = _Names()
    with_tags = _Names()
    assigned = fields.Boolean(
        truthy={True}, falsy={False}, error_messages={"invalid": "Not a boolean. Write true or false."}
    )
    sample = _Share()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Ask:
        return Ask(**data)


def _check_deliver(names: tuple[str, ...]) -> None:
    known = ", ".join(CHANNELS)
    if not names:
        raise ValidationError(f"Name at least one of: {known}.")
    for name in names:
        if name not in CHANNELS:
            raise ValidationError(f"There is no channel {name!r}. Known: {known}.")


class SurveySchema(_Strict):
    """One survey, as a table of surveys.toml and as a record's terms."""

    name = fields.String(
        validate=validate.Regexp(r"[a-z0-9][a-z0-9-]{0,19}\Z", error="1 to 20 of a-z, 0-9 and - (it is in every link).")
    )
    ratings = _Ratings(data_key="rating")
    delay = Duration(most=timedelta(days=60))
    hold = Duration(most=timedelta(days=7))
    expires = Duration(least=timedelta(minutes=1), most=timedelta(days=365))
    again_after = Duration(most=timedelta(days=3650))
    deliver = _Names(validate=_check_deliver)
    ask = fields.Nested(_AskSchema)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Survey:
        return Survey(**data)


class _FileSchema(_Strict):
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
        twice = [name for name, count in Counter(each.name for each in data["survey"]).items() if count > 1]
        if twice:
            raise ValidationError(f"Two surveys are named {twice[0]!r}; give each a name of its own.", "survey")
        return {"survey": tuple(data["survey"])}
