"""The window as gunicorn serves it: with a filled archive, and surveys that wait, failed or were not asked."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import requests

from service.doctor.finding import fail as fault
from service.doctor.finding import ok, warn
from service.doctor.last_run import LastRun, LastRuns
from service.records.due_archive import DueArchive
from service.records.names import Names
from service.records.processes import Processes
from service.sandbox.server import Sandbox
from service.surveys.definition import Survey
from tests.harness import AT_ONCE, Story
from tests.processes import Afterword, patient
from tests.reports.rows import plausible_rows
from tests.web.operator.filled_window import NAMES, fill
from tests.web.operator.test_failed import fail, fail_answer
from tests.web.operator.window_client import LOGINS, PASSWORDS

SURVEYS = '[[survey]]\nname = "default"\ndelay = "15m"\n'


@dataclass(frozen=True)
class Window:
    """The window behind a URL. It has the conversations of these kinds."""

    url: str
    story: Story
    failed: str
    not_asked: str
    made_on: date

    def fetch(self, path: str, name: str = "anna") -> str:
        response = requests.get(f"{self.url}{path}", auth=(name, PASSWORDS[name]), timeout=20)
        assert response.status_code < 500, response.text
        return response.text

    def views(self) -> dict[str, str]:
        """Return the path of each view, and of a story."""
        names = ("funnel", "results", "answers", "failed", "set-up")
        views = {name: f"/operator/{name}" for name in names}
        return {"today": "/operator", **views, "story": f"/operator/story?q={self.failed}"}

    def paths(self) -> list[str]:
        """Return all views of the navigation, and other states of them."""
        views = re.findall(r'<li><a href="(/operator[^"]*)"', self.fetch("/operator").partition("</nav>")[0])
        filtered = ["/operator/results?period=7d&survey=default&by=queue", "/operator/funnel?period=nonsense"]
        stories = [f"/operator/story?q={each}" for each in (self.failed, self.not_asked, "hello")]
        return [*views, *filtered, *stories, "/operator?done=pause", "/operator/failed?retried=2"]


@contextmanager
def served_window(redis_url: str, sandbox: Sandbox, folder: Path) -> Iterator[Window]:
    """Start the web with the window."""
    (folder / "surveys.toml").write_text(SURVEYS)
    now, archive_url = datetime.now(UTC), f"sqlite:///{folder}/archive.db"
    archive = fill(archive_url, plausible_rows(2000, now - timedelta(days=90), now))
    web = Afterword(
        folder,
        {
            "REDIS_URL": redis_url,
            "OPERATOR_LOGINS": LOGINS,
            "SURVEYS_FILE": str(folder / "surveys.toml"),
            "ARCHIVE_URL": archive_url,
            "DIXA_APP_URL": "https://northwind.dixa.com",
            "BRAND_NAME": "Northwind",
        },
    )
    web.start("web")
    client = patient(redis_url)
    sandbox.reset()
    story = Story(client, "afterword:", sandbox)
    DueArchive.beside(story.records).restart(archive)
    Names.beside(story.records).store(NAMES)
    failed, _ = fail(story), fail_answer(story)
    later = replace(AT_ONCE, not_before=datetime.now(UTC) + timedelta(days=1))
    not_asked = story.close(sandbox.make_conversation(), later)
    for _ in range(3):
        story.begin(Survey(delay=timedelta(days=1)), closed_at=datetime.now(UTC))
    Processes(client, {}, surveys_file=SURVEYS.replace("15m", "1h")).write("worker")
    found = [
        ("dixa.tags", warn("no tag `vip`", "Make it")),
        ("smtp", fault("refused")),
        ("slack", ok("reached")),
    ]
    LastRuns(client).write(LastRun(datetime.now(UTC) - timedelta(hours=5), "host-a", found))
    try:
        yield Window(web.url, story, failed, not_asked, now.date())
    finally:
        web.stop()
        client.close()
