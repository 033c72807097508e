"""5,000 cases of bad input in a separate process, with a check of its log."""

import subprocess
import sys

import pytest

from tests.processes import ROOT


def fuzz(*arguments: str) -> tuple[int, str]:
    run = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    sys.stdout.write(f"\n{run.stdout}{run.stderr}")
    return run.returncode, run.stdout


@pytest.mark.timeout(900)
def test_bad_input_causes_no_500_traceback_or_leaked_secret() -> None:
    status, output = fuzz("--cases", "5000")
    assert "fuzz: 5,000 cases, 0 responses of 500, 0 tracebacks, 0 secrets" in output
    assert status == 0


def test_fuzz_notices_an_app_that_sometimes_fails() -> None:
    status, output = fuzz("--cases", "400", "--broken")
    assert status == 1
    assert "fuzz: 400 cases, 0 responses" not in output
    assert " 0 tracebacks" not in output
    assert " 0 secrets" not in output
