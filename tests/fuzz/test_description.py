"""service/web/openapi.yaml describes the responses of all routes to any input."""

import subprocess
from pathlib import Path

import pytest

from service.surveys.links import Link, Links
from tests.archive.rows import make_answer, open_with
from tests.conventions.test_routes import ALL_PAGES
from tests.fuzz.inside import OFFERS
from tests.processes import BIN, ROOT, SECRET_KEY, Afterword, RedisServer

PATH = ROOT / "service" / "web" / "openapi.yaml"
AUTOMATIC_METHODS = {"HEAD", "OPTIONS"}
EXAMPLES = 20
TOKEN = "a-token-of-schemathesis-0123456789"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("token", ["valid token", "random token"])
def test_responses_match_the_description(redis_server: RedisServer, tmp_path: Path, token: str) -> None:
    """Schemathesis makes right and wrong requests from the description, and checks the responses against it."""
    archive_url = f"sqlite:///{tmp_path}/archive.db"
    open_with(archive_url, *(make_answer(number) for number in range(48201, 48211)))
    tokens = {name: TOKEN for name in ALL_PAGES if name.endswith("_TOKEN")}
    environ = {"REDIS_URL": redis_server.new_database(), "DIXA_API_URL": "http://127.0.0.1:1", **ALL_PAGES, **tokens}
    afterword = Afterword(tmp_path, environ | {"ARCHIVE_URL": archive_url}).start("web")
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
                "--header", f"Authorization: Bearer {TOKEN}",
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
