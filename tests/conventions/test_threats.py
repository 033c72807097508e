"""Each line of the threat model names the tests of what stops the threat."""

import re

import pytest

from tests.processes import ROOT

PAGE = ROOT / "docs/security-and-privacy.md"
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"def (test_\w+)\(", path.read_text(encoding="utf-8"))
}


def lines_of_the_threat_model() -> list[str]:
    section = PAGE.read_text(encoding="utf-8").partition("## Threat model\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ")][1:]


LINES = lines_of_the_threat_model()


def test_the_threat_model_is_found() -> None:
    assert len(LINES) > 20


@pytest.mark.parametrize("line", LINES, ids=[line.split("|")[1].strip() for line in LINES])
def test_each_line_names_existing_tests(line: str) -> None:
    _, threat, remedy, tests, _ = line.split("|")
    assert threat.strip()
    assert remedy.strip()
    named = re.findall(r"`(\w+)`", tests)
    assert named
    assert [name for name in named if name not in TESTS] == []
