"""Strict reading of Dixa's JSON. Errors name fields, but never contain values."""

import json
import math
from typing import Any, NoReturn

from marshmallow import Schema, ValidationError

from service.surveys.toml.fields import mistakes


class PayloadError(Exception):
    """A payload cannot be used. The text names each missing or malformed field."""


def load_json(raw: bytes) -> Any:
    """Parse JSON. Unlike Python, refuse NaN, Infinity and duplicate keys. Raises PayloadError."""
    try:
        return json.loads(
            raw.decode(), parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_object_without_duplicates
        )
    except (ValueError, RecursionError):  # Their texts quote the payload.
        raise PayloadError("The body is not JSON that can be read.") from None


def load(schema: Schema, body: Any) -> dict[str, Any]:
    """Read a body by its schema. Raises PayloadError naming each missing or malformed field."""
    try:
        found: dict[str, Any] = schema.load(body)
    except ValidationError as error:
        raise PayloadError("; ".join(mistakes(error.messages, "body"))) from error
    return found


def _refuse(_constant: str) -> NoReturn:
    raise ValueError


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found
