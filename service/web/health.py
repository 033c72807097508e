"""`/`, `/healthz` and `/readyz`: for people who lost their way, and for whatever watches the process."""

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue

from service.surveys.records import RecordsUnavailable
from service.web.seams import seams

bp = Blueprint("health", __name__)


@bp.get("/")
def home() -> ResponseReturnValue:
    """Say what this is, nothing more."""
    return Response("This host serves customer-satisfaction surveys.\n", content_type="text/plain; charset=utf-8")


@bp.get("/healthz")
def alive() -> ResponseReturnValue:
    """The process answers."""
    return jsonify(status="ok")


@bp.get("/readyz")
def ready() -> ResponseReturnValue:
    """Ready is able to accept; each part that is degraded is named."""
    try:
        seams().records.ping()
    except RecordsUnavailable as error:
        return jsonify(status="unavailable", degraded={"redis": str(error)}), 503
    return jsonify(status="ready", degraded={})
