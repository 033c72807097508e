"""The files that .dockerignore lets into the image are those that the service needs. No container engine is needed."""

import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from tests.deploy.manifests import ROOT
from tests.processes import API_TOKEN, PUBLIC_URL, SECRET_KEY, WEBHOOK_SECRET, RedisServer


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what .dockerignore lets in: after `*` each line is a name, or a pattern that is left out again."""
    everything, *lines = [
        line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    ]
    assert everything == "*"
    names = [line.removeprefix("!") for line in lines if line.startswith("!")]
    left_out = [line.removeprefix("**/") for line in lines if not line.startswith("!")]
    folder = tmp_path_factory.mktemp("image")
    for name in names:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(*left_out))
        else:
            shutil.copy(ROOT / name, folder)
    return folder


def files_of(folder: Path) -> set[str]:
    return {str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()}


def test_every_module_and_file_of_the_service_gets_in_and_nothing_else(context: Path) -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    packages = {each for each in tracked.splitlines() if each.startswith(("config/", "service/", "workers/"))}
    assert packages - files_of(context) == set()
    assert {each.split("/")[0] for each in files_of(context)} == {
        "LICENSE",
        "README.md",
        "config",
        "gunicorn.conf.py",
        "pyproject.toml",
        "requirements-parquet.txt",
        "requirements-postgres.txt",
        "requirements-sentry.txt",
        "requirements.txt",
        "service",
        "workers",
    }


def test_web_worker_and_commands_load_from_these_files(context: Path, redis_server: RedisServer) -> None:
    environ = {
        "PYTHONPATH": f"{context}:{sysconfig.get_path('purelib')}",
        "REDIS_URL": redis_server.url,
        "PUBLIC_URL": PUBLIC_URL,
        "DIXA_API_TOKEN": API_TOKEN,
        "DIXA_WEBHOOK_SECRETS": WEBHOOK_SECRET,
        "SECRET_KEYS": SECRET_KEY,
        "SPOOL_DIR": "off",
    }
    # -S: otherwise `make install` has told Python where the repository is.
    load = [sys.executable, "-S", "-B", "-c", "import service.web.main, workers.main, service.cli"]
    done = subprocess.run(load, cwd=context, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


def test_files_that_the_installation_reads_get_in(context: Path) -> None:
    project = tomllib.loads((context / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {project["readme"], *project["license-files"]} <= files_of(context)
