"""The lock files pin each package with its hashes, so an index can't hand over another file."""

import re

import pytest

from tests.processes import ROOT


@pytest.mark.parametrize("path", sorted(ROOT.glob("requirements*.txt")), ids=lambda path: path.name)
def test_every_package_is_locked_with_hashes(path: object) -> None:
    lines = (ROOT / str(path)).read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    packages = [line for line in lines if line.strip() and not line.startswith("#")]
    assert len(packages) > 30
    assert [each for each in packages if not re.match(r"[a-z0-9._-]+==[^\s;]+.*--hash=sha256:[0-9a-f]{64}", each)] == []


def test_each_list_is_a_part_of_the_larger_one() -> None:
    """A package has one version in production and in the tests."""

    def pins(name: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9._-]+==[^\s;]+", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))

    smallest, largest = pins("requirements.txt"), pins("requirements-dev.txt")
    for extra in ("sentry", "postgres", "parquet", "try"):
        assert smallest < pins(f"requirements-{extra}.txt") <= largest, extra
