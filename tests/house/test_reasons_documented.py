"""Every reason is explained, in the words that the README has too."""

from pathlib import Path

from service.surveys.model import Reason
from service.surveys.reasons import REASONS, readme_rows

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_every_reason_is_explained_and_nothing_else() -> None:
    assert set(REASONS) == set(Reason)
    assert all(each.meaning.endswith(".") and each.remedy.endswith(".") for each in REASONS.values())


def test_the_readme_has_the_same_table() -> None:
    assert "| reason | meaning | what to change |\n|---|---|---|\n" + "\n".join(readme_rows()) + "\n\n" in README
