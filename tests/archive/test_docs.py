"""docs/archive.md has each column."""

import re

from service.archive.schema import SURVEY
from tests.processes import ROOT


def test_each_column_is_documented() -> None:
    text = (ROOT / "docs" / "archive.md").read_text(encoding="utf-8").partition("## Columns")[2]
    first_cells = re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(first_cells))) == {column.name for column in SURVEY.columns}
