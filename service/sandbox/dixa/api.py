"""Speaks Dixa's API over HTTP, under `/beta` and `/v1` alike: tokens, limits, faults, and the log of exchanges."""

import socket
from collections import deque
from collections.abc import Callable
from hmac import compare_digest
from threading import Lock
from time import monotonic

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from service.sandbox.dixa.calls import CALLS, Answer, Call, perform
from service.sandbox.dixa.faults import EXECUTING, Faults, failure
from service.sandbox.dixa.limits import RateLimit
from service.sandbox.dixa.model import Exchange
from service.sandbox.dixa.state import State

VERSIONS = ("beta", "v1")


class Api:
    """What stands between a request and the state; `listeners` are told of every exchange."""

    def __init__(self, state: State, faults: Faults, limit: RateLimit, tokens: tuple[str, ...]) -> None:
        self.state = state
        self.faults = faults
        self.limit = limit
        self.tokens = tokens
        self.listeners: list[Callable[[Exchange], None]] = []
        self._lock = Lock()

    def handle(self, call: Call, token: str) -> tuple[Answer | None, str | None]:
        """Answer a call, or None to hang up; and say what went wrong on purpose."""
        if self.faults.is_out:
            status = self.faults.outage_status
            return (None if status is None else failure(status)), "outage"
        if not self._knows(token):
            return self._counted(call, Answer(401, {"message": "The supplied authentication is invalid"})), None
        if not self.limit.allows(token):
            return self._counted(call, failure(429)), None
        fault = self.faults.next_for(call.name, call.ids.get("conversationId"))
        if fault is None:
            return self._execute(call), None
        answer = self.faults.suffer(fault, lambda: self._execute(call))
        if answer and fault.kind not in EXECUTING:
            self._counted(call, answer)
        return answer, fault.kind

    def record(self, exchange: Exchange, log: deque[Exchange]) -> None:
        """Log an exchange and tell the listeners, unless it began before all was forgotten."""
        with self.state.lock:
            if log is not self.state.exchanges:
                return
            log.append(exchange)
        for listener in self.listeners:
            listener(exchange)

    def _execute(self, call: Call) -> Answer:
        return self._counted(call, perform(self.state, call))

    def _knows(self, token: str) -> bool:
        given = token.encode(errors="surrogateescape")
        return any(compare_digest(given, known.encode()) for known in self.tokens)

    def _counted(self, call: Call, answer: Answer) -> Answer:
        with self._lock:
            if answer.status == 429:  # noqa: PLR2004
                self.state.report.throttled += 1
            elif 400 <= answer.status < 500:  # noqa: PLR2004
                self.state.report.refused[f"{call.name} {answer.status}"] += 1
        return answer


def api_blueprint(api: Api, version: str) -> Blueprint:
    """Route one version of the API."""
    blueprint = Blueprint(f"api_{version}", __name__, url_prefix=f"/{version}")
    for name, (method, path, _) in CALLS.items():
        blueprint.add_url_rule(path, name, _view(api, name), methods=[method], provide_automatic_options=False)
    return blueprint


def _view(api: Api, name: str) -> Callable[..., ResponseReturnValue]:
    def view(**ids: str) -> ResponseReturnValue:
        started, log = monotonic(), api.state.exchanges
        call = Call(name, ids, request.get_data(), request.content_type or "", request.args)
        answer, fault = api.handle(call, request.headers.get("Authorization", ""))
        response = _respond(answer)
        api.record(_exchange(call, answer, response, fault, monotonic() - started), log)
        if answer is None:
            _hang_up()
        return response

    return view


def _respond(answer: Answer | None) -> Response:
    if answer is None or answer.json is None:
        return Response(status=answer.status if answer else 500)
    response = jsonify(answer.json)
    response.status_code = answer.status
    response.headers.update(answer.headers)
    return response


def _exchange(call: Call, answer: Answer | None, response: Response, fault: str | None, duration: float) -> Exchange:
    return Exchange(
        call=call.name,
        method=request.method,
        path=request.path,
        headers={name: value for name, value in request.headers.items() if name != "Authorization"},
        body=call.body,
        status=None if answer is None else answer.status,
        answer=b"" if answer is None else response.get_data(),
        fault=fault,
        duration=duration,
    )


def _hang_up() -> None:
    """Close the client's connection; the answer that Flask still writes goes nowhere."""
    connection: socket.socket | None = request.environ.get("werkzeug.socket")
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)
