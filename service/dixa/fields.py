"""The marshmallow fields of what Dixa sends: some must be right, all others are None when they are odd.

Dixa's payloads grow and vary, and an event is too precious to be refused for a field that we can do without.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from service.surveys.dixa_names import api_spelling
from service.surveys.mailbox import read_address

LONGEST = 200
"""How many characters are kept of a text, in ids and names alike: Dixa's are far shorter."""

_LARGEST_ID = 2**63 - 1


class ConversationId(fields.Field[int]):
    """A conversation's id: a positive 64-bit integer, or one written as text. Required wherever it is used."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LARGEST_ID:
            raise ValidationError("Not a conversation id.")
        return value


class Word(fields.Field[str]):
    """A text that must be there, as it is: an id, a type, a status."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= LONGEST or not value.isprintable():
            raise ValidationError("Not a text that can be used.")
        return value


class Optional(fields.Field[Any]):
    """A field that never fails: what `_read` can't use is None, and so is what is missing."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(load_default=None, allow_none=True, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Any:
        return self._read(value)

    def _read(self, value: Any) -> Any:
        return value


class Text(Optional):
    """A text, cut and cleaned so that Redis and JSON can hold it."""

    def _read(self, value: Any) -> str | None:
        return clean(value) or None if isinstance(value, str) else None


class AnyText(Optional):
    """A text as it is, however long."""

    def _read(self, value: Any) -> str | None:
        return value if isinstance(value, str) else None


class Address(Optional):
    """An e-mail address that mail can be sent to."""

    def _read(self, value: Any) -> str | None:
        return read_address(value.strip()) if isinstance(value, str) else None


class Spelled(Text):
    """The name of a channel, direction or state, as the API spells it."""

    def _read(self, value: Any) -> str | None:
        text = super()._read(value)
        return api_spelling(text) if text else None


class Part(Optional):
    """An object of which only some texts matter, such as the id and name of a queue; others may be read otherwise."""

    def __init__(self, *keys: str, **others: Optional) -> None:
        super().__init__()
        self._parts = dict.fromkeys(keys, Text()) | others

    def _read(self, value: Any) -> dict[str, str | None] | None:
        if not isinstance(value, Mapping):
            return None
        return {key: part.deserialize(value.get(key)) for key, part in self._parts.items()}


class Tags(Optional):
    """The names of tags, given as texts or as objects with a `name`; odd ones are left out.

    No list, or one of odd ones only, is None.
    """

    def _read(self, value: Any) -> tuple[str, ...] | None:
        if not isinstance(value, list):
            return None
        names = [tag.get("name") if isinstance(tag, Mapping) else tag for tag in value]
        found = tuple(name for name in map(Text().deserialize, names) if name)
        return found if found or not value else None


class Time(Optional):
    """A time with its zone, in UTC. A suffix such as `[GMT]` (messages, the activity log) is passed over."""

    def _read(self, value: Any) -> datetime | None:
        if not isinstance(value, str) or len(value) > LONGEST:
            return None
        try:
            found = datetime.fromisoformat(re.sub(r"\[\w+\]\Z", "", value))
            return found.astimezone(UTC) if found.tzinfo else None
        except (ValueError, OverflowError):
            return None


class FromDixa(Schema):
    """A schema of something that Dixa sends: it will grow, and what is new is passed over."""

    class Meta:
        """Unknown fields are left out."""

        unknown = EXCLUDE


def clean(text: str) -> str:
    """Cut a text, and take out what UTF-8 or Redis' users choke on: lone surrogates and NUL."""
    return text[:LONGEST].encode("utf-8", "ignore").decode().replace("\0", "").strip()
