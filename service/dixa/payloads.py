"""JSON as Dixa sends it, read strictly; what can't be used is told without its value."""

import json
import math
from typing import Any, NoReturn

from marshmallow import Schema, ValidationError

from service.surveys.toml.fields import mistakes


class PayloadError(Exception):
    """Something of Dixa's can't be used; the text names each missing or malformed field, and never its value."""


def load_json(raw: bytes) -> Any:
    """Parse JSON more strictly than Python does: no NaN or Infinity, and no key twice in an object.

    Raises PayloadError.
    """
    try:
        return json.loads(
            raw.decode(), parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_object_without_twins
        )
    except (ValueError, RecursionError):  # Nor does any error of the parser's say more: it would quote the body.
        raise PayloadError("The body is not JSON that can be read.") from None


def load(schema: Schema, body: Any) -> dict[str, Any]:
    """Read a body by its schema. Raises PayloadError naming each field that is missing or malformed."""
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


def _object_without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found
