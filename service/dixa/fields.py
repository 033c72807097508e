"""marshmallow fields for Dixa's payloads. Essential ones are strict; all others load malformed values as None.

Dixa's payloads grow and vary, and no event should be lost because of a field we do not need.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, missing

from service.surveys.dixa_names import api_spelling
from service.surveys.mailbox import read_address

MAX_TEXT = 200
"""The number of characters kept of an id or a name. Dixa's are far shorter."""

_MAX_ID = 2**63 - 1


class ConversationId(fields.Field[int]):
    """A conversation id: a positive 64-bit integer, also accepted as text."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MAX_ID:
            raise ValidationError("Not a conversation id.")
        return value


class Word(fields.Field[str]):
    """A required text, kept unchanged: an id, a type, a status."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT or not value.isprintable():
            raise ValidationError("Not a text that can be used.")
        return value


class Lenient(fields.Field[Any]):
    """A field without errors: missing and malformed values are None."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(load_default=None, allow_none=True, **kwargs)

    def deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        """Read a value. There are no errors, so this skips marshmallow's steps around it."""
        return None if value is None or value is missing else self._read(value)

    def _read(self, value: Any) -> Any:
        return value


class Text(Lenient):
    """A text, cut and cleaned for Redis and JSON."""

    def _read(self, value: Any) -> str | None:
        return clean(value) or None if isinstance(value, str) else None


_TEXT = Text()


class AnyText(Lenient):
    """A text, unchanged."""

    def _read(self, value: Any) -> str | None:
        return value if isinstance(value, str) else None


class Address(Lenient):
    """A deliverable e-mail address."""

    def _read(self, value: Any) -> str | None:
        return read_address(value.strip()) if isinstance(value, str) else None


class Spelled(Text):
    """The name of a channel, direction or state, in the API's spelling."""

    def _read(self, value: Any) -> str | None:
        text = super()._read(value)
        return api_spelling(text) if text else None


class Part(Lenient):
    """Some members of an object, such as a queue's id and name. `keys` are texts, `others` have their own field."""

    def __init__(self, *keys: str, **others: Lenient) -> None:
        super().__init__()
        self._parts = dict.fromkeys(keys, _TEXT) | others

    def _read(self, value: Any) -> dict[str, str | None] | None:
        if not isinstance(value, Mapping):
            return None
        return {key: part.deserialize(value.get(key)) for key, part in self._parts.items()}


class Tags(Lenient):
    """The names of tags, sent as texts or as objects with a `name`. Malformed ones are skipped.

    None if there is no list, or only malformed tags in it.
    """

    def _read(self, value: Any) -> tuple[str, ...] | None:
        if not isinstance(value, list):
            return None
        names = [tag.get("name") if isinstance(tag, Mapping) else tag for tag in value]
        found = tuple(name for name in map(_TEXT.deserialize, names) if name)
        return found if found or not value else None


class Time(Lenient):
    """A time with a zone, converted to UTC. Messages and the activity log append the zone's name, such as `[GMT]`."""

    def _read(self, value: Any) -> datetime | None:
        if not isinstance(value, str) or len(value) > MAX_TEXT:
            return None
        try:
            found = datetime.fromisoformat(re.sub(r"\[\w+\]\Z", "", value))
            return found.astimezone(UTC) if found.tzinfo else None
        except (ValueError, OverflowError):
            return None


class FromDixa(Schema):
    """A schema for a payload of Dixa's."""

    class Meta:
        """Ignores unknown fields, since Dixa's payloads grow."""

        unknown = EXCLUDE


def clean(text: str) -> str:
    """Cut a text, and remove NUL and lone surrogates (not encodable in UTF-8)."""
    return text[:MAX_TEXT].encode("utf-8", "ignore").decode().replace("\0", "").strip()
