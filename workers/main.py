"""The worker's Celery app. `python -m workers` starts it, and so does `celery --app workers.main worker`."""

import gc
import logging
import sys

import structlog
from celery.signals import setup_logging, worker_ready

from config.environment import trust_certificates
from config.error_reports import open_reports
from config.fingerprint import take_fingerprint
from config.loader import SettingsError, read_settings
from config.logging import set_up_logging
from service.queue import queue_problem
from service.records.processes import Processes
from service.records.redis import Store, connect
from workers.app import build
from workers.reload import keep_settings

try:
    _settings = read_settings()
except SettingsError as error:
    sys.exit(str(error))

set_up_logging(_settings.log_format, _settings.log_level)
for _warning in _settings.warnings:
    structlog.get_logger().warning("settings.warning", problem=_warning)
# Celery uses the warnings module, for example when it runs as root. The log should have those lines too.
logging.captureWarnings(capture=True)
# With a receiver connected, Celery leaves logging alone. Otherwise it would replace ours.
setup_logging.connect(lambda **_: None, weak=False)

trust_certificates(_settings.certificates)
open_reports(_settings.sentry_dsn, "worker")
_client = connect(_settings.redis_url, replicas=_settings.redis_replicas)
if _problem := Store(_client).unusable():
    sys.exit(f"REDIS_URL can't be used: {_problem}.")
app = build(_settings)
_processes = Processes(
    _client,
    take_fingerprint(_settings),
    queue_problem=queue_problem,
    calls=app.call_counts.totals,
    surveys_file=_settings.surveys_file.text,
)
worker_ready.connect(lambda **_: _processes.report("worker"), weak=False)
# Everything imported stays until the end. Without this, each full garbage collection looks through it again.
worker_ready.connect(lambda **_: gc.freeze(), weak=False)
keep_settings(report=_processes.set_problem)
