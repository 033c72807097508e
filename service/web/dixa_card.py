"""`/cards/dixa`: the data of a Dixa Custom Card, for one customer. Only with `DIXA_CARD_TOKEN`.

A customer is found by the hashes of their address, and of the requester in the conversation with the card. No index
leads from a person to their surveys, so only those are known that the cooldown slots of these hashes name.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, unquote

import structlog
from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, HTTPException, Unauthorized, UnsupportedMediaType

from service.records.queries import LastAsked
from service.records.redis import RecordsUnavailable
from service.surveys.mailbox import read_address
from service.surveys.model import Record
from service.web import failed_requests
from service.web.bearer_token import has_token
from service.web.card_content import CardFacts, make_card
from service.web.request_body import read_body
from service.web.services import Services, services

bp = Blueprint("dixa_card", __name__)
log = structlog.get_logger()

_MAX_BODY_BYTES = 4096
_MAX_FIELDS = 10
_FORM = "application/x-www-form-urlencoded"
_PLACEHOLDER = re.compile(r"\s*|\{\{.*\}\}")
"""What Dixa may leave of a placeholder without a value."""
_CSID = re.compile(r"[0-9]{1,18}")


@bp.route("/cards/dixa", methods=["GET", "POST"])
def show() -> ResponseReturnValue:
    """Return the card of a customer."""
    _check_token()
    given = request.args if request.method == "GET" else _read_form()
    email, conversation = (_value(given, name) for name in ("email", "conversation"))
    if "email" not in given and "conversation" not in given:
        raise BadRequest("Send `email` ({{customer_email}}), `conversation` ({{csid}}), or both.")
    if conversation and not _CSID.fullmatch(conversation):
        raise BadRequest("`conversation` is not a number. Send {{csid}}.")
    return jsonify(afterword=make_card(_find(services(), _address(email), int(conversation or 0))))


def _check_token() -> None:
    if not has_token(request, services().settings.dixa_card_token or ""):
        raise Unauthorized("Send DIXA_CARD_TOKEN as a bearer token.")


def _read_form() -> Mapping[str, str]:
    raw = read_body(request, _MAX_BODY_BYTES)
    if request.mimetype != _FORM:
        raise UnsupportedMediaType(f"Send {_FORM}.")
    try:
        return dict(parse_qsl(raw.decode(errors="replace"), keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError:
        raise BadRequest(f"The form has more than {_MAX_FIELDS} fields.") from None


def _value(given: Mapping[str, str], name: str) -> str:
    text = given.get(name, "").strip()
    return "" if _PLACEHOLDER.fullmatch(text) else text


def _address(text: str) -> str | None:
    """Return the address, however it was encoded: Dixa's docs leave open where it is. In a query, + means a space."""
    decoded = unquote(text) if "@" not in text else text
    return read_address(decoded.replace(" ", "+"))


def _find(core: Services, email: str | None, conversation_id: int) -> CardFacts:
    records = core.records
    here = next(records.load_rounds(conversation_id), None) if conversation_id else None
    close = here.close if here else None
    hashes = tuple(dict.fromkeys((*core.identities.hashes_of(None, email), *(close.person if close else ()))))
    asked = records.last_asked(hashes)
    traits = (*([close.requester_id] if close and close.requester_id else ()), *hashes)
    opted_out = core.opt_outs.find(traits)
    return CardFacts(
        at=records.now(),
        zone=core.settings.time_zone,
        conversation=here,
        surveys=_load(core, asked.survey_ids, here),
        is_opted_out=bool(opted_out),
        opted_out_at=max((each for each in opted_out.values() if each), default=None),
        cooldown_until=_cooldown_until(asked, [survey.cooldown for survey in core.settings.surveys]),
    )


def _load(core: Services, survey_ids: Sequence[str], here: Record | None) -> list[Record]:
    others = core.records.load_all([each for each in survey_ids if not here or each != here.survey_id])
    found = [*([here] if here else ()), *others]
    return sorted(found, key=lambda each: each.decided_at or each.accepted_at, reverse=True)


def _cooldown_until(asked: LastAsked, cooldowns: Sequence[timedelta]) -> datetime | None:
    """Return when the survey with the shortest cooldown may be sent again."""
    return asked.at + min(cooldowns) if asked.at else None


@bp.errorhandler(Unauthorized)
def _unauthorized(error: Unauthorized) -> Response:
    if failed_requests.is_over_limit():
        return failed_requests.refuse(_refused_with(failed_requests.PROBLEM, 429))
    response = _refused_with(error.description or "", 401)
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


@bp.errorhandler(RecordsUnavailable)
def _unavailable(error: RecordsUnavailable) -> Response:
    log.warning("card.unavailable", problem=str(error))
    response = _refused_with("Redis can't be reached. Try again in a moment.", 503)
    response.headers["Retry-After"] = "30"
    return response


@bp.errorhandler(HTTPException)
def _refused(error: HTTPException) -> Response:
    return _refused_with(error.description or "Bad request.", error.code or 400)


def _refused_with(problem: str, status: int) -> Response:
    response = jsonify(problem=problem)
    response.status_code = status
    return response
