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
def test_bad_input_is_never_answered_with_an_error_of_ours() -> None:
    status, said = fuzz("--cases", "5000")
    assert "fuzz: 5,000 cases, 0 answers of 500, 0 tracebacks, 0 secrets" in said
    assert status == 0


def test_an_app_that_fails_now_and_then_is_found_out() -> None:
    status, said = fuzz("--cases", "400", "--broken")
    assert status == 1
    assert "fuzz: 400 cases, 0 answers" not in said
    assert " 0 tracebacks" not in said
    assert " 0 secrets" not in said
