"""Checks request JSON as strictly as the API's description, with Dixa's error messages."""

import json
import re
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields
from marshmallow.validate import Length, OneOf

from service.sandbox.dixa.state import Refused

SCORES = {"Csat": range(1, 6), "Nps": range(11), "ThumbsUpOrDown": range(2)}
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})")
_INT64 = range(-(2**63), 2**63)


def load_number(text: str, name: str) -> int:
    """Parse a path parameter as a 64-bit integer. Raises Refused (400)."""
    if re.fullmatch(r"-?[0-9]{1,19}", text) and int(text) in _INT64:
        return int(text)
    raise Refused(400, f"Invalid value for: path parameter {name}")


def load_body(schema: Schema, raw: bytes, content_type: str) -> dict[str, Any]:
    """Parse a request's body. Raises Refused (400), for a malformed field with its name."""
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    if not isinstance(body, dict) or content_type.partition(";")[0].strip().lower() != "application/json":
        raise Refused(400, "Decoding failure in request")
    try:
        loaded: dict[str, Any] = schema.load(body)
    except ValidationError as error:
        raise Refused(400, f"Invalid value for: body ({_first_field(error.messages_dict)})") from None
    return loaded


def _first_field(messages: dict[Any, Any]) -> str:
    """Return the innermost name: messages of `{"field": {0: {"name": ["…"]}}}` are about `name`."""
    name, inner = next(iter(messages.items()))
    deeper = _first_field(inner) if isinstance(inner, dict) else ""
    return deeper or (name if isinstance(name, str) else "")


class _Time(fields.AwareDateTime):
    """A time as RFC 3339 has it. Python's ISO 8601 knows more forms, such as weeks."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str) or not _RFC3339.fullmatch(value):
            raise ValidationError("Not an RFC 3339 time")
        return super()._deserialize(value.upper(), *args, **kwargs)


def _schema(**found: fields.Field[Any]) -> Schema:
    return Schema.from_dict(found)(unknown=EXCLUDE)


def _one_of(*known: str) -> fields.String:
    return fields.String(required=True, validate=OneOf(known))


_OPTIONAL: dict[str, Any] = {"load_default": None, "allow_none": True}

OFFER = _schema(
    ratingType=_one_of(*SCORES),
    userId=fields.String(**_OPTIONAL),
    agentId=fields.String(**_OPTIONAL),
    offeredAt=_Time(**_OPTIONAL),
)
SUBMIT = _schema(
    ratingResult=fields.Nested(
        _schema(_type=_one_of(*SCORES), value=fields.Integer(strict=True, required=True)), required=True
    ),
    userId=fields.String(**_OPTIONAL),
    comment=fields.String(**_OPTIONAL),
    submittedAt=_Time(**_OPTIONAL),
)
MESSAGE = _schema(
    _type=_one_of("Inbound", "Outbound"),
    agentId=fields.UUID(**_OPTIONAL),
    content=fields.Nested(
        _schema(value=fields.String(required=True), _type=_one_of("Html", "Markdown", "Text")), **_OPTIONAL
    ),
    attachments=fields.List(fields.Raw(), **_OPTIONAL),
    externalId=fields.String(**_OPTIONAL),
)
BY_USER = _schema(userId=fields.UUID(**_OPTIONAL))
NOTE = _schema(
    message=fields.String(required=True),
    agentId=fields.UUID(**_OPTIONAL),
    createdAt=_Time(**_OPTIONAL),
)
_AUTHORIZATION = _schema(
    _type=_one_of("NoAuth", "BasicAuth", "TokenAuth"),
    username=fields.String(**_OPTIONAL),
    password=fields.String(**_OPTIONAL),
    value=fields.String(**_OPTIONAL),
)
_SUBSCRIPTION: dict[str, Any] = {
    "events": fields.List(fields.String(), **_OPTIONAL),
    "enabled": fields.Boolean(**_OPTIONAL),
    "filters": fields.Raw(**_OPTIONAL),
}
SUBSCRIBE = _schema(
    name=fields.String(required=True),
    url=fields.URL(required=True, require_tld=False),
    authorization=fields.Nested(_AUTHORIZATION, required=True),
    customHeaders=fields.Dict(fields.String(), fields.String(), required=True),
    **_SUBSCRIPTION,
)
CHANGE_SUBSCRIPTION = _schema(
    name=fields.String(**_OPTIONAL),
    url=fields.URL(require_tld=False, **_OPTIONAL),
    authorization=fields.Nested(_AUTHORIZATION, **_OPTIONAL),
    customHeaders=fields.Dict(fields.String(), fields.String(), **_OPTIONAL),
    **_SUBSCRIPTION,
)
_BETWEEN = _schema(
    _type=_one_of("Between"),
    timestampFrom=_Time(required=True),
    timestampTo=_Time(required=True),
)
_CLOSED = _schema(
    field=fields.Nested(
        _schema(_type=_one_of("ClosedDate"), operator=fields.Nested(_BETWEEN, required=True)), required=True
    )
)
SEARCH = _schema(
    filters=fields.Nested(
        _schema(conditions=fields.List(fields.Nested(_CLOSED), validate=Length(equal=1), required=True)), required=True
    )
)
