"""Entry point of the web: `gunicorn service.web.main:app`, as in the Procfile."""

import structlog

from config.environment import trust_certificates
from config.error_reports import open_reports
from config.logging import set_up_logging
from service.web.app import create_app
from service.web.gunicorn_hooks import kept_settings, refuse_to_start
from service.web.log_redaction import count_unreadable_requests, log_greenlet_failures, redact_tokens_in
from service.web.services import Services

_kept = kept_settings()
_settings = _kept.settings
set_up_logging(_settings.log_format, _settings.log_level)
redact_tokens_in("gunicorn.error", "gunicorn.access")
log_greenlet_failures()
for _warning in _settings.warnings:
    structlog.get_logger().warning("settings.warning", problem=_warning)
if _kept.problem:
    structlog.get_logger().error("settings.refused", problem=_kept.problem, kept="previous settings")

trust_certificates(_settings.certificates)
open_reports(_settings.sentry_dsn, "web")
app = _kept.app or create_app(_settings)
_core: Services = app.extensions["afterword"]
count_unreadable_requests("gunicorn.error", _core.rejections)
for _problem in _core.prepare():
    if _kept.are_new:
        refuse_to_start(_problem)
    structlog.get_logger().error("start.problem", problem=_problem)
_core.recovery.loop.start("recovery")
_core.processes.report("web", _kept.problem)
