"""`[[survey.on_answer]]` of surveys.toml: actions by score. `service.journeys.follow_up` runs them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from marshmallow import ValidationError, fields, post_load, validate

from service.surveys.on_answer import OnAnswer
from service.surveys.ratings import RatingType
from service.surveys.toml.fields import Flag, Strict, Text, written_as
from service.surveys.urls import parse_url

_MAX_URL_LENGTH = 500
_ACTIONS = ("note", "tag", "slack", "webhook", "thank_you")


def resolve_ratings(actions: Sequence[OnAnswer], ratings: Sequence[RatingType]) -> tuple[OnAnswer, ...]:
    """Set the rating type where it is left out. Raises ValidationError with the key of each mistake."""
    mistakes = {number: problem for number, each in enumerate(actions) if (problem := _mistake(each, ratings))}
    if mistakes:
        raise ValidationError({"on_answer": mistakes})
    return tuple(replace(each, rating=each.rating or ratings[0]) for each in actions)


def _mistake(action: OnAnswer, ratings: Sequence[RatingType]) -> dict[str, list[str]]:
    if action.rating is None and len(ratings) > 1:
        return {"rating": ["This survey asks several. Write whose scores these are."]}
    rating = action.rating or ratings[0]
    if rating not in ratings:
        return {"rating": [f"This survey doesn't ask {rating}."]}
    if any(score not in rating.scores for score in action.scores):
        return {"scores": [f"{rating} has the scores {rating.scores[0]} to {rating.scores[-1]}."]}
    return {}


class _Scores(fields.Field[tuple[int, ...]]):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> tuple[int, ...]:
        if not isinstance(value, list) or not value or any(type(score) is not int for score in value):
            raise ValidationError("Not a list of scores. Write it in brackets: [1, 2].")
        return tuple(dict.fromkeys(value))


def _check_thank_you(url: str) -> None:
    try:
        is_valid = parse_url(url, {"https"}, is_ascii=True).username is None and len(url) <= _MAX_URL_LENGTH
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ValidationError("Not a page. Write it whole, with https:// in front.")


class OnAnswerSchema(Strict):
    """One `[[survey.on_answer]]`."""

    error_messages = written_as("[[survey.on_answer]]", "scores = [1, 2]")

    scores = _Scores(required=True, error_messages={"required": "Write for which scores: [1, 2]."})
    rating = fields.Enum(
        RatingType,
        by_value=True,
        allow_none=True,
        error_messages={"unknown": 'Not a rating. Write "Csat", "Nps" or "ThumbsUpOrDown".'},
    )
    note = Flag()
    tag = Text(validate=validate.Length(max=100, error="A tag's name has at most 100 characters."))
    slack = Flag()
    webhook = Flag()
    comment = Flag()
    thank_you = Text(validate=lambda url: _check_thank_you(url) if url else None)
    redirect = Flag()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> OnAnswer:
        action = OnAnswer(**data)
        if not any(getattr(action, name) for name in _ACTIONS):
            raise ValidationError(f"Nothing is to be done. Name at least one of: {', '.join(_ACTIONS)}.")
        if action.redirect and not action.thank_you:
            raise ValidationError("Write where to: thank_you.", "redirect")
        return action
