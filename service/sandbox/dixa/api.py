"""Serves Dixa's API over HTTP, under `/beta` and `/v1` alike: tokens, rate limit, faults, and the log of exchanges."""

import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from service.sandbox.dixa.call import Call, DixaResponse
from service.sandbox.dixa.calls import CALLS, perform
from service.sandbox.dixa.faults import EXECUTING, Faults, failure
from service.sandbox.dixa.limits import RateLimit
from service.sandbox.dixa.model import Exchange
from service.sandbox.dixa.state import State

VERSIONS = ("beta", "v1")


@dataclass(slots=True)
class Api:
    """Handles requests before they reach the state. `listeners` are called with each exchange."""

    state: State
    faults: Faults
    limit: RateLimit
    tokens: tuple[str, ...]
    listeners: list[Callable[[Exchange], None]] = field(default_factory=list)

    def handle(self, call: Call, token: str) -> tuple[DixaResponse | None, str | None]:
        """Return the response, or None to close the connection; and the name of the injected fault, if any."""
        if self.faults.is_out:
            status = self.faults.outage_status
            return (None if status is None else failure(status)), "outage"
        if token not in self.tokens:
            return self._counted(call, DixaResponse(401, {"message": "The supplied authentication is invalid"})), None
        if not self.limit.allows(token):
            return self._counted(call, failure(429)), None
        fault = self.faults.next_for(call.name, call.ids.get("conversationId"))
        if fault is None:
            return self._execute(call), None
        response = self.faults.apply(fault, lambda: self._execute(call))
        if response and fault.kind not in EXECUTING:
            self._counted(call, response)
        return response, fault.kind

    def record(self, exchange: Exchange, log: deque[Exchange]) -> None:
        """Log an exchange and call the listeners, unless the state was cleared since it began."""
        with self.state.lock:
            if log is not self.state.exchanges:
                return
            log.append(exchange)
        for listener in self.listeners:
            listener(exchange)

    def _execute(self, call: Call) -> DixaResponse:
        return self._counted(call, perform(self.state, call))

    def _counted(self, call: Call, response: DixaResponse) -> DixaResponse:
        with self.state.lock:
            if response.status == 429:  # noqa: PLR2004
                self.state.report.throttled += 1
            elif 400 <= response.status < 500:  # noqa: PLR2004
                self.state.report.refused[f"{call.name} {response.status}"] += 1
        return response


def api_blueprint(api: Api, version: str) -> Blueprint:
    """Make the routes of one version of the API."""
    blueprint = Blueprint(f"api_{version}", __name__, url_prefix=f"/{version}")
    for name, (method, path, _) in CALLS.items():
        blueprint.add_url_rule(path, name, _view(api, name), methods=[method], provide_automatic_options=False)
    return blueprint


def _view(api: Api, name: str) -> Callable[..., ResponseReturnValue]:
    def view(**ids: str) -> ResponseReturnValue:
        started, log = monotonic(), api.state.exchanges
        call = Call(name, ids, request.get_data(), request.content_type or "", request.args)
        response, fault = api.handle(call, request.headers.get("Authorization", ""))
        sent = _to_flask(response)
        exchange = Exchange(
            call=name,
            method=request.method,
            path=request.path,
            headers={header: value for header, value in request.headers.items() if header != "Authorization"},
            body=call.body,
            status=response.status if response else None,
            response=sent.get_data() if response else b"",
            fault=fault,
            duration=monotonic() - started,
        )
        api.record(exchange, log)
        if response is None:
            # Flask's own response goes nowhere.
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return sent

    return view


def _to_flask(response: DixaResponse | None) -> Response:
    if response is None or response.json is None:
        return Response(status=response.status if response else 500)
    sent = jsonify(response.json)
    sent.status_code = response.status
    sent.headers.update(response.headers)
    return sent
