"""Strict reading of Dixa's JSON. Errors name fields, but never contain values."""

import json
import math
from collections.abc import Mapping
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


def load_data(body: Any) -> Any:
    """Unwrap the `{"data": …}` of a response. Raises PayloadError."""
    if not isinstance(body, Mapping) or "data" not in body:
        raise PayloadError("body.data: Missing.")
    return body["data"]


def load_list(schema: Schema, body: Any) -> list[dict[str, Any]]:
    """Read the items of a response's `data`, each by the schema. Raises PayloadError."""
    items = load_data(body)
    if not isinstance(items, list):
        raise PayloadError("body.data: Not a list.")
    return [load(schema, item) for item in items]


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
