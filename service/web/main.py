"""The web's entry: `gunicorn service.web.main:app`, as the Procfile says."""

import sys
from typing import NoReturn

import structlog

from config.logging import set_up_logging
from config.settings import SettingsError, read_settings
from service.surveys.spool import SpoolUnavailable
from service.web.app import create_app
from service.web.discretion import hide_links_in
from service.web.seams import Seams

_CANT_START = 4
"""With this status gunicorn ends too; with any other it would start the same worker again, for ever."""


def _refuse_to_start(problem: str) -> NoReturn:
    sys.stderr.write(f"{problem}\n")
    sys.exit(_CANT_START)


try:
    _settings = read_settings()
except SettingsError as error:
    _refuse_to_start(str(error))

set_up_logging(_settings.log_format, _settings.log_level)
hide_links_in("gunicorn.error")
for _warning in _settings.warnings:
    structlog.get_logger().warning("settings.warning", problem=_warning)

app = create_app(_settings)
_core: Seams = app.extensions["afterword"]
if _core.spool:
    try:
        _core.spool.prepare()
    except SpoolUnavailable as error:
        _refuse_to_start(f"SPOOL_DIR can't be written: {error}. Name a folder that can, or write SPOOL_DIR=off.")
_core.recovery.start()
