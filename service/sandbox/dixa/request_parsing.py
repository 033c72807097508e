"""Parses request JSON as strictly as the API's description, with Dixa's error messages."""

import json
import re
from collections.abc import Container
from datetime import datetime
from typing import Any
from uuid import UUID

from service.sandbox.dixa.state import Refused

_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})")
_INT64 = range(-(2**63), 2**63)


def load_number(text: str, name: str) -> int:
    """Parse a path parameter as a 64-bit integer. Raises Refused (400)."""
    if re.fullmatch(r"-?[0-9]{1,19}", text) and int(text) in _INT64:
        return int(text)
    raise Refused(400, f"Invalid value for: path parameter {name}")


class Body:
    """The fields of a JSON object. Each method raises Refused (400) for a malformed field."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    @classmethod
    def load(cls, raw: bytes, content_type: str, *, may_be_empty: bool = False) -> "Body":
        """Parse a request's body."""
        if not raw and may_be_empty:
            return cls({})
        try:
            fields = json.loads(raw)
        except ValueError:
            fields = None
        if not isinstance(fields, dict) or content_type.partition(";")[0].strip().lower() != "application/json":
            raise Refused(400, "Decoding failure in request")
        return cls(fields)

    def text(self, name: str) -> str:
        """Read a required text."""
        value = self.optional_text(name)
        if value is None:
            raise _invalid(name)
        return value

    def optional_text(self, name: str) -> str | None:
        """Read a text, or None if missing or null."""
        value = self._fields.get(name)
        if value is not None and not isinstance(value, str):
            raise _invalid(name)
        return value

    def one_of(self, name: str, known: Container[str]) -> str:
        """Read a required text with a fixed set of values."""
        value = self.text(name)
        if value not in known:
            raise _invalid(name)
        return value

    def number(self, name: str) -> int:
        """Read a required integer."""
        value = self._fields.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise _invalid(name)
        return value

    def optional_uuid(self, name: str) -> str | None:
        """Read the text of a UUID, or None if missing or null."""
        value = self.optional_text(name)
        if value is None:
            return None
        try:
            return str(UUID(value))
        except ValueError:
            raise _invalid(name) from None

    def uuid(self, name: str) -> str:
        """Read the text of a required UUID."""
        value = self.optional_uuid(name)
        if value is None:
            raise _invalid(name)
        return value

    def optional_time(self, name: str) -> datetime | None:
        """Read an RFC 3339 time, or None if missing or null."""
        value = self.optional_text(name)
        if value is None:
            return None
        if not _RFC3339.fullmatch(value):
            raise _invalid(name)
        try:
            return datetime.fromisoformat(value.upper())
        except ValueError:
            raise _invalid(name) from None

    def optional_object(self, name: str) -> "Body | None":
        """Read a nested object, or None if missing or null."""
        value = self._fields.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise _invalid(name)
        return Body(value)

    def object(self, name: str) -> "Body":
        """Read a required nested object."""
        found = self.optional_object(name)
        if found is None:
            raise _invalid(name)
        return found

    def objects(self, name: str) -> "list[Body]":
        """Read a list of nested objects, empty if missing or null."""
        value = self._fields.get(name) or []
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise _invalid(name)
        return [Body(each) for each in value]

    def time(self, name: str) -> datetime:
        """Read a required RFC 3339 time."""
        value = self.optional_time(name)
        if value is None:
            raise _invalid(name)
        return value

    def has_items(self, name: str) -> bool:
        """Return whether a list is present and not empty."""
        value = self._fields.get(name)
        if value is not None and not isinstance(value, list):
            raise _invalid(name)
        return bool(value)


def _invalid(name: str) -> Refused:
    return Refused(400, f"Invalid value for: body ({name})")
