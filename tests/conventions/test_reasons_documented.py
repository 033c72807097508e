"""Every reason is explained, in the words of docs/reasons.md."""

from pathlib import Path

from service.rules.reasons import REASONS, markdown_rows
from service.surveys.model import Reason

PAGE = (Path(__file__).parents[2] / "docs" / "reasons.md").read_text(encoding="utf-8")


def test_every_reason_is_explained_and_nothing_else() -> None:
    assert set(REASONS) == set(Reason)
    assert all(each.meaning.endswith(".") and each.remedy.endswith(".") for each in REASONS.values())


def test_the_page_has_the_same_table() -> None:
    assert "| reason | meaning | what to change |\n|---|---|---|\n" + "\n".join(markdown_rows()) + "\n" in PAGE
