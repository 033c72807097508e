"""`/openapi.yaml`: the description of all routes and webhooks, the same from every installation."""

from functools import cache
from pathlib import Path

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue

bp = Blueprint("description", __name__)

_FILE = Path(__file__).with_name("openapi.yaml")


@bp.get("/openapi.yaml")
def describe() -> ResponseReturnValue:
    """Return the description."""
    return Response(_read(), content_type="application/yaml")


@cache
def _read() -> bytes:
    return _FILE.read_bytes()
