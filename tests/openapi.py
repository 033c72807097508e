"""Checks exchanges with the sandbox against Dixa's OpenAPI description, which is beside the repository.

The description is reference data without a copy in this repository. It lacks three facts, which are added after
loading: `_type` distinguishes the members of each `oneOf` (all examples have it), times of messages, notes and the
activity log end in `[GMT]`, and any call can return 401, 429 or an error of the server.
"""

import copy
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict

from service.sandbox.dixa.calls import CALLS
from service.sandbox.dixa.model import Exchange

PATH = Path(__file__).parents[2] / "shared" / "dixa" / "openapi-beta.yaml"
MISSING = "Dixa's OpenAPI description is not here (../shared/dixa/openapi-beta.yaml)"

_REFERENCE = "#/components/schemas/"
_ANYWHERE = ("401", "429", "500", "502", "503", "504")
_SCALED = {"Csat": (1, 5), "Nps": (0, 10), "ThumbsUpOrDown": (0, 1)}
_BRACKETED = {"Message": "createdAt", "InternalNoteData": "createdAt", "ActivityLogEntry": "activityTimestamp"}
_Json = dict[str, Any]


class Description:
    """Dixa's description of the calls we use."""

    def __init__(self, document: _Json) -> None:
        self._openapi = OpenAPI.from_dict(document)

    @classmethod
    @functools.cache
    def load(cls) -> "Description | None":
        """Read the description. None without the file."""
        if not PATH.exists():
            return None
        with PATH.open("rb") as file:
            return cls(_pinned(_reduced(yaml.load(file, Loader=yaml.CSafeLoader))))

    def check(self, exchange: Exchange) -> None:
        """Raise AssertionError unless the response is as described, and the request too if it was accepted."""
        if exchange.status is None or not 400 <= exchange.status < 500:
            self.check_request(exchange)
        self.check_response(exchange)

    def check_request(self, exchange: Exchange) -> None:
        """Raise AssertionError unless the request is as described."""
        _assert_none(exchange, "request", self._openapi.iter_request_errors(_Request(exchange)))

    def check_response(self, exchange: Exchange) -> None:
        """Raise AssertionError unless the response is as described. A closed connection is no response."""
        if exchange.status is not None:
            errors = self._openapi.iter_response_errors(_Request(exchange), _Response(exchange))
            _assert_none(exchange, "response", errors)


class _Request:
    """An exchange's request for openapi-core. Both versions of the API have the same calls."""

    def __init__(self, exchange: Exchange) -> None:
        self.host_url = "https://dev.dixa.io"
        self.method = exchange.method.lower()
        self.path = exchange.path.replace("/v1/", "/beta/", 1)
        self.body = exchange.body or None
        self.content_type = exchange.headers.get("Content-Type", "")
        self.parameters = RequestParameters(query=ImmutableMultiDict(), header=Headers(), cookie=ImmutableMultiDict())


class _Response:
    """An exchange's response for openapi-core."""

    def __init__(self, exchange: Exchange) -> None:
        assert exchange.status is not None
        self.status_code = exchange.status
        self.content_type = "application/json"
        self.headers = Headers()
        self.data = exchange.response or None


def _assert_none(exchange: Exchange, part: str, errors: Iterator[Exception]) -> None:
    found = [line for error in errors for line in _lines(error)]
    body = exchange.body if part == "request" else exchange.response
    text = f"{part} of {exchange.method} {exchange.path} ({exchange.status}) is not as described: "
    assert not found, text + "; ".join(found) + f"\n  {body.decode(errors='replace')}"


def _lines(error: Exception) -> Iterator[str]:
    """Return an error with its causes. A cause from a schema names the field."""
    schema_errors = getattr(error, "schema_errors", None) or getattr(error.__cause__, "schema_errors", None)
    if schema_errors:
        for each in schema_errors:
            yield f"{'.'.join(map(str, each.absolute_path)) or 'body'}: {each.message[:300]}"
    elif isinstance(error.__cause__, OpenAPIError):
        yield f"{error}: {error.__cause__}"
    else:
        yield str(error) or type(error).__name__


def _reduced(document: _Json) -> _Json:
    """Keep the sandbox's calls and their schemas: reading all 91 paths is slow."""
    used = {(_described_path(path), method.lower()) for method, path, _ in CALLS.values()}
    paths = {
        path: {method: call for method, call in calls.items() if (path, method) in used}
        for path, calls in document["paths"].items()
        if any((path, method) in used for method in calls)
    }
    schemas: _Json = {}
    _collect(paths, document["components"]["schemas"], schemas)
    return {
        "openapi": document["openapi"],
        "info": document["info"],
        "servers": document["servers"],
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _described_path(rule: str) -> str:
    return "/beta" + rule.replace("<", "{").replace(">", "}")


def _collect(part: Any, schemas: _Json, found: _Json) -> None:
    for name in _references(part):
        if name not in found:
            found[name] = copy.deepcopy(schemas[name])
            _collect(found[name], schemas, found)


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(reference := part.get("$ref"), str):
            yield reference.removeprefix(_REFERENCE)
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def _pinned(document: _Json) -> _Json:
    """Add the parts missing in the description."""
    schemas = document["components"]["schemas"]
    for schema in list(schemas.values()):
        for member in schema.get("oneOf", ()):
            _pin_type(schemas, member.get("$ref", "").removeprefix(_REFERENCE))
    for name, (lowest, highest) in _SCALED.items():
        schemas[name]["properties"]["value"] |= {"minimum": lowest, "maximum": highest}
    for name, time in _BRACKETED.items():
        schemas[name]["properties"][time] = {"type": "string", "pattern": r"^[-0-9]{10}T[:.0-9]+Z\[GMT\]$"}
    problem = {"content": {"application/json": {"schema": {"$ref": f"{_REFERENCE}BadRequest"}}}, "description": ""}
    for call in (call for calls in document["paths"].values() for call in calls.values()):
        for status in _ANYWHERE:
            call["responses"].setdefault(status, problem)
    return document


def _pin_type(schemas: _Json, name: str) -> None:
    """Require `_type` of each member of a oneOf: its value is the member's title (`Text1` has the title `Text`)."""
    schema = schemas.get(name)
    if schema is None or schema.get("type") != "object":
        return
    schema.setdefault("properties", {})["_type"] = {"type": "string", "enum": [schema["title"]]}
    # A schema may be a member of several `oneOf`s.
    schema["required"] = [*dict.fromkeys((*schema.get("required", ()), "_type"))]
