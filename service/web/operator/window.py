"""Adds the window to the app, with all its views."""

from flask import Flask

from service.web.operator import answers, failed, funnel, results, set_up, story, today
from service.web.operator.blueprint import DOOR, bp
from service.web.operator.login import Door
from service.web.services import Services

VIEWS = (today, funnel, results, answers, story, failed, set_up)
"""The modules of the views. Importing one adds its routes to the blueprint."""


def add_window(app: Flask, core: Services) -> None:
    """Add the window to the app."""
    app.extensions[DOOR] = Door(core.settings, core.failure_guard, core.rejections)
    app.register_blueprint(bp)
