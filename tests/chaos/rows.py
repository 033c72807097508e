"""What a chaos test prints: one row of the table of faults, with its control."""

import subprocess
from dataclasses import dataclass

from tests.processes import ROOT


@dataclass(frozen=True)
class Row:
    """A fault, what was shown, and what the same fault did to the control, which must fail."""

    number: int
    fault: str
    seed: int
    commit: str
    shown: str
    control: str
    passed: bool


def commit() -> str:
    """The commit that is run, with a `+` when there are changes on top of it."""
    described = ["git", "describe", "--always", "--abbrev=7", "--dirty=+", "--exclude=*"]
    return subprocess.run(described, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
