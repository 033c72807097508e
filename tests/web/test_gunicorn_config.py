"""gunicorn.conf.py reads the addresses from the environment and from `.env`, and ignores proxy headers."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.config.test_settings import GOOD
from tests.processes import BIN, ROOT


def environ_for(folder: Path) -> dict[str, str]:
    return {
        **GOOD,
        "SURVEYS_FILE": f"{ROOT}/config/surveys.toml",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
    }


def settings_in(printed: str) -> dict[str, str]:
    pairs = [line.split("=", 1) for line in printed.splitlines() if "=" in line]
    return {name.strip(): value.strip() for name, value in pairs}


PROGRAM = """
import json, os, sys
from gunicorn.app.wsgiapp import run
from gunicorn.config import Chdir
from service.web import connections, gunicorn_hooks

for folder, environ in json.loads(sys.argv[1]).items():
    if not os.fork():
        os.chdir(folder)
        Chdir.default = folder  # It is the folder of the import, otherwise.
        os.environ.update(environ)
        output = os.open("output", os.O_CREAT | os.O_WRONLY)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.argv[1:] = ["--config", sys.argv[2], "--print-config", "flask:Flask"]
        run()
    sys.stdout.write(f"{os.waitstatus_to_exitcode(os.wait()[1])} ")
"""
"""Reads gunicorn.conf.py in several folders: each in a fork of a process that has imported everything."""


def read_configs(folder: Path, *cases: tuple[str, dict[str, str]]) -> list[tuple[int, str]]:
    """Return gunicorn's exit status and output for each `.env` and environment."""
    environs = {}
    for number, (dotenv, environ) in enumerate(cases):
        (folder / str(number)).mkdir()
        (folder / str(number) / ".env").write_text(dotenv, encoding="utf-8")
        environs[str(folder / str(number))] = environ
    command = [sys.executable, "-c", PROGRAM, json.dumps(environs), f"{ROOT}/gunicorn.conf.py"]
    ran = subprocess.run(command, env=environ_for(folder), capture_output=True, text=True, check=True)
    outputs = [(Path(each) / "output").read_text(encoding="utf-8") for each in environs]
    return list(zip(map(int, ran.stdout.split()), outputs, strict=True))


BOUND: list[tuple[str, dict[str, str], list[str]]] = [
    ("", {}, ["127.0.0.1:8000"]),
    ("BIND=\nPORT=", {"PORT": " "}, ["127.0.0.1:8000"]),
    ("", {"PORT": "9001"}, ["0.0.0.0:9001"]),
    ("PORT=9002", {}, ["0.0.0.0:9002"]),
    ("\ufeffPORT=9002", {"PORT": "9001"}, ["0.0.0.0:9001"]),
    ("BIND='[::]:9003'", {"PORT": "9001"}, ["[::]:9003"]),
    ("BIND=127.0.0.1:1", {"BIND": "127.0.0.1:9004, [::1]:9004,"}, ["127.0.0.1:9004", "[::1]:9004"]),
    ("BIND=unix:/run/afterword.sock", {}, ["unix:/run/afterword.sock"]),
]


def test_bind_and_port_set_addresses(tmp_path: Path) -> None:
    found = read_configs(tmp_path, *((dotenv, environ) for dotenv, environ, _ in BOUND))
    addresses = [ast.literal_eval(settings_in(output)["bind"]) for _, output in found]
    assert addresses == [bound for _, _, bound in BOUND]


INVALID = [
    *({"BIND": each} for each in ("127.0.0.1:80o0", "127.0.0.1:80000", "127.0.0.1:8000,[::1:8000", "unix:", ",")),
    *({"BIND": each} for each in ("http://127.0.0.1:8000", "a..b:8000")),
    *({"PORT": each} for each in ("80o0", "80000")),
]


def test_invalid_address_is_refused(tmp_path: Path) -> None:
    """Gunicorn alone fails with a traceback, or listens on another address."""
    found = read_configs(tmp_path, *(("", environ) for environ in INVALID))
    for environ, (status, output) in zip(INVALID, found, strict=True):
        (name,) = environ
        assert status != 0, environ
        assert f"  {name}: is not " in output, environ
        assert "Traceback" not in output, environ


def test_workers_are_not_recycled_and_proxy_headers_are_ignored(tmp_path: Path) -> None:
    command = [f"{BIN}/gunicorn", "--config", f"{ROOT}/gunicorn.conf.py", "--print-config", "flask:Flask"]
    ran = subprocess.run(command, cwd=tmp_path, env=environ_for(tmp_path), capture_output=True, text=True, check=True)
    config = settings_in(ran.stdout)
    assert config["max_requests"] == "0"
    assert config["forwarder_headers"] == "[]"
    assert config["secure_scheme_headers"] == "{}"
