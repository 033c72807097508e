"""Control routes under `/_sandbox`, for tests in another process and for curl.

They need no token, since the sandbox listens on the loopback address by default.
"""

from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from service.sandbox.dixa.faults import Fault, Kind
from service.sandbox.dixa.model import Conversation, Person, iso
from service.sandbox.dixa.state import Refused
from service.sandbox.fake_dixa import FakeDixa

_MAX_AT_ONCE = 10_000
_MAKEABLE = {"channel", "language", "agent", "queue", "tags", "direction", "subject", "state"}


def control_blueprint(dixa: FakeDixa) -> Blueprint:
    """Make the control routes."""
    blueprint = Blueprint("control", __name__, url_prefix="/_sandbox")
    blueprint.register_error_handler(Refused, lambda refusal: (_problem(refusal.message), refusal.status))
    _route_state(blueprint, dixa)
    _route_conversations(blueprint, dixa)
    _route_faults(blueprint, dixa)
    return blueprint


def _route_state(blueprint: Blueprint, dixa: FakeDixa) -> None:
    @blueprint.get("/state")
    def state() -> ResponseReturnValue:
        return jsonify(dump_state(dixa))

    @blueprint.get("/report")
    def report() -> ResponseReturnValue:
        return jsonify(dump_report(dixa))

    @blueprint.get("/calls")
    def calls() -> ResponseReturnValue:
        return jsonify([plain(exchange) for exchange in dixa.calls])

    @blueprint.post("/reset")
    def reset() -> ResponseReturnValue:
        dixa.reset()
        return "", 204


def _route_conversations(blueprint: Blueprint, dixa: FakeDixa) -> None:
    @blueprint.post("/conversations")
    def make() -> ResponseReturnValue:
        wanted = _fields()
        count = wanted.pop("count", 1)
        if not isinstance(count, int) or not 0 < count <= _MAX_AT_ONCE:
            raise Refused(400, f"count must be a number up to {_MAX_AT_ONCE}")
        return jsonify({"ids": [_make_conversation(dixa, wanted) for _ in range(count)]}), 201

    @blueprint.get("/conversations/<int:number>")
    def show(number: int) -> ResponseReturnValue:
        with dixa.state.lock:
            return jsonify(plain(dixa.state.conversation(number)))

    @blueprint.post("/conversations/<int:number>/<any(close, reopen, pending, erase):move>")
    def change(number: int, move: str) -> ResponseReturnValue:
        state = dixa.state
        moves = {"close": state.close, "reopen": state.reopen, "pending": state.set_pending, "erase": state.erase}
        moves[move](number)
        return "", 204

    @blueprint.post("/conversations/<int:number>/ratings")
    def rate(number: int) -> ResponseReturnValue:
        wanted = _fields()
        made = dixa.state.make_rating(
            number, str(wanted.get("type", "Csat")), status=str(wanted.get("status", "Offered"))
        )
        return jsonify({"id": made.id}), 201


def _make_conversation(dixa: FakeDixa, wanted: dict[str, Any]) -> int:
    given = dict(wanted)
    requester = given.pop("requester", None)
    try:
        if unknown := set(given) - _MAKEABLE:
            raise Refused(400, f"Unknown: {', '.join(sorted(unknown))}")
        return dixa.state.make_conversation(**given, requester=Person(**requester) if requester else None).id
    except TypeError as error:
        raise Refused(400, str(error)) from error


def _route_faults(blueprint: Blueprint, dixa: FakeDixa) -> None:
    @blueprint.get("/faults")
    def pending() -> ResponseReturnValue:
        return jsonify(dump_faults(dixa))

    @blueprint.post("/faults")
    def inject() -> ResponseReturnValue:
        try:
            _inject(dixa, _fields())
        except (TypeError, ValueError) as error:
            raise Refused(400, str(error)) from error
        return jsonify(dump_faults(dixa)), 201

    @blueprint.delete("/faults")
    def clear() -> ResponseReturnValue:
        dixa.faults.clear()
        return "", 204


def _inject(dixa: FakeDixa, wanted: dict[str, Any]) -> None:
    match kind := wanted.pop("kind", None):
        case "outage":
            dixa.faults.outage(wanted.get("status", 503))
        case "outage_is_over":
            dixa.faults.outage_is_over()
        case "random":
            dixa.faults.randomly(**wanted)
        case _:
            dixa.faults.inject(Fault(Kind(kind), **wanted))


def _fields() -> dict[str, Any]:
    given = request.get_json(silent=True) if request.get_data() else {}
    if not isinstance(given, dict):
        raise Refused(400, "The body must be a JSON object")
    return given


def _problem(message: str) -> dict[str, str]:
    return {"message": message}


def dump_state(dixa: FakeDixa) -> dict[str, Any]:
    """Return the whole state except the log of exchanges."""
    with dixa.state.lock:
        return {
            "organization": plain(dixa.state.organization),
            "conversations": [plain(each) for each in dixa.state.conversations.values()],
            "deliveries": [plain(delivery) for delivery in dixa.state.deliveries],
            "report": dump_report(dixa),
            "faults": dump_faults(dixa),
        }


def dump_report(dixa: FakeDixa) -> dict[str, Any]:
    """Return counts, duplicates and refusals."""
    with dixa.state.lock:
        conversations = dixa.state.conversations.values()
        report: dict[str, Any] = plain(dixa.state.report)
        return report | {
            "conversations": len(conversations),
            "offers": sum(len(each.offers) for each in conversations),
            "results": sum(len(each.results) for each in conversations),
            "surveyed": sum(bool(each.offers) for each in conversations),
        }


def dump_faults(dixa: FakeDixa) -> dict[str, Any]:
    """Return pending and applied faults."""
    return {
        "outage": dixa.faults.is_out,
        "pending": [plain(fault) for fault in dixa.faults.pending()],
        "given": dict(dixa.faults.given),
    }


def plain(thing: Any) -> Any:
    """Convert dataclasses, times and bytes for JSON. A conversation includes its offers and results."""
    if is_dataclass(thing):
        shown = {each.name: getattr(thing, each.name) for each in fields(thing)}
        more = {"offers": thing.offers, "results": thing.results} if isinstance(thing, Conversation) else {}
        return plain(shown | more)
    if isinstance(thing, dict):
        return {str(name): plain(value) for name, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [plain(value) for value in thing]
    if isinstance(thing, datetime):
        return iso(thing)
    return thing.decode(errors="replace") if isinstance(thing, bytes) else thing
