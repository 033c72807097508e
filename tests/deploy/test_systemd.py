"""systemd's own checks of the units, and gunicorn's readiness message."""

import shutil
import socket
from pathlib import Path

import pytest

from tests.deploy.manifests import DEPLOY, ROOT, UNITS, option
from tests.deploy.tools import run
from tests.processes import BIN, Afterword, RedisServer

MAX_EXPOSURE = "15"
"""In tenths of systemd's scale from 0 to 10. What is left is the network, and the file system to read."""


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """Copy the units and their sandbox, with the programs of this machine."""
    shutil.copytree(DEPLOY / "systemd", tmp_path, dirs_exist_ok=True)
    for unit in (found := sorted(tmp_path.glob("*.service"))):
        text = unit.read_text(encoding="utf-8").replace("/opt/afterword/.venv/bin", str(BIN))
        unit.write_text(text.replace("/opt/afterword", str(ROOT)), encoding="utf-8")
    return found


def test_units_are_valid(units: list[Path]) -> None:
    sockets = [each.with_suffix(".socket") for each in units if each.stem == "afterword-web"]
    assert run("systemd-analyze", "verify", "--man=no", "--generators=no", *units, *sockets) == ""


def test_units_are_sandboxed(units: list[Path]) -> None:
    for unit in units:
        run("systemd-analyze", "security", "--offline=yes", f"--threshold={MAX_EXPOSURE}", unit)


def test_web_tells_systemd_that_it_is_ready(tmp_path: Path, redis_server: RedisServer) -> None:
    assert option(UNITS["web"], "Type") == "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(tmp_path / "notify"))
        notified.settimeout(60)
        environ = {"REDIS_URL": redis_server.new_database(), "NOTIFY_SOCKET": str(tmp_path / "notify")}
        afterword = Afterword(tmp_path, environ).start("web")
        try:
            assert notified.recv(1000).startswith(b"READY=1")
        finally:
            afterword.kill("web")
