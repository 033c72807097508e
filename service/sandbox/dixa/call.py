"""A call of Dixa's API, its response, and the pages of long ones."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from marshmallow import Schema

from service.sandbox.dixa.request_bodies import load_body, load_number
from service.sandbox.dixa.state import Refused

_PAGE = 50


@dataclass(frozen=True, slots=True)
class DixaResponse:
    """A status and a JSON body. None means no body."""

    status: int
    json: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """The parts of a request for a call. `ids` are the path's parameters as text."""

    name: str
    ids: Mapping[str, str]
    body: bytes = b""
    content_type: str = ""
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def conversation_id(self) -> int:
        """The conversation's number. Raises Refused (400) if it is malformed."""
        return load_number(self.ids["conversationId"], "conversationId")

    def load(self, schema: Schema) -> dict[str, Any]:
        """Parse the body. Raises Refused (400)."""
        return load_body(schema, self.body, self.content_type)


def respond(data: object) -> DixaResponse:
    """Make a response of 200."""
    return DixaResponse(200, {"data": data})


def page_key(size: int, page: int) -> str:
    """Make the key of a page. To clients it is opaque."""
    return b64encode(f"pageLimit={size}&page={page}".encode()).decode()


def read_page(query: Mapping[str, str]) -> tuple[int, int]:
    """Return the page size and the page number of a key made here. Raises Refused (400)."""
    try:
        key = dict(parse_qsl(b64decode(query.get("pageKey", ""), validate=True).decode()))
        size, page = int(query.get("pageLimit", key.get("pageLimit", _PAGE))), int(key.get("page", 0))
    except ValueError:
        raise Refused(400, "Invalid value for: query parameter pageKey") from None
    if size < 1:
        raise Refused(400, "Invalid value for: query parameter pageLimit")
    return size, page
