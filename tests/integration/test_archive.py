"""Running workers write the archive, whatever happens to it meanwhile."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis
import requests
from click.testing import CliRunner
from sqlalchemy import delete

from service.archive.engine import open_engine
from service.archive.schema import SURVEY
from service.cli import main
from service.records.due_archive import DueArchive
from service.records.records import Records
from service.sandbox.server import Sandbox
from service.surveys.links import Links
from service.surveys.retention import ArchiveRetention
from tests.archive.comparison import find_stale, read_rows
from tests.integration.conftest import SURVEYS, Starter
from tests.integration.live_survey import LiveSurvey
from tests.polling import eventually
from tests.processes import SECRET_KEY, Afterword, patient

DAY = timedelta(days=1)
RETENTION = ArchiveRetention(1825 * DAY, 395 * DAY)


def run_command(afterword: Afterword, *arguments: str) -> str:
    result = CliRunner().invoke(main, arguments, env=dict(afterword.environ), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


class Installation:
    """A web and a worker with an archive."""

    def __init__(self, start: Starter, dixa: Sandbox, url: str, **environ: str) -> None:
        self.url = url
        self.afterword: Afterword = start(SURVEYS, ARCHIVE_URL=url, **environ)
        self.dixa = dixa
        dixa.sends_webhooks_to(self.afterword.webhook_url)
        self.client: redis.Redis = patient(self.afterword.redis_url)
        self.records = Records(self.client, lease=timedelta(seconds=60), keep=90 * DAY)
        self.due = DueArchive.beside(self.records)

    def survey(self, score: int | None = None) -> str:
        """Make a survey, answered if there is a score, and return its id."""
        links = Links([SECRET_KEY], self.afterword.url)
        number = self.dixa.make_conversation(queue="Briefly editable")
        story = LiveSurvey(self.dixa, self.records, links, number).close()
        link = story.link()
        if score:
            assert requests.post(link, data={"rating": str(score)}, timeout=30).ok
            story.submitted()
        return str(story.id)

    def is_current(self) -> bool:
        return self.due.count_due() == 0 and find_stale(self.records, self.url, RETENTION) == []


@pytest.fixture
def installation(start: Starter, dixa: Sandbox, archive_url: str) -> Iterator[Installation]:
    made = Installation(start, dixa, archive_url)
    yield made
    made.afterword.stop()
    made.client.close()


def test_rows_follow_the_records_and_are_made_again_from_them(installation: Installation) -> None:
    answered, silent = installation.survey(4), installation.survey()
    eventually(installation.is_current)
    rows = read_rows(installation.url)
    assert [(rows[each]["state"], rows[each]["csat"]) for each in (answered, silent)] == [
        ("submitted", 4),
        ("delivered", None),
    ]
    with open_engine(installation.url, writes=True).begin() as connection:
        connection.execute(delete(SURVEY))
    told = run_command(installation.afterword, "archive", "rebuild")
    assert told.startswith("2 surveys are due for the archive.")
    eventually(lambda: read_rows(installation.url) == rows)


def test_erased_survey_is_erased_in_the_archive(installation: Installation) -> None:
    survey_id = installation.survey(1)
    eventually(installation.is_current)
    record = installation.records.load(survey_id)
    assert record
    requester = installation.dixa.conversation(int(survey_id)).requester.id
    run_command(installation.afterword, "erase", requester, "--yes")
    eventually(lambda: read_rows(installation.url)[survey_id]["csat"] is None)
    assert read_rows(installation.url)[survey_id]["reason"] == "erased"
    eventually(installation.is_current)


def test_dead_archive_loses_nothing_and_delays_nothing(start: Starter, dixa: Sandbox, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    folder.write_text("a file where the folder should be", encoding="utf-8")
    installation = Installation(start, dixa, f"sqlite:///{folder}/archive.db")
    survey_id = installation.survey(5)
    eventually(lambda: "archive.failed" in installation.afterword.log)
    assert installation.due.count_due() == 1
    folder.unlink()
    eventually(installation.is_current)
    assert read_rows(installation.url)[survey_id]["csat"] == 5
    installation.afterword.stop()


def test_worker_with_another_archive_writes_nothing_until_it_takes_over(
    start: Starter, dixa: Sandbox, tmp_path: Path
) -> None:
    installation = Installation(start, dixa, f"sqlite:///{tmp_path}/this.db")
    survey_id = installation.survey(3)
    eventually(installation.is_current)
    installation.afterword.stop()
    other = f"sqlite:///{tmp_path}/other.db"
    again = start(SURVEYS, "worker", ARCHIVE_URL=other, REDIS_URL=installation.afterword.redis_url)
    eventually(lambda: "another archive" in again.log)
    assert read_rows(other) == {}
    run_command(again, "archive", "rebuild")
    eventually(lambda: survey_id in read_rows(other))
    again.stop()


def test_archive_can_be_off(start: Starter, dixa: Sandbox, tmp_path: Path) -> None:
    installation = Installation(start, dixa, "off")
    installation.survey(3)
    assert installation.due.count_due() == 0
    assert not list(Path(installation.afterword.environ["SPOOL_DIR"]).parent.glob("archive*"))
    installation.afterword.stop()
