"""Afterword's two processes beside a sandbox Dixa, once for all tests of this folder, as fast as they can."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings
from tests.openapi import Description
from tests.running import API_TOKEN, WEBHOOK_SECRET, Afterword, RedisServer

AT_ONCE = """
[[survey]]
name = "default"
delay = "0s"
hold = "0s"
"""

QUICK = {
    "DIXA_PACE": "500/50",
    "RELAY_EVERY": "50ms",
    "LEASE": "4s",
    "STEP_BUDGET": "2s",
    "SETTLE": "1s",
    "HINT_AGAIN": "1s",
    "BACKOFF_FIRST": "100ms",
    "BACKOFF_MOST": "1s",
}
"""Timings for tests: the same story, told faster. Redis' clock and the code are what they are in production."""

Starter = Callable[..., Afterword]


@pytest.fixture(scope="session")
def description() -> Description | None:
    return Description.load()


@pytest.fixture(scope="session")
def dixa(description: Description | None) -> Iterator[Sandbox]:
    """A sandbox without a rate limit; every exchange with it must be as Dixa's OpenAPI description says."""
    sandbox = Sandbox(SandboxSettings(tokens=(API_TOKEN,), secret=WEBHOOK_SECRET, rate=None)).start()
    yield sandbox
    sandbox.stop()


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer, dixa: Sandbox) -> Iterator[Starter]:
    """Start processes with a surveys.toml of their own: `start(surveys, "web", LEASE="2s")`."""
    started: list[Afterword] = []

    def start_one(surveys: str, *names: str, dixa_url: str = dixa.api_url, **environ: str) -> Afterword:
        folder = tmp_path_factory.mktemp("afterword")
        afterword = Afterword(folder, _environ(folder, surveys, dixa_url, redis_server.new_database(), environ))
        started.append(afterword)
        return afterword.start(*names)

    yield start_one
    for each in started:
        each.stop()


def _environ(
    folder: Path, surveys: str, dixa_url: str, redis_url: str, environ: Mapping[str, str]
) -> Mapping[str, str]:
    surveys_file = folder / "surveys.toml"
    surveys_file.write_text(surveys, encoding="utf-8")
    return {
        **QUICK,
        "SURVEYS_FILE": str(surveys_file),
        "DIXA_API_URL": dixa_url,
        "REDIS_URL": redis_url,
        **environ,
    }


@pytest.fixture(scope="session")
def afterword(start: Starter, dixa: Sandbox) -> Afterword:
    running = start(AT_ONCE)
    dixa.sends_webhooks_to(f"{running.url}/webhooks/dixa")
    return running
