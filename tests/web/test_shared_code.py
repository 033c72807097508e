"""gunicorn's master imports the web's code before its children patch the standard library for gevent."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask

from service.web import gunicorn_hooks
from tests.processes import settings_for
from tests.web.test_gunicorn_config import environ_for

PROGRAM = """
import json, os, sys
from dataclasses import replace
from pathlib import Path
from gevent import monkey
from service.web import connections, gunicorn_hooks

settings = gunicorn_hooks.kept_settings().settings
gunicorn_hooks.share_app(replace(settings, certificates=Path("authorities.pem")))
imported = dict(sys.modules)
monkey.patch_all()
originals = {id(each): name for of in monkey.saved.values() for name, each in of.items() if callable(each)}
kept = [
    [module, originals[id(each)]]
    for module, loaded in imported.items()
    for each in vars(loaded).values()
    if id(each) in originals
]
print(json.dumps({"kept": kept, "modules": list(imported), "certificates": os.environ.get("SSL_CERT_FILE")}))
"""
OURS = ("config", "service", "flask", "gunicorn", "jinja2", "redis", "werkzeug")


def test_code_of_the_master_keeps_no_blocking_function(tmp_path: Path) -> None:
    command, environ = [sys.executable, "-W", "error", "-c", PROGRAM], environ_for(tmp_path)
    ran = subprocess.run(command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, check=True)
    found = json.loads(ran.stdout)
    kept = {(module, name) for module, name in found["kept"] if module.partition(".")[0] in OURS}
    # redis-py waits between tries there. Ours follow at once.
    assert kept == {("redis.retry", "sleep")}
    assert "service.web.app" in found["modules"]
    # A HUP reads the environment again.
    assert found["certificates"] is None


def test_only_children_of_the_start_use_the_app_of_the_master(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = gunicorn_hooks.Kept(settings_for("redis://h"), app=Flask(__name__))
    for age, app in ((1, kept.app), (2, kept.app), (3, None)):
        monkeypatch.setattr(gunicorn_hooks, "_kept", kept)
        gunicorn_hooks.post_fork(SimpleNamespace(cfg=SimpleNamespace(workers=2)), SimpleNamespace(age=age))
        assert gunicorn_hooks.kept_settings().app is app
