"""The sandbox's own routes under `/_sandbox`: everything a test in another process, or a person with curl, can do.

They need no token: the sandbox listens on the loopback address unless told otherwise.
"""

from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from service.sandbox.dixa.faults import Fault, Kind
from service.sandbox.dixa.model import Conversation, Person, iso
from service.sandbox.dixa.state import Refused
from service.sandbox.fake_dixa import Desk

_MOST_AT_ONCE = 10_000
_MAKEABLE = {"channel", "language", "agent", "queue", "tags", "direction", "subject", "state"}


def control_blueprint(desk: Desk) -> Blueprint:
    """Route the controls of a desk."""
    blueprint = Blueprint("control", __name__, url_prefix="/_sandbox")
    blueprint.register_error_handler(Refused, lambda refusal: (_problem(refusal.message), refusal.status))
    _route_state(blueprint, desk)
    _route_conversations(blueprint, desk)
    _route_faults(blueprint, desk)
    return blueprint


def _route_state(blueprint: Blueprint, desk: Desk) -> None:
    @blueprint.get("/state")
    def state() -> ResponseReturnValue:
        return jsonify(dump_state(desk))

    @blueprint.get("/report")
    def report() -> ResponseReturnValue:
        return jsonify(dump_report(desk))

    @blueprint.get("/calls")
    def calls() -> ResponseReturnValue:
        return jsonify([plain(exchange) for exchange in desk.calls])

    @blueprint.post("/reset")
    def reset() -> ResponseReturnValue:
        desk.reset()
        return "", 204


def _route_conversations(blueprint: Blueprint, desk: Desk) -> None:
    @blueprint.post("/conversations")
    def make() -> ResponseReturnValue:
        wanted = _fields()
        count = wanted.pop("count", 1)
        if not isinstance(count, int) or not 0 < count <= _MOST_AT_ONCE:
            raise Refused(400, f"count must be a number up to {_MOST_AT_ONCE}")
        return jsonify({"ids": [_make_conversation(desk, wanted) for _ in range(count)]}), 201

    @blueprint.get("/conversations/<int:number>")
    def show(number: int) -> ResponseReturnValue:
        with desk.state.lock:
            return jsonify(plain(desk.state.conversation(number)))

    @blueprint.post("/conversations/<int:number>/<any(close, reopen, pending, erase):move>")
    def change(number: int, move: str) -> ResponseReturnValue:
        state = desk.state
        moves = {"close": state.close, "reopen": state.reopen, "pending": state.set_pending, "erase": state.erase}
        moves[move](number)
        return "", 204

    @blueprint.post("/conversations/<int:number>/ratings")
    def rate(number: int) -> ResponseReturnValue:
        wanted = _fields()
        made = desk.state.make_rating(
            number, str(wanted.get("type", "Csat")), status=str(wanted.get("status", "Offered"))
        )
        return jsonify({"id": made.id}), 201


def _make_conversation(desk: Desk, wanted: dict[str, Any]) -> int:
    given = dict(wanted)
    requester = given.pop("requester", None)
    try:
        if unknown := set(given) - _MAKEABLE:
            raise Refused(400, f"Unknown: {', '.join(sorted(unknown))}")
        return desk.state.make_conversation(**given, requester=Person(**requester) if requester else None).id
    except TypeError as error:
        raise Refused(400, str(error)) from error


def _route_faults(blueprint: Blueprint, desk: Desk) -> None:
    @blueprint.get("/faults")
    def pending() -> ResponseReturnValue:
        return jsonify(dump_faults(desk))

    @blueprint.post("/faults")
    def inject() -> ResponseReturnValue:
        try:
            _inject(desk, _fields())
        except (TypeError, ValueError) as error:
            raise Refused(400, str(error)) from error
        return jsonify(dump_faults(desk)), 201

    @blueprint.delete("/faults")
    def clear() -> ResponseReturnValue:
        desk.faults.clear()
        return "", 204


def _inject(desk: Desk, wanted: dict[str, Any]) -> None:
    match kind := wanted.pop("kind", None):
        case "outage":
            desk.faults.outage(wanted.get("status", 503))
        case "outage_is_over":
            desk.faults.outage_is_over()
        case "random":
            desk.faults.randomly(**wanted)
        case _:
            desk.faults.inject(Fault(Kind(kind), **wanted))


def _fields() -> dict[str, Any]:
    given = request.get_json(silent=True) if request.get_data() else {}
    if not isinstance(given, dict):
        raise Refused(400, "The body must be a JSON object")
    return given


def _problem(message: str) -> dict[str, str]:
    return {"message": message}


def dump_state(desk: Desk) -> dict[str, Any]:
    """Report everything that the sandbox holds but the log of exchanges."""
    with desk.state.lock:
        return {
            "organization": plain(desk.state.organization),
            "conversations": [plain(each) for each in desk.state.conversations.values()],
            "deliveries": [plain(delivery) for delivery in desk.state.deliveries],
            "report": dump_report(desk),
            "faults": dump_faults(desk),
        }


def dump_report(desk: Desk) -> dict[str, Any]:
    """Report how much was told, and what came twice or was refused."""
    with desk.state.lock:
        conversations = desk.state.conversations.values()
        told: dict[str, Any] = plain(desk.state.report)
        return told | {
            "conversations": len(conversations),
            "offers": sum(len(each.offers) for each in conversations),
            "results": sum(len(each.results) for each in conversations),
            "surveyed": sum(bool(each.offers) for each in conversations),
        }


def dump_faults(desk: Desk) -> dict[str, Any]:
    """Report the faults that wait, and those that were given."""
    return {
        "outage": desk.faults.is_out,
        "pending": [plain(fault) for fault in desk.faults.pending()],
        "given": dict(desk.faults.given),
    }


def plain(thing: Any) -> Any:
    """Turn dataclasses, times and bytes to what JSON can hold; a conversation shows its offers and results too."""
    if is_dataclass(thing):
        told = {each.name: getattr(thing, each.name) for each in fields(thing)}
        more = {"offers": thing.offers, "results": thing.results} if isinstance(thing, Conversation) else {}
        return plain(told | more)
    if isinstance(thing, dict):
        return {str(name): plain(value) for name, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [plain(value) for value in thing]
    if isinstance(thing, datetime):
        return iso(thing)
    return thing.decode(errors="replace") if isinstance(thing, bytes) else thing
