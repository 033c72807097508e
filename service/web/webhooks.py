"""`POST /webhooks/dixa`: verifies, parses and saves an event. It responds 2xx only once the event is written."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.wrappers import Request

from service.dixa.events import Event, load_event
from service.dixa.payloads import PayloadError
from service.dixa.signature import HEADER, SignatureError, read_signature, verify
from service.intake.intake import NotKept
from service.records.outcomes import Outcome
from service.surveys.model import Change, Close
from service.web.host_check import HostCheck
from service.web.request_body import read_body
from service.web.security_headers import security_headers
from service.web.services import Services

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger()

PATH = "/webhooks/dixa"
MAX_BODY_BYTES = 256 * 1024

_Reply = tuple[HTTPStatus, dict[str, str]]


class Webhooks:
    """WSGI middleware that responds to webhooks. Flask's routing, contexts and hooks would double the work for one."""

    def __init__(self, app: "WSGIApplication", core: Services, refuse_other_hosts: HostCheck) -> None:
        self._app = app
        self._core = core
        self._refuse_other_hosts = refuse_other_hosts
        self._headers = [("Content-Type", "application/json"), *security_headers(core.settings.public_url)]

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Handle a request."""
        if environ["PATH_INFO"] != PATH or environ["REQUEST_METHOD"] != "POST":
            return self._app(environ, start_response)
        status, content = self._respond(Request(environ))
        body = json.dumps(content, separators=(",", ":")).encode() + b"\n"
        headers = [*self._headers, ("Content-Length", str(len(body)))]
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            headers.append(("Retry-After", "30"))
        start_response(f"{status.value} {status.phrase.upper()}", headers)
        return [body]

    def _respond(self, incoming: Request) -> _Reply:
        try:
            self._refuse_other_hosts(incoming.environ.get("HTTP_HOST", ""))
            return self._receive(self._verified_event(incoming))
        except SignatureError as error:
            if error.hint:
                self._core.rejections.suspect(error.hint)
            return self._reject(str(error), HTTPStatus.UNAUTHORIZED)
        except PayloadError as error:
            return self._reject(str(error), HTTPStatus.BAD_REQUEST)
        except NotKept as error:
            log.error("webhook.not_saved", problem=str(error))  # noqa: TRY400 - an outage needs no traceback
            problem = "The event could not be kept. Please send it again."
            return self._reject(problem, HTTPStatus.SERVICE_UNAVAILABLE)
        except RequestEntityTooLarge:
            problem = f"The body is larger than {MAX_BODY_BYTES // 1024} KiB."
            return self._reject(problem, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except HTTPException as error:
            return self._reject(error.description or "Bad request.", HTTPStatus(error.code or 400))
        except Exception:
            log.exception("webhook.failed")
            problem = "Something went wrong on our side. Please send it again."
            return HTTPStatus.INTERNAL_SERVER_ERROR, {"problem": problem, "status": "rejected"}

    def _verified_event(self, incoming: Request) -> Event:
        if incoming.mimetype != "application/json":
            raise UnsupportedMediaType("Send application/json.")
        now = datetime.now(UTC)
        settings = self._core.settings
        # The signature's header first: without it the body isn't read.
        signature = read_signature(incoming.headers.get(HEADER), now=now, tolerance=settings.webhook_tolerance)
        raw = read_body(incoming, MAX_BODY_BYTES)
        verify(raw, signature, settings.webhook_secrets)
        return load_event(raw, now)

    def _receive(self, event: Event) -> _Reply:
        if event.change:
            return self._take_change(event, event.change)
        if event.close is None:
            log.info("webhook.ignored", event_id=event.id, event_name=event.name)
            return _ignore(event)
        return self._take_close(event, event.close)

    def _take_close(self, event: Event, close: Close) -> _Reply:
        with structlog.contextvars.bound_contextvars(event_id=event.id, conversation_id=close.conversation_id):
            outcome = self._core.intake.take_close(close)
        if outcome is Outcome.DUPLICATE:
            return HTTPStatus.OK, {"status": "duplicate"}
        return HTTPStatus.ACCEPTED, {"status": "accepted"}

    def _take_change(self, event: Event, change: Change) -> _Reply:
        with structlog.contextvars.bound_contextvars(event_id=event.id, conversation_id=change.conversation_id):
            is_kept = self._core.intake.take_change(change)
        return (HTTPStatus.ACCEPTED, {"status": "accepted"}) if is_kept else _ignore(event)

    def _reject(self, problem: str, status: HTTPStatus) -> _Reply:
        self._core.rejections.note("webhook.rejected", problem, status=status.value)
        return status, {"problem": problem, "status": "rejected"}


def _ignore(event: Event) -> _Reply:
    return HTTPStatus.OK, {"event": event.name, "status": "ignored"}
