"""The programs that check the files of deploy/."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.browser.tools import FOLDER, ToolMissing, skip_without
from tests.processes import BIN

# Debian has nginx's folder in the PATH of root only.
_FOLDERS = (BIN, FOLDER / "nginx/usr/sbin", FOLDER / "prometheus/usr/bin", *os.environ["PATH"].split(":"), "/usr/sbin")


def program(name: str) -> str:
    """Return a program's path. Without it the test is skipped, or fails in CI."""
    found = shutil.which(name, path=":".join(map(str, _FOLDERS)))
    if found is None:
        skip_without(ToolMissing(f"{name} is not installed: `make browser` installs it, on Debian"))
    return found


def run(name: str, *arguments: str | Path) -> str:
    """Run a program, and return its output. Fails with that output unless the program succeeds."""
    done = subprocess.run([program(name), *arguments], capture_output=True, text=True, check=False, timeout=300)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output
