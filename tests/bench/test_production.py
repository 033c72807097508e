import os
import subprocess
import sys
from pathlib import Path

from tests.bench.production import hide_others


def test_processes_find_the_packages_of_production_and_no_others(tmp_path: Path) -> None:
    environ = os.environ | {"PYTHONPATH": str(hide_others(tmp_path / "hidden"))}

    def error_of(module: str) -> str:
        command = [sys.executable, "-c", f"import {module}"]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False).stderr

    assert "hidden" in error_of("yaml")
    assert not error_of("service.web.app, workers.app, celery.bin.worker")
    assert not error_of("tests.bench.bare, tests.bench.naive.tasks")
