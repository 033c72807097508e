"""Each process imports only what it needs: memory, and the time of a start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT, Afterword, free_port

NEEDLESS = {
    "service.web.main": {
        "celery",
        "flask_httpauth",
        "kombu",
        "prometheus_client",
        "requests",
        "sentry_sdk",
        "smtplib",
        "sqlalchemy",
    },
    # E-mails are written with Jinja, where SMTP_URL is set.
    "workers.main": {"flask", "gevent", "gunicorn", "jinja2", "prometheus_client", "sentry_sdk", "smtplib", "werkzeug"},
}
SHOWS_IMPORTS = "import os, sys, {entry}; print(*sys.modules, flush=True); os._exit(0)"


@pytest.mark.parametrize("entry", NEEDLESS)
def test_an_entry_imports_nothing_needless(entry: str, tmp_path: Path) -> None:
    # Nothing listens there: the entry starts without Redis.
    environ = Afterword(tmp_path, {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"})._environ
    command = [sys.executable, "-c", SHOWS_IMPORTS.format(entry=entry)]
    environ |= {"PYTHONPATH": str(ROOT), "LOG_LEVEL": "CRITICAL"}
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {name.partition(".")[0] for name in done.stdout.split()}
    assert {"redis", "structlog"} <= found
    assert not found & NEEDLESS[entry]


def test_the_command_of_the_worker_imports_no_shell(tmp_path: Path) -> None:
    environ = os.environ | Afterword(tmp_path, {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"})._environ
    command = [sys.executable, "-X", "importtime", "-m", "workers", "--help"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    assert "--concurrency" in done.stdout
    assert "celery.bin.worker" in done.stderr
    assert "prompt_toolkit" not in done.stderr
