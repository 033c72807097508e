"""Every key of surveys.toml is in docs/surveys.md and in the shipped file."""

import re
from collections.abc import Iterator
from pathlib import Path

from marshmallow import Schema, fields

from service.surveys.toml.loader import SurveySchema, load_surveys

ROOT = Path(__file__).parents[2]
SHIPPED = (ROOT / "config" / "surveys.toml").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "surveys.md").read_text(encoding="utf-8")


def keys_of(schema: Schema) -> Iterator[str]:
    for name, field in schema.fields.items():
        yield field.data_key or name
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            yield from keys_of(inner.schema)


KEYS = set(keys_of(SurveySchema()))


def test_keys_are_read_from_the_schema() -> None:
    assert {"name", "rating", "delay", "send_window", "zone", "match", "sample", "slack"} <= KEYS


def test_shipped_file_shows_every_key() -> None:
    shown = re.findall(r"^#? ?\[+survey\.(\w+)", SHIPPED, re.MULTILINE) + re.findall(r"(\w+) = ", SHIPPED)
    assert set(shown) >= KEYS


def test_every_key_is_in_the_guide() -> None:
    assert {key for key in KEYS if not re.search(rf"`(?:\[+survey\.)?{key}\b", GUIDE)} == set()


def test_every_commented_out_key_of_the_shipped_file_is_valid() -> None:
    text, count = re.subn(r"^#(?=\w+ = )", "", SHIPPED, flags=re.MULTILINE)
    (survey,) = load_surveys(text)
    assert count >= 3
    assert None not in (survey.reminder, survey.not_before, survey.send_window)
