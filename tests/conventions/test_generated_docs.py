"""The generated documents are up to date with `make docs`."""

import re

import pytest

from config.loader import read_settings
from tests.config.test_settings import GOOD
from tests.docs import FILES, ROOT


@pytest.mark.parametrize("name", FILES)
def test_document_is_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == FILES[name](), "run: make docs"


def test_example_shows_the_defaults() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    example = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", text, re.MULTILINE))
    assert read_settings({**example, **GOOD}) == read_settings(GOOD)
