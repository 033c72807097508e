"""`POST /webhooks/dixa`: verifies, parses and saves an event. It responds 2xx only once the event is written."""

from datetime import UTC, datetime

import structlog
from flask import Blueprint, Request, Response, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, UnsupportedMediaType

from service.dixa.authorization import check_authorization
from service.dixa.events import Event, load_event
from service.dixa.payloads import PayloadError
from service.dixa.signature import HEADER, SignatureError, read_signature, verify
from service.intake.intake import NotKept
from service.records.outcomes import Outcome
from service.surveys.model import Change
from service.web import failed_requests
from service.web.request_body import read_body
from service.web.services import services

bp = Blueprint("webhooks", __name__)
log = structlog.get_logger()

MAX_BODY_BYTES = 256 * 1024


@bp.post("/webhooks/dixa")
def receive() -> ResponseReturnValue:
    """Receive an event of Dixa."""
    event = _verified_event(request)
    services().last_webhook.note()
    if event.change:
        return _take_change(event, event.change)
    if event.close is None:
        log.info("webhook.ignored", event_id=event.id, event_name=event.name)
        return jsonify(status="ignored", event=event.name)
    with structlog.contextvars.bound_contextvars(event_id=event.id, conversation_id=event.close.conversation_id):
        outcome = services().intake.take_close(event.close)
    if outcome is Outcome.DUPLICATE:
        return jsonify(status="duplicate")
    return _accepted()


def _take_change(event: Event, change: Change) -> ResponseReturnValue:
    with structlog.contextvars.bound_contextvars(event_id=event.id, conversation_id=change.conversation_id):
        is_kept = services().intake.take_change(change)
    return _accepted() if is_kept else jsonify(status="ignored", event=event.name)


def _accepted() -> Response:
    return Response('{"status":"accepted"}\n', 202, content_type="application/json")


def _verified_event(incoming: Request) -> Event:
    if incoming.mimetype != "application/json":
        raise UnsupportedMediaType("Send application/json.")
    now = datetime.now(UTC)
    settings = services().settings
    # The headers first: without them the body isn't read.
    signature = read_signature(incoming.headers.get(HEADER), now=now, tolerance=settings.webhook_tolerance)
    check_authorization(incoming.headers.get("Authorization"), settings.webhook_authorizations or ())
    raw = read_body(incoming, MAX_BODY_BYTES)
    verify(raw, signature, settings.webhook_secrets)
    return load_event(raw, now)


def _rejected(problem: str, status: int) -> Response:
    services().rejections.note("webhook.rejected", problem, status=status)
    response = jsonify(status="rejected", problem=problem)
    response.status_code = status
    return response


@bp.errorhandler(SignatureError)
def _unsigned(error: SignatureError) -> Response:
    if error.hint:
        services().rejections.suspect(error.hint)
    if failed_requests.is_over_limit():
        return failed_requests.refuse(_rejected(failed_requests.PROBLEM, 429))
    return _rejected(str(error), 401)


@bp.errorhandler(PayloadError)
def _malformed(error: PayloadError) -> Response:
    return _rejected(str(error), 400)


@bp.errorhandler(NotKept)
def _unavailable(error: NotKept) -> Response:
    log.error("webhook.not_saved", problem=str(error))
    response = _rejected("The event could not be kept. Please send it again.", 503)
    response.headers["Retry-After"] = "30"
    return response


@bp.errorhandler(RequestEntityTooLarge)
def _too_large(_error: RequestEntityTooLarge) -> Response:
    return _rejected(f"The body is larger than {MAX_BODY_BYTES // 1024} KiB.", 413)


@bp.errorhandler(HTTPException)
def _refused(error: HTTPException) -> Response:
    return _rejected(error.description or "Bad request.", error.code or 400)


@bp.errorhandler(Exception)
def _failed(error: Exception) -> Response:
    log.error("webhook.failed", exc_info=error)
    response = jsonify(status="rejected", problem="Something went wrong on our side. Please send it again.")
    response.status_code = 500
    return response
