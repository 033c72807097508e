"""A worker ends at once on SIGTERM. After a HUP, it ends when the new workers are ready."""

import signal
from collections.abc import Iterator
from types import SimpleNamespace

import gevent  # type: ignore[import-untyped]
import pytest

from service.web import gunicorn_hooks
from service.web.connections import Worker
from tests.processes import settings_for

CFG = SimpleNamespace(workers=2)
NEW = [SimpleNamespace(age=age, cfg=CFG) for age in (3, 4)]


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker.__new__(Worker)
    worker.alive = True
    yield worker
    for each in NEW:
        gunicorn_hooks.post_worker_init(each)


def test_worker_ends_on_sigterm(worker: Worker) -> None:
    worker.handle_exit(signal.SIGTERM, None)
    gevent.sleep()
    assert not worker.alive


def test_worker_serves_after_hup_until_new_workers_are_ready(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_for("redis://localhost")
    monkeypatch.setattr(gunicorn_hooks, "_kept", gunicorn_hooks.Kept(settings))
    monkeypatch.setattr(gunicorn_hooks, "read_settings", lambda: settings)
    monkeypatch.setattr(gunicorn_hooks, "_set_up_logging", lambda: None)
    gunicorn_hooks.on_reload(SimpleNamespace(cfg=CFG))
    worker.handle_exit(signal.SIGTERM, None)
    for each in NEW:
        gevent.sleep(0.2)
        assert worker.alive
        gunicorn_hooks.post_worker_init(each)
    gevent.wait(timeout=30)
    assert not worker.alive


def test_worker_waits_for_new_workers_at_most_for_the_handover(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.web.connections.HANDOVER_SECONDS", 0.2)
    gunicorn_hooks._pending[0] = 1
    worker.handle_exit(signal.SIGTERM, None)
    gevent.wait(timeout=30)
    assert not worker.alive
