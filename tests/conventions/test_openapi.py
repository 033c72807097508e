"""service/web/openapi.yaml is valid, and describes exactly the routes and the webhooks that there are."""

import re
from typing import Any

import pytest
import yaml
from openapi_core import OpenAPI
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

from service.delivery.webhook import LINK, TEST
from service.surveys.states import SurveyEvent
from service.web.app import create_app
from tests.conventions.test_routes import ALL_PAGES
from tests.processes import PUBLIC_URL, ROOT, settings_for

PATH = ROOT / "service" / "web" / "openapi.yaml"
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    return found


def test_description_is_valid_openapi(description: dict[str, Any]) -> None:
    OpenAPI.from_dict(description)
    with pytest.raises(OpenAPIValidationError):
        OpenAPI.from_dict({name: part for name, part in description.items() if name != "info"})


def test_description_lists_exactly_the_routes(description: dict[str, Any]) -> None:
    rules = create_app(settings_for("redis://127.0.0.1:1/0", **ALL_PAGES)).url_map.iter_rules()
    routes = {
        (re.sub(r"<(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in rules
        for method in rule.methods or ()
        if method.lower() in METHODS
    }
    shared = description["components"]["pathItems"]
    described = {
        (path, method)
        for path, item in description["paths"].items()
        for method in shared.get(item.get("$ref", "").rpartition("/")[2], item)
        if method in METHODS
    }
    assert routes == described, "A view of the window is one line in openapi.yaml, with pathItems/View or ViewWithForm."


def test_description_lists_exactly_the_webhooks(description: dict[str, Any]) -> None:
    assert {*description["webhooks"]} == {LINK, TEST, *(each.type for each in SurveyEvent)}


def test_description_is_served_as_it_is() -> None:
    client = create_app(settings_for("redis://127.0.0.1:1/0")).test_client()
    response = client.get("/openapi.yaml", base_url=PUBLIC_URL)
    assert (response.status_code, response.content_type) == (200, "application/yaml")
    assert response.data == PATH.read_bytes()


def test_each_operation_has_an_id_of_its_own(description: dict[str, Any]) -> None:
    items = [*description["paths"].values(), *description["webhooks"].values()]
    ids = [item[method]["operationId"] for item in items for method in METHODS & {*item}]
    assert len({*ids}) == len(ids)
