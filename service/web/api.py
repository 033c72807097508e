"""`/api/v1`: surveys and answers for programs that have API_READ_TOKEN. It is imported only if that is set.

An error is JSON with the field (null if there is none), the problem, and the way out.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NoReturn
from urllib.parse import urlencode

import structlog
from flask import Blueprint, Response, abort, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from service.archive.engine import ArchiveUnavailable
from service.archive.extract import ANSWERS, SURVEYS, CursorError, Extract, Start, read_page, read_since
from service.archive.formats import jsonable, write_csv
from service.dixa.outage import read_down_since
from service.records.history import Histories
from service.records.names import Names, NamesInDixa
from service.records.redis import RecordsUnavailable
from service.rules.survey_facts import tell_facts
from service.surveys.conversation_names import read_conversation_id
from service.web import failed_requests
from service.web.archive_access import read_archive
from service.web.bearer_token import has_token
from service.web.services import services

bp = Blueprint("api", __name__, url_prefix="/api/v1")
log = structlog.get_logger()

_MAX_LIMIT: Final = 5000
_DEFAULT_LIMIT: Final = 1000
_RETRY_AFTER: Final = "30"
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of a list."""

    start: Start
    limit: int
    format: str


@bp.before_request
def check_token() -> None:
    """Refuse a request without the token."""
    if request.method == "OPTIONS" or has_token(request, services().settings.api_read_token or ""):
        return
    if failed_requests.is_over_limit():
        abort(failed_requests.refuse(_problem(429, "Authorization", failed_requests.PROBLEM, "Wait a minute.")))
    response = _problem(401, "Authorization", "The token is missing or wrong.", "Send `Bearer` and API_READ_TOKEN.")
    response.headers["WWW-Authenticate"] = "Bearer"
    abort(response)


@bp.get("/surveys/<conversation>")
def show_survey(conversation: str) -> ResponseReturnValue:
    """Return what `afterword why --json` says of a conversation."""
    core, number = services(), read_conversation_id(conversation)
    if number is None:
        _refuse(400, "conversation", "It is not a conversation.", "Write its number, such as 48201.")
    traits_of = core.identities.kinds_of
    found = Histories.beside(core.records).load_history(number, traits_of, [core.outage.down_key])
    if not found.rounds:
        _refuse(
            404,
            "conversation",
            f"There is no record of conversation {number}: no close was accepted for it, or its record has expired.",
            f"To ask about it: afterword ask {number}",
        )
    facts = tell_facts(found.rounds, found.paused_since, read_down_since(found.values[0]))
    return Response(_dump(facts), content_type=_JSON)


@bp.get("/surveys")
def list_surveys() -> ResponseReturnValue:
    """Return a page of surveys, by the time of the close."""
    return _respond(SURVEYS)


@bp.get("/answers")
def list_answers() -> ResponseReturnValue:
    """Return a page of answers, by the time of the answer."""
    return _respond(ANSWERS)


def _respond(extract: Extract) -> Response:
    url = services().settings.archive_url
    query = _read_query(request.args)
    if url is None:
        _refuse(404, None, "There is no archive.", "Set ARCHIVE_URL.")
    names = Names.beside(services().records).read()
    body, next_cursor = read_archive(url, _render, extract, query, names)
    content_type = "text/csv; charset=utf-8" if query.format == "csv" else _JSON
    response = Response(body, content_type=content_type)
    if next_cursor:
        given = urlencode({"cursor": next_cursor, "limit": query.limit, "format": query.format})
        response.headers["Link"] = f'<{services().settings.public_url}{request.path}?{given}>; rel="next"'
    return response


def _render(engine: Any, extract: Extract, query: Query, names: NamesInDixa) -> tuple[bytes, str | None]:
    """Return the body of a page and its next cursor. Both the query and the JSON of thousands of rows take time."""
    page = read_page(engine, extract, query.start, query.limit, names)
    if query.format == "csv":
        # One header for all pages, so that they can be put together.
        body = b"".join(write_csv(extract, page.rows, with_header=query.start.cursor is None))
    else:
        rows = [jsonable(extract, row) for row in page.rows]
        body = _dump({extract.name: rows, "next_cursor": page.next_cursor})
    return body, page.next_cursor


def _dump(data: Mapping[str, Any]) -> bytes:
    """Return JSON with the fields in their order."""
    return json.dumps(data, ensure_ascii=False).encode()


def _read_query(given: Mapping[str, str]) -> Query:
    for name in given:
        if name not in {"since", "cursor", "limit", "format"}:
            _refuse(400, name, "There is no such parameter.", "Use since, cursor, limit and format.")
    kind, limit = given.get("format", "json"), given.get("limit", str(_DEFAULT_LIMIT))
    if kind not in {"json", "csv"}:
        _refuse(400, "format", "It is unknown.", "Write json or csv. For Parquet: afterword export --parquet")
    if not re.fullmatch(r"[0-9]{1,4}", limit) or not 1 <= int(limit) <= _MAX_LIMIT:
        _refuse(400, "limit", "It is out of range.", f"Write a number from 1 to {_MAX_LIMIT}.")
    try:
        since = read_since(given["since"], datetime.now(UTC)) if "since" in given else None
    except ValueError as error:
        problem, _, remedy = str(error).partition(". ")
        _refuse(400, "since", f"It {problem}.", remedy)
    return Query(Start(since, given.get("cursor")), int(limit), kind)


def _refuse(status: int, field: str | None, problem: str, remedy: str) -> NoReturn:
    abort(_problem(status, field, problem, remedy))


def _problem(status: int, field: str | None, problem: str, remedy: str) -> Response:
    response = jsonify(field=field, problem=problem, remedy=remedy)
    response.status_code = status
    return response


@bp.errorhandler(CursorError)
def _no_cursor(_error: CursorError) -> Response:
    return _problem(400, "cursor", "It is no cursor of this list.", "Send next_cursor of the page before, unchanged.")


@bp.errorhandler(RecordsUnavailable)
@bp.errorhandler(ArchiveUnavailable)
def _unavailable(error: Exception) -> Response:
    log.warning("api.unavailable", problem=str(error))
    what = "The archive" if isinstance(error, ArchiveUnavailable) else "Redis"
    response = _problem(503, None, f"{what} can't be read.", "Try again in a moment. See also: afterword doctor")
    response.headers["Retry-After"] = _RETRY_AFTER
    return response


@bp.errorhandler(HTTPException)
def _refused(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None:
        return error.response
    return _problem(error.code or 400, None, error.description or error.name, "See /openapi.yaml.")
