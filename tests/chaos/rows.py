"""A row of the table of faults, with its control."""

import subprocess
from dataclasses import dataclass

from tests.processes import ROOT


@dataclass(frozen=True)
class Row:
    """A fault, its result, and the result of the control under the same fault. The control must fail."""

    number: int
    fault: str
    seed: int
    commit: str
    shown: str
    control: str
    passed: bool


def commit() -> str:
    """Return the current commit, with a `+` if there are uncommitted changes."""
    described = ["git", "describe", "--always", "--abbrev=7", "--dirty=+", "--exclude=*"]
    return subprocess.run(described, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
