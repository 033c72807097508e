"""The operator's commands, run in this process against a real Redis and a sandbox Dixa."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner, Result

from service.cli import main
from service.sandbox.server import Sandbox
from tests.harness import Story
from tests.processes import API_TOKEN, PUBLIC_URL, SECRET_KEY, WEBHOOK_SECRET, RedisServer, patient

Runner = Callable[..., Result]

SURVEYS = """
[[survey]]
name = "vip"
rating = "Nps"
delay = "0s"
editable_for = "0s"

[survey.match]
with_tags = ["vip"]
without_tags = ["spam"]
assigned = true

[[survey]]
name = "default"
delay = "0s"
editable_for = "0s"

[survey.match]
without_tags = ["spam"]
assigned = true
"""


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    return redis_server.new_database()


@pytest.fixture
def keys(redis_url: str) -> Iterator[redis.Redis]:
    client = patient(redis_url)
    yield client
    client.close()


@pytest.fixture
def story(keys: redis.Redis, dixa: Sandbox) -> Story:
    """Write surveys to the records that the commands read."""
    return Story(keys, "afterword:", dixa)


@pytest.fixture
def run(redis_url: str, dixa: Sandbox, tmp_path: Path) -> Runner:
    """Run a command, such as `run("why", "48201", surveys=…)`, and check its exit code."""

    def run_one(*arguments: str, surveys: str = SURVEYS, fails: bool = False, **environ: str) -> Result:
        surveys_file = tmp_path / "surveys.toml"
        surveys_file.write_text(surveys, encoding="utf-8")
        environ_of_command = {
            "DIXA_API_TOKEN": API_TOKEN,
            "DIXA_API_URL": dixa.api_url,
            "DIXA_PACE": "5000/100",
            "DIXA_WEBHOOK_SECRETS": WEBHOOK_SECRET,
            "SECRET_KEYS": SECRET_KEY,
            "PUBLIC_URL": PUBLIC_URL,
            "REDIS_URL": redis_url,
            "SURVEYS_FILE": str(surveys_file),
        }
        result = CliRunner().invoke(main, arguments, env=environ_of_command | environ)
        assert (result.exit_code != 0) is fails, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run_one
