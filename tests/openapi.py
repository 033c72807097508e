"""Checks exchanges with the sandbox against Dixa's own OpenAPI description, which lies beside the repository.

The description is reference data and no copy of it is kept here. It leaves three things out, which are added to the
loaded document before it is used: `_type` tells the members of each `oneOf` apart (the examples all carry it), times of
messages and notes end in `[GMT]`, and any call can be answered with 401, 429 or an error of the server.
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
_BRACKETED = ("Message", "InternalNoteData")
_Json = dict[str, Any]


class Description:
    """Dixa's description of the calls that the project uses."""

    def __init__(self, document: _Json) -> None:
        self._openapi = OpenAPI.from_dict(document)

    @classmethod
    @functools.cache
    def load(cls) -> "Description | None":
        """Read the description; None when it isn't there."""
        if not PATH.exists():
            return None
        with PATH.open("rb") as file:
            return cls(_pinned(_reduced(yaml.load(file, Loader=yaml.CSafeLoader))))

    def check(self, exchange: Exchange) -> None:
        """Raise AssertionError unless the answer is as Dixa describes it, and so is a request that wasn't refused."""
        if exchange.status is None or not 400 <= exchange.status < 500:
            self.check_request(exchange)
        self.check_answer(exchange)

    def check_request(self, exchange: Exchange) -> None:
        """Raise AssertionError unless Dixa would take this request."""
        _assert_none(exchange, "request", self._openapi.iter_request_errors(_Request(exchange)))

    def check_answer(self, exchange: Exchange) -> None:
        """Raise AssertionError unless Dixa could answer this; a connection that was closed is no answer."""
        if exchange.status is not None:
            errors = self._openapi.iter_response_errors(_Request(exchange), _Response(exchange))
            _assert_none(exchange, "answer", errors)


class _Request:
    """An exchange's request, as openapi-core's protocol wants it. Both versions of the API are the same calls."""

    def __init__(self, exchange: Exchange) -> None:
        self.host_url = "https://dev.dixa.io"
        self.method = exchange.method.lower()
        self.path = exchange.path.replace("/v1/", "/beta/", 1)
        self.body = exchange.body or None
        self.content_type = exchange.headers.get("Content-Type", "")
        self.parameters = RequestParameters(query=ImmutableMultiDict(), header=Headers(), cookie=ImmutableMultiDict())


class _Response:
    """An exchange's answer, as openapi-core's protocol wants it."""

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
    """Name an error with its causes; those of a schema say which field."""
    schema_errors = getattr(error, "schema_errors", None) or getattr(error.__cause__, "schema_errors", None)
    if schema_errors:
        for each in schema_errors:
            yield f"{'.'.join(map(str, each.absolute_path)) or 'body'}: {each.message[:300]}"
    elif isinstance(error.__cause__, OpenAPIError):
        yield f"{error}: {error.__cause__}"
    else:
        yield str(error) or type(error).__name__


def _reduced(document: _Json) -> _Json:
    """Keep the calls that the sandbox speaks, and the schemas that they reach: reading all 91 paths is slow."""
    wanted = {(_described_path(path), method.lower()) for method, path, _ in CALLS.values()}
    paths = {
        path: {method: call for method, call in calls.items() if (path, method) in wanted}
        for path, calls in document["paths"].items()
        if any((path, method) in wanted for method in calls)
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
    """Add what the description leaves out."""
    schemas = document["components"]["schemas"]
    for schema in list(schemas.values()):
        for member in schema.get("oneOf", ()):
            _pin_type(schemas, member.get("$ref", "").removeprefix(_REFERENCE))
    for name, (lowest, highest) in _SCALED.items():
        schemas[name]["properties"]["value"] |= {"minimum": lowest, "maximum": highest}
    for name in _BRACKETED:
        schemas[name]["properties"]["createdAt"] = {"type": "string", "pattern": r"^[-0-9]{10}T[:.0-9]+Z\[GMT\]$"}
    problem = {"content": {"application/json": {"schema": {"$ref": f"{_REFERENCE}BadRequest"}}}, "description": ""}
    for call in (call for calls in document["paths"].values() for call in calls.values()):
        for status in _ANYWHERE:
            call["responses"].setdefault(status, problem)
    return document


def _pin_type(schemas: _Json, name: str) -> None:
    """Require `_type` of a member of a oneOf: its title is its name (`Text1` is called `Text` too)."""
    schema = schemas.get(name)
    if schema is None or schema.get("type") != "object":
        return
    schema.setdefault("properties", {})["_type"] = {"type": "string", "enum": [schema["title"]]}
    # A schema may be a member of several.
    schema["required"] = [*dict.fromkeys((*schema.get("required", ()), "_type"))]
