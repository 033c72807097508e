"""The worker's entry: `celery -A workers.main worker`, as the Procfile says."""

import logging
import sys

import structlog
from celery.signals import setup_logging

from config.logging import set_up_logging
from config.settings import SettingsError, read_settings
from workers.app import build

try:
    _settings = read_settings()
except SettingsError as error:
    sys.exit(str(error))

set_up_logging(_settings.log_format, _settings.log_level)
for _warning in _settings.warnings:
    structlog.get_logger().warning("settings.warning", problem=_warning)
# Celery warns of being run as root, for one: such a line belongs to the log as well.
logging.captureWarnings(capture=True)
# Celery would set up its own logging over ours.
setup_logging.connect(lambda **_: None, weak=False)

app = build(_settings)
