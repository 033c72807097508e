"""Persistence format of a survey's terms: plain JSON values, in Redis and in spool entries.

Keys are the field names of `Survey`, durations are milliseconds, other times are ISO 8601. The format is apart from
surveys.toml: a record must stay readable when the operator's file gets another key. Two scripts read the terms, too:
retry.lua `ratings`, save_answer.lua `reminder` and `on_answer`.

A survey has thousands of records, so Redis has its terms once, under the hash of their JSON, and a record names them.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, time, timedelta
from functools import cache, lru_cache
from types import UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

from service.surveys.definition import Survey

_READERS: Final[Mapping[Any, Any]] = {
    datetime: datetime.fromisoformat,
    time: time.fromisoformat,
    timedelta: lambda milliseconds: timedelta(milliseconds=milliseconds),
}


_MAX_CACHED = 256
"""The JSON of so many surveys stays in memory: those of surveys.toml, by channel, and of links to earlier versions."""


@dataclass(frozen=True, slots=True)
class StoredTerms:
    """The JSON of a survey, and the name that its records have for it."""

    name: str
    text: str


@lru_cache(_MAX_CACHED)
def store_terms(survey: Survey) -> StoredTerms:
    """Write a survey for Redis."""
    text = json.dumps(dump_terms(survey), ensure_ascii=False, separators=(",", ":"))
    return StoredTerms(hashlib.sha256(text.encode()).hexdigest()[:24], text)


def read_terms(text: str) -> Survey:
    """Read the JSON of `store_terms`, by this or another version."""
    return load_terms(json.loads(text))


def dump_terms(survey: Survey) -> dict[str, Any]:
    """Return a survey as JSON values. Defaults are written too: a later default must not change an old record."""
    dumped: dict[str, Any] = _dump(survey)
    return dumped


def load_terms(terms: Mapping[str, Any]) -> Survey:
    """Read what this or another version wrote: ignore unknown keys, and use the default of a missing one."""
    return Survey(**load_fields(Survey, terms))


def load_fields(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by the names of a dataclass's fields, each of the annotated type. Ignores unknown names."""
    return {name: read(values[name]) for name, read in _field_readers(kind).items() if name in values}


def _dump(value: Any) -> Any:
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        dumped = {str(key): _dump(each) for key, each in value.items() if each is not None}
        return {key: each for key, each in dumped.items() if each != {}}
    if isinstance(value, tuple):
        return [_dump(each) for each in value]
    if isinstance(value, timedelta):
        return value // timedelta(milliseconds=1)
    return value.isoformat() if isinstance(value, (datetime, time)) else value


@cache
def _field_readers(kind: type) -> Mapping[str, Callable[[Any], Any]]:
    return {name: _reader(annotated) for name, annotated in get_type_hints(kind).items()}


def _reader(kind: Any) -> Callable[[Any], Any]:
    """Return the function that builds a value of a field's annotated type."""
    if isinstance(kind, type) and is_dataclass(kind):
        return lambda value: kind(**load_fields(kind, value))
    if isinstance(kind, UnionType):  # always `… | None`, and None is never written
        return _reader(get_args(kind)[0])
    if get_origin(kind) is tuple:
        read_item = _reader(get_args(kind)[0])
        return lambda value: tuple(map(read_item, value))
    if get_origin(kind) is Mapping:
        read_value = _reader(get_args(kind)[1])
        return lambda value: {key: read_value(each) for key, each in value.items()}
    reader: Callable[[Any], Any] = _READERS.get(kind, kind)
    return reader
