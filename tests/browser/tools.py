"""Installs axe-core, html-validate and Lighthouse from npm, for the tests of pages and e-mails.

`python -m tests.browser.tools` installs them into .venv/tools. package.json has the versions, package-lock.json the
hash of each package and dependency. axe-core needs no npm: Python fetches its file (`--axe`). No package of PyPI is
suitable: each has an older axe-core, or needs a newer Python.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from argparse import ArgumentParser
from base64 import b64encode
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import NoReturn

import pytest
import requests

HERE = Path(__file__).parent
FOLDER = HERE.parent.parent / ".venv" / "tools"
AXE = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
LOCK = "package-lock.json"
OLDEST_NODE = (20, 19)
CHROMIUM = "`make browser` installs it, on Debian; elsewhere any chromium on the PATH will do"


class ToolMissing(Exception):
    """A tool is missing. The message has its name and the command that installs it."""


def skip_without(missing: ToolMissing) -> NoReturn:
    """Skip the test, or fail it in CI."""
    if is_ci():
        pytest.fail(str(missing), pytrace=False)
    pytest.skip(str(missing))


def is_ci() -> bool:
    """Return whether the environment variable CI is set, so that no tool may be missing."""
    return bool(os.environ.get("CI"))


def chromium_path() -> str:
    """Return the path of the system's Chromium."""
    found = shutil.which("chromium")
    if found is None:
        raise ToolMissing(f"chromium is not installed: {CHROMIUM}")
    return found


def browser_path() -> str:
    """Return the path of the system's Chromium, if possible the headless shell: it needs half of the CPU."""
    return shutil.which("chromium-headless-shell") or chromium_path()


@cache
def axe_source() -> str:
    """Return the source of axe-core, to run in a page."""
    if not AXE.exists():
        raise ToolMissing("axe-core is not here: `make browser` fetches it")
    return AXE.read_text(encoding="utf-8")


def program(name: str) -> list[str]:
    """Return the first words of the command line of a tool."""
    command = FOLDER / "node_modules" / ".bin" / name
    if _node_version() < OLDEST_NODE:
        wanted = ".".join(map(str, OLDEST_NODE))
        raise ToolMissing(f"{name} needs node {wanted} or newer with npm: install it, then `make browser`")
    if not command.exists():
        raise ToolMissing(f"{name} is not here: `make browser` fetches it")
    return ["node", str(command)]


def _node_version() -> tuple[int, ...]:
    if shutil.which("node") is None:
        return (0,)
    output = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, output.strip().lstrip("v").split(".")))


def install() -> None:
    """Install all tools with npm, or axe-core only if npm is missing."""
    if shutil.which("npm") is None or _node_version() < OLDEST_NODE:
        fetch_axe()
        raise ToolMissing("html-validate and lighthouse need npm and node 20.19 or newer")
    FOLDER.mkdir(parents=True, exist_ok=True)
    done, wanted = FOLDER / "installed", (HERE / LOCK).read_text(encoding="utf-8")
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return
    for name in ("package.json", LOCK):
        shutil.copy(HERE / name, FOLDER)
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    subprocess.run(["npm", "ci", *quiet], cwd=FOLDER, check=True)
    done.write_text(wanted, encoding="utf-8")


def fetch_axe(file: Path = AXE) -> None:
    """Fetch the file of axe-core, if this version is missing."""
    wanted = json.loads((HERE / LOCK).read_text(encoding="utf-8"))["packages"]["node_modules/axe-core"]
    if file.exists() and f"axe v{wanted['version']}" in file.read_text(encoding="utf-8")[:100]:
        return
    registry = os.environ.get("NPM_CONFIG_REGISTRY") or "https://registry.npmjs.org"
    url = f"{registry.rstrip('/')}/axe-core/-/axe-core-{wanted['version']}.tgz"
    response = requests.get(url, timeout=(5, 60))
    response.raise_for_status()
    found = f"sha512-{b64encode(hashlib.sha512(response.content).digest()).decode()}"
    if found != wanted["integrity"]:
        raise ToolMissing(f"axe-core was fetched, but its hash isn't that of {LOCK}: {found}")
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=BytesIO(response.content)) as package:
        script = package.extractfile("package/axe.min.js")
        assert script
        file.write_bytes(script.read())


def main() -> None:
    """Fetch missing tools. Outside CI, a failure prints a message, and the tests are skipped."""
    parser = ArgumentParser(prog="python -m tests.browser.tools")
    parser.add_argument("--axe", action="store_true", help="axe-core only")
    try:
        fetch_axe() if parser.parse_args().axe else install()
    except (ToolMissing, requests.RequestException, subprocess.CalledProcessError) as problem:
        sys.stderr.write(f"A tool could not be fetched, so its tests are skipped: {problem}\n")
        sys.exit(1 if is_ci() else 0)


if __name__ == "__main__":
    main()
