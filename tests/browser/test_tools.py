"""The tools for the pages come from the right place, and CI skips no test without them."""

import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from flask import Flask, Response

from tests.browser import tools
from tests.browser.conftest import serving


def test_what_is_missing_is_skipped_here_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tools.ToolMissing("axe-core is not here")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="axe-core is not here"):
        tools.skip_without(missing)
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="axe-core is not here"):
        tools.skip_without(missing)


def test_an_axe_core_that_is_not_the_pinned_one_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    registry, asked = Flask("registry"), []
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as package:
        package.addfile(tarfile.TarInfo("package/axe.min.js"))

    @registry.get("/<path:path>")
    def answer(path: str) -> Response:
        asked.append(path)
        return Response(packed.getvalue())

    with serving(registry) as url:
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"{url}/")
        with pytest.raises(tools.ToolMissing, match="isn't what"):
            tools.fetch_axe(tmp_path / "axe.min.js")
    assert asked == ["axe-core/-/axe-core-4.14.1.tgz"]
    assert not (tmp_path / "axe.min.js").exists()


def test_the_lock_names_no_host_and_has_a_hash_for_everything() -> None:
    lock = (tools.HERE / tools.LOCK).read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert lock.count('"integrity": "sha512-') == lock.count('    "node_modules/')
