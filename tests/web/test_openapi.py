"""Responses of `/api/v1` and the examples of webhooks are as `/openapi.yaml` describes them, with no other fields."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator, ValidationError
from openapi_core import OpenAPI
from openapi_core.contrib.werkzeug import WerkzeugOpenAPIRequest, WerkzeugOpenAPIResponse
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

from service.archive.schema import Stage
from service.records.records import Records
from service.surveys.definition import OnReclose
from service.surveys.model import Decision
from service.surveys.reasons import Reason
from service.surveys.states import Verdict
from tests.archive.rows import NOON, make_answer, make_row, open_with
from tests.harness import AT_ONCE
from tests.processes import PUBLIC_URL, ROOT
from tests.records.steps import MINUTE, SURVEY_ID, answer, claim, close_of
from tests.web.test_api import BEARER, make_client

DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / "service" / "web" / "openapi.yaml").read_text(encoding="utf-8"))
EVENTS = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
EXAMPLES = [json.loads(each) for each in re.findall(r"```json\n(.*?)```", EVENTS, re.DOTALL)]
SCHEMAS = DOCUMENT["components"]["schemas"]


@pytest.fixture(scope="module")
def openapi() -> OpenAPI:
    return OpenAPI.from_dict(DOCUMENT)


def check(openapi: OpenAPI, client: FlaskClient, path: str) -> Any:
    """Make a request, and return the JSON of the response. Raises the errors of openapi-core."""
    response = client.get(path, base_url=PUBLIC_URL, headers=BEARER)
    request = Request(EnvironBuilder(path, base_url=PUBLIC_URL, headers=[*BEARER.items()]).get_environ())
    plain = Response(response.data, response.status_code, response.headers)
    openapi.validate_response(WerkzeugOpenAPIRequest(request), WerkzeugOpenAPIResponse(plain))
    return response.json


def test_rows_of_every_state_are_as_described(openapi: OpenAPI, redis_url: str, archive_url: str) -> None:
    rows = [make_row(number, state=state) for number, state in enumerate(Stage, 48201)]
    full = dict.fromkeys(
        ("decided_at", "asked_at", "delivered_at", "final_at", "reminded_at", "answered_at", "submitted_at"), NOON
    )
    given = {"tags": ["vip"], "mismatches": [["vip", "queue", "queues"], ["x", "sample", None]], "failure": "follow_up"}
    open_with(archive_url, *rows, make_answer(48300, nps=0, thumbs=1, seconds_to_dixa=3, **full | given))
    client = make_client(redis_url, archive_url)
    for path in ("surveys?limit=3", "answers?limit=3"):
        page = check(openapi, client, f"/api/v1/{path}")
        assert page[path.partition("?")[0]]


@pytest.mark.parametrize("path", ["surveys?limit=x", "surveys?cursor=x", "surveys/x", "surveys/48299", "answers"])
def test_problems_are_as_described(openapi: OpenAPI, redis_url: str, path: str) -> None:
    assert check(openapi, make_client(redis_url), f"/api/v1/{path}")["remedy"]


def test_a_conversation_is_as_described(openapi: OpenAPI, redis_url: str, records: Records) -> None:
    terms = replace(AT_ONCE, on_reclose=OnReclose.ALWAYS, cooldown=timedelta())
    records.accept(close_of(ago=MINUTE), [terms])
    records.decide(claim(records), Decision(Verdict.SKIP, Reason.MACHINE))
    records.accept(close_of(), [terms])
    answer(records)
    found = check(openapi, make_client(redis_url), f"/api/v1/surveys/{SURVEY_ID}")
    (earlier,) = found["earlier_rounds"]
    assert earlier["answer"] or found["answer"]
    for each in (found, earlier):
        assert {*each} - {"earlier_rounds"} == {*SCHEMAS["Round"]["properties"]}
        for part in ("answer", "follow_up"):
            assert not each[part] or {*each[part]} == {*SCHEMAS["Round"]["properties"][part]["properties"]}


def schema_of(webhook: str) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["webhooks"][webhook]["post"]["requestBody"]["content"]["application/json"][
        "schema"
    ]
    return found


def properties_of(webhook: str) -> set[str]:
    """Return the fields of `data` of a webhook."""
    own = schema_of(webhook)["allOf"][1]["properties"]["data"]
    assert {*own["required"]} <= {*own["properties"]}
    return {*SCHEMAS["Webhook"]["properties"]["data"]["properties"], *own["properties"]}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["type"]))
def test_examples_of_webhooks_are_as_described(example: dict[str, Any]) -> None:
    # tests/delivery/test_events.py compares these examples with what is sent.
    assert {*example["data"]} == properties_of(example["type"])
    # OpenAPI 3.1 has the schemas of this draft.
    validator = Draft202012Validator(schema_of(example["type"]) | {"components": DOCUMENT["components"]})
    validator.validate(example)
    with pytest.raises(ValidationError):
        validator.validate(example | {"data": {**example["data"], "survey_id": 7}})
