"""Where gunicorn listens and what it believes, as `gunicorn.conf.py` has it: from the environment and from `.env`."""

import ast
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.running import BIN, ROOT


def read_config(folder: Path, **environ: str) -> dict[str, Any]:
    """Ask gunicorn for its settings, as it would start in this folder."""
    printed = subprocess.run(
        [f"{BIN}/gunicorn", "--config", f"{ROOT}/gunicorn.conf.py", "--print-config", "tests.chaos.naive:web"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder), **environ},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    pairs = [line.split("=", 1) for line in printed.splitlines() if "=" in line]
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
def test_it_listens_where_the_operator_says(
    tmp_path: Path, dotenv: str, environ: dict[str, str], bound: list[str]
) -> None:
    (tmp_path / ".env").write_text(dotenv, encoding="utf-8")
    assert ast.literal_eval(read_config(tmp_path, **environ)["bind"]) == bound


def test_workers_are_not_recycled_and_proxies_do_not_move_us(tmp_path: Path) -> None:
    config = read_config(tmp_path)
    assert config["max_requests"] == "0"
    assert config["forwarder_headers"] == "[]"
