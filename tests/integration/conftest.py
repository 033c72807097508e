"""Afterword's two processes and a sandbox Dixa, shared by the tests of this folder, with short timings."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from service.records.records import Records
from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings
from service.surveys.links import Links
from tests.integration.exchanges import Exchanges
from tests.integration.live_survey import LiveSurvey
from tests.openapi import Description
from tests.processes import API_TOKEN, SECRET_KEY, WEBHOOK_SECRET, Afterword, RedisServer, patient

SURVEYS = """
[[survey]]
name = "nps"
rating = "Nps"
delay = "0s"
editable_for = "0s"
suspect_editable_for = "0s"
match = {queues = ["Nps"]}

[[survey]]
name = "thumbs"
rating = "ThumbsUpOrDown"
delay = "0s"
editable_for = "0s"
suspect_editable_for = "0s"
match = {queues = ["ThumbsUpOrDown"]}

[[survey]]
name = "three"
rating = ["Nps", "Csat", "ThumbsUpOrDown"]
delay = "0s"
editable_for = "0s"
suspect_editable_for = "0s"
match = {queues = ["Three"]}

[[survey]]
name = "editable"
delay = "0s"
editable_for = "1h"
suspect_editable_for = "0s"
match = {queues = ["Editable"]}

[[survey]]
name = "briefly-editable"
delay = "0s"
editable_for = "1500ms"
suspect_editable_for = "0s"
match = {queues = ["Briefly editable"]}

[[survey]]
name = "later"
delay = "1500ms"
editable_for = "0s"
suspect_editable_for = "0s"
match = {queues = ["Later"]}

[[survey]]
name = "capped"
delay = "0s"
daily_cap = 1
match = {queues = ["Capped"]}

[[survey]]
name = "again"
delay = "0s"
on_reclose = "always"
cooldown = "0s"
match = {queues = ["Again"]}

[[survey]]
name = "default"
delay = "0s"
editable_for = "0s"
suspect_editable_for = "0s"
match = {without_tags = ["spam"]}
"""
"""The queue of a conversation selects its survey. All other queues get the last survey."""

QUICK = {
    "DIXA_PACE": "500/50",
    "RELAY_INTERVAL": "50ms",
    "ARCHIVE_INTERVAL": "100ms",
    "RECOVERY_WAIT": "100ms",
    "TOKEN_RETRY_AFTER": "500ms",
    "LEASE": "4s",
    "STEP_BUDGET": "2s",
    "RECONCILE_AFTER": "1s",
    "DIXA_LAG": "1ms",
    "REQUEUE_AFTER": "1s",
    "BACKOFF_MIN": "100ms",
    "BACKOFF_MAX": "1s",
}
"""Short timings. The code and Redis's clock are those of production."""

Opener = Callable[[SandboxSettings], Sandbox]
Starter = Callable[..., Afterword]
NewSurvey = Callable[..., LiveSurvey]


@pytest.fixture(scope="session")
def exchanges() -> Exchanges:
    """Collect the exchanges between Afterword and all sandboxes of this session, one of each shape."""
    return Exchanges(Description.load())


@pytest.fixture(autouse=True)
def matches_description(exchanges: Exchanges) -> Iterator[None]:
    """Check every exchange with a sandbox against Dixa's OpenAPI description, if the file exists."""
    yield
    exchanges.check()


@pytest.fixture(scope="session")
def open_dixa(exchanges: Exchanges) -> Iterator[Opener]:
    """Start a sandbox and check its exchanges."""
    opened: list[Sandbox] = []

    def open_one(settings: SandboxSettings) -> Sandbox:
        sandbox = Sandbox(settings)
        sandbox.on_exchange.append(exchanges.add)
        opened.append(sandbox.start())
        return sandbox

    yield open_one
    for each in opened:
        each.stop()


@pytest.fixture(scope="session")
def dixa(open_dixa: Opener) -> Sandbox:
    """Start a sandbox without a rate limit."""
    return open_dixa(SandboxSettings(tokens=(API_TOKEN,), secret=WEBHOOK_SECRET, rate=None))


@contextmanager
def _starter(factory: pytest.TempPathFactory, redis_server: RedisServer, dixa: Sandbox) -> Iterator[Starter]:
    started: list[Afterword] = []

    def start_one(surveys: str, *names: str, dixa_url: str = dixa.api_url, **environ: str) -> Afterword:
        folder = factory.mktemp("afterword")
        afterword = Afterword(folder, _environ(folder, surveys, dixa_url, redis_server.new_database(), environ))
        started.append(afterword)
        return afterword.start(*names)

    try:
        yield start_one
    finally:
        for each in started:
            each.stop()


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer, dixa: Sandbox) -> Iterator[Starter]:
    """Start processes with a separate surveys.toml: `start(surveys, "web", LEASE="2s")`. They end with the module."""
    with _starter(tmp_path_factory, redis_server, dixa) as start:
        yield start


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


@pytest.fixture(scope="package")
def afterword(
    tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer, dixa: Sandbox
) -> Iterator[Afterword]:
    """Start a web and a worker for all tests that don't change them. They stop after this folder, to save CPU."""
    with _starter(tmp_path_factory, redis_server, dixa) as start:
        yield start(SURVEYS)


@pytest.fixture
def new_survey(afterword: Afterword, dixa: Sandbox) -> Iterator[NewSurvey]:
    """Make a conversation with these facts: `new_survey(channel="Sms")`."""
    dixa.sends_webhooks_to(afterword.webhook_url)
    client = patient(afterword.redis_url)
    records = Records(client, lease=timedelta(seconds=60), keep=timedelta(days=90))
    links = Links([SECRET_KEY], afterword.url)
    yield lambda **facts: LiveSurvey(dixa, records, links, dixa.make_conversation(**facts))
    client.close()
