"""gunicorn.conf.py reads the addresses from the environment and from `.env`, and ignores proxy headers."""

import ast
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.config.test_settings import GOOD
from tests.processes import BIN, ROOT


def read_config(folder: Path, **environ: str) -> dict[str, Any]:
    """Print gunicorn's settings, as it would start in this folder."""
    printed = subprocess.run(
        [f"{BIN}/gunicorn", "--config", f"{ROOT}/gunicorn.conf.py", "--print-config", "tests.chaos.naive:web"],
        cwd=folder,
        env={**GOOD, "SURVEYS_FILE": f"{ROOT}/config/surveys.toml", "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        | {"HOME": str(folder), **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    if printed.returncode:
        return {"problem": printed.stderr}
    pairs = [line.split("=", 1) for line in printed.stdout.splitlines() if "=" in line]
    return {name.strip(): value.strip() for name, value in pairs}


@pytest.mark.parametrize(
    ("dotenv", "environ", "bound"),
    [
        ("", {}, ["127.0.0.1:8000"]),
        ("BIND=\nPORT=", {"PORT": " "}, ["127.0.0.1:8000"]),
        ("", {"PORT": "9001"}, ["0.0.0.0:9001"]),
        ("PORT=9002", {}, ["0.0.0.0:9002"]),
        ("\ufeffPORT=9002", {"PORT": "9001"}, ["0.0.0.0:9001"]),
        ("BIND='[::]:9003'", {"PORT": "9001"}, ["[::]:9003"]),
        ("BIND=127.0.0.1:1", {"BIND": "127.0.0.1:9004, [::1]:9004,"}, ["127.0.0.1:9004", "[::1]:9004"]),
        ("BIND=unix:/run/afterword.sock", {}, ["unix:/run/afterword.sock"]),
    ],
)
def test_bind_and_port_set_addresses(tmp_path: Path, dotenv: str, environ: dict[str, str], bound: list[str]) -> None:
    (tmp_path / ".env").write_text(dotenv, encoding="utf-8")
    assert ast.literal_eval(read_config(tmp_path, **environ)["bind"]) == bound


@pytest.mark.parametrize(
    "environ",
    [
        {"BIND": "127.0.0.1:80o0"},
        {"BIND": "127.0.0.1:80000"},
        {"BIND": "127.0.0.1:8000,[::1:8000"},
        {"BIND": "http://127.0.0.1:8000"},
        {"BIND": "unix:"},
        {"BIND": "a..b:8000"},
        {"BIND": ","},
        {"PORT": "80o0"},
        {"PORT": "80000"},
    ],
    ids=str,
)
def test_invalid_address_is_refused(tmp_path: Path, environ: dict[str, str]) -> None:
    """Gunicorn alone fails with a traceback, or listens on another address."""
    (name,) = environ
    problem = read_config(tmp_path, **environ)["problem"]
    assert f"  {name}: is not " in problem
    assert "Traceback" not in problem


def test_workers_are_not_recycled_and_proxy_headers_are_ignored(tmp_path: Path) -> None:
    config = read_config(tmp_path)
    assert config["max_requests"] == "0"
    assert config["forwarder_headers"] == "[]"
    assert config["secure_scheme_headers"] == "{}"
