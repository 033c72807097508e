"""The tools are fetched from the configured registry with the pinned hash, and CI fails without them."""

import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from flask import Flask, Response

from tests.browser import tools
from tests.browser.conftest import serving


def test_missing_tool_skips_tests_locally_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tools.ToolMissing("axe-core is not here")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="axe-core is not here"):
        tools.skip_without(missing)
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="axe-core is not here"):
        tools.skip_without(missing)


def test_axe_core_with_another_hash_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    registry, requested = Flask("registry"), []
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as package:
        package.addfile(tarfile.TarInfo("package/axe.min.js"))

    @registry.get("/<path:path>")
    def serve_package(path: str) -> Response:
        requested.append(path)
        return Response(packed.getvalue())

    with serving(registry) as url:
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"{url}/")
        with pytest.raises(tools.ToolMissing, match="its hash"):
            tools.fetch_axe(tmp_path / "axe.min.js")
    assert requested == ["axe-core/-/axe-core-4.14.1.tgz"]
    assert not (tmp_path / "axe.min.js").exists()


def test_lock_file_has_a_hash_for_each_package_and_no_host() -> None:
    lock = (tools.HERE / tools.LOCK).read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert lock.count('"integrity": "sha512-') == lock.count('    "node_modules/')
