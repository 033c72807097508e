"""The web: `gunicorn tests.bench.naive.web:app`."""

import hmac
import os
from http import HTTPStatus
from time import time
from typing import Any

import redis
from flask import Flask, Response, abort, request
from flask.typing import ResponseReturnValue
from itsdangerous import BadData
from marshmallow import EXCLUDE, Schema, ValidationError, fields

from tests.bench.naive.tasks import REDIS_URL, links, offer, submit

_KEYS = [bytes.fromhex(key) for key in os.environ.get("DIXA_WEBHOOK_SECRETS", "").split(",") if key]
_TOLERANCE_SECONDS = 300
_REMEMBERED_SECONDS = 90 * 24 * 3600
_PAGE = '<form method="post"><input name="rating" required><textarea name="comment"></textarea><button>Send</button>'

store = redis.Redis.from_url(REDIS_URL)
app = Flask(__name__)


class _FromDixa(Schema):
    class Meta:
        unknown = EXCLUDE


def _part(**parts: fields.Field[Any]) -> fields.Nested:
    return fields.Nested(_FromDixa.from_dict(parts), load_default=None, allow_none=True)


def _text() -> fields.String:
    return fields.String(load_default=None, allow_none=True)


class _ConversationSchema(_FromDixa):
    csid = fields.Integer(required=True)
    channel = _text()
    direction = _text()
    queue = _part(id=_text(), name=_text())
    contact_point = _text()
    requester = _part(id=_text(), email=_text(), phone=_text(), user_type=_text())
    assignee = _part(id=_text(), user_type=_text())
    tags = fields.List(_part(name=_text()), load_default=())


class _DataSchema(_FromDixa):
    conversation = fields.Nested(_ConversationSchema, required=True)


class _EventSchema(_FromDixa):
    event_id = _text()
    event_fqn = fields.String(required=True)
    event_timestamp = fields.AwareDateTime(load_default=None)
    data = fields.Nested(_DataSchema, required=True)


_EVENT = _EventSchema()


@app.post("/webhooks/dixa")
def receive() -> ResponseReturnValue:
    """Queue the survey of a closed conversation, once."""
    raw = request.get_data()
    if not _is_signed(raw, request.headers.get("X-DIXA-SIGNATURE", "")):
        abort(HTTPStatus.UNAUTHORIZED)
    try:
        event = _EVENT.loads(raw)
    except (ValidationError, ValueError):
        abort(HTTPStatus.BAD_REQUEST)
    found = event["data"]["conversation"]
    if event["event_fqn"] == "CONVERSATION_CLOSED" and found["requester"] and found["assignee"]:
        number = found["csid"]
        if store.set(f"seen:{number}", 1, nx=True, ex=_REMEMBERED_SECONDS):
            offer.delay(number, found["requester"]["id"], found["assignee"]["id"])
    return {"status": "accepted"}, HTTPStatus.ACCEPTED


def _is_signed(raw: bytes, header: str) -> bool:
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    moment = parts.get("t", "")
    if not moment.isdigit() or abs(time() - int(moment) / 1000) > _TOLERANCE_SECONDS:
        return False
    made = (hmac.new(key, moment.encode() + b"." + raw, "sha256").hexdigest() for key in _KEYS)
    return any(hmac.compare_digest(each, parts.get("v1", "")) for each in made)


@app.get("/s/<token>")
def show(token: str) -> ResponseReturnValue:
    """Show the form."""
    _read(token)
    return _PAGE


@app.post("/s/<token>")
def answered(token: str) -> ResponseReturnValue:
    """Queue the first answer."""
    number, rating_id = _read(token)
    score = request.form.get("rating", type=int)
    if score not in range(1, 6):
        abort(HTTPStatus.BAD_REQUEST)
    if store.set(f"answered:{rating_id}", 1, nx=True, ex=_REMEMBERED_SECONDS):
        submit.delay(number, rating_id, score, request.form.get("comment", ""))
    return Response("Thank you")


def _read(token: str) -> tuple[int, str]:
    try:
        number, rating_id = links.loads(token)
    except BadData:
        abort(HTTPStatus.NOT_FOUND)
    return number, rating_id
