"""docs/operating.md lists every check of `afterword doctor`, and those that `/readyz` makes."""

import re
from pathlib import Path

from service.doctor import cheap
from service.doctor.checks import CHECKS

PAGE = Path(__file__).parents[2] / "docs" / "operating.md"


def documented() -> dict[str, bool]:
    """Return the ids in the table, and whether `/readyz` makes them."""
    rows = re.findall(r"^\| (`[a-z_.`, ]+) \| [^|]+ \| (yes)? ?\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: bool(is_cheap) for names, is_cheap in rows for name in re.findall(r"`([a-z_.]+)`", names)}


def test_each_check_is_documented() -> None:
    assert set(documented()) == {each.id for each in CHECKS}


def test_the_checks_of_readyz_are_marked() -> None:
    assert {name for name, is_cheap in documented().items() if is_cheap} == {each.id for each in cheap.CHECKS}
