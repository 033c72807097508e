"""service/web/openapi.yaml describes all routes and their responses to any input."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_core import OpenAPI
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

from service.surveys.links import Link, Links
from service.web.app import create_app
from tests.conventions.test_routes import ALL_PAGES
from tests.fuzz.inside import OFFERS
from tests.processes import BIN, ROOT, SECRET_KEY, Afterword, RedisServer, settings_for

PATH = ROOT / "service" / "web" / "openapi.yaml"
AUTOMATIC_METHODS = {"HEAD", "OPTIONS"}
EXAMPLES = 20
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    return found


def test_description_is_valid_openapi(description: dict[str, Any]) -> None:
    OpenAPI.from_dict(description)
    with pytest.raises(OpenAPIValidationError):
        OpenAPI.from_dict({name: part for name, part in description.items() if name != "paths"})


def test_description_lists_exactly_the_routes(description: dict[str, Any]) -> None:
    rules = create_app(settings_for("redis://127.0.0.1:1/0", **ALL_PAGES)).url_map.iter_rules()
    routes = {(re.sub(r"<(\w+)>", r"{\1}", rule.rule), method) for rule in rules for method in rule.methods or ()}
    described = {
        (path, method.upper())
        for path, item in description["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert {(path, method) for path, method in routes if method not in AUTOMATIC_METHODS} == described


@pytest.mark.timeout(900)
@pytest.mark.parametrize("token", ["valid token", "random token"])
def test_responses_match_the_description(redis_server: RedisServer, tmp_path: Path, token: str) -> None:
    """Schemathesis makes right and wrong requests from the description, and checks the responses against it."""
    environ = {"REDIS_URL": redis_server.new_database(), "DIXA_API_URL": "http://127.0.0.1:1", **ALL_PAGES}
    afterword = Afterword(tmp_path, environ).start("web")
    description = tmp_path / "openapi.yaml"
    text = PATH.read_text(encoding="utf-8")
    if token == "valid token":
        good = Links([SECRET_KEY], afterword.url).sign(Link("99", 99, "default", OFFERS))
        text = text.replace('minLength: 1, pattern: "^[^/]+$"', f"enum: [{good}]")
        assert good in text
    description.write_text(text, encoding="utf-8")
    try:
        run = subprocess.run(
            [
                BIN / "schemathesis", "run", description, "--url", afterword.url, "--checks", CHECKS, "--seed", "1",
                "--max-examples", str(EXAMPLES), "--generation-database", "none", "--no-color",
                "--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--suppress-health-check", "all",
                # The other paths are tested once, with the valid token.
                *([] if token == "valid token" else ["--include-path-regex", "^/s/"]),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
    finally:
        afterword.stop()
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Traceback" not in afterword.log
