"""`afterword stats` by survey, channel and queue, from the archive."""

import json
from datetime import UTC, datetime

import pytest
import redis

from service.records.names import Names, NamesInDixa
from tests.archive.rows import make_row, open_with
from tests.cli.conftest import Runner

NOW = datetime.now(UTC)


def test_decisions_of_a_queue(run: Runner, archive_url: str) -> None:
    rows = [
        make_row(1, closed_at=NOW, decided_at=NOW, asked_at=NOW, queue_name="Billing"),
        make_row(2, closed_at=NOW, decided_at=NOW, state="skipped", reason="machine", queue_name="Support"),
    ]
    open_with(archive_url, *rows)
    output = run("stats", "--days", "1", "--queue", "billing", ARCHIVE_URL=archive_url).output
    assert [line.split()[0] for line in output.splitlines()] == ["decision", "asked", "all"]
    found = json.loads(run("stats", "--days", "2", "--queue", "support", "--json", ARCHIVE_URL=archive_url).output)
    assert [*found.values()] == [{}, {"machine": 1}]


def test_steps_by_survey(run: Runner, archive_url: str) -> None:
    open_with(archive_url, make_row(1, closed_at=NOW, asked_at=NOW), make_row(2, closed_at=NOW, survey=""))
    lines = run("stats", "--by", "survey", ARCHIVE_URL=archive_url).output.splitlines()
    assert lines[0].split() == ["survey", "closed", "asked", "delivered", "answered", "submitted", "failed"]
    assert [line.split()[:3] for line in lines[1:]] == [["(none)", "1", "0"], ["support", "1", "1"]]
    found = json.loads(run("stats", "--by", "survey", "--json", ARCHIVE_URL=archive_url).output)
    assert found["support"]["asked"] == 1


def test_queues_without_a_name_get_that_of_dixa(run: Runner, archive_url: str, keys: redis.Redis) -> None:
    open_with(
        archive_url,
        make_row(1, closed_at=NOW, asked_at=NOW, queue_id="q1", queue_name="Billing"),
        make_row(2, closed_at=NOW, asked_at=NOW, queue_id="q1"),
        make_row(3, closed_at=NOW, queue_id="q2"),
    )
    Names(keys).store(NamesInDixa(queues={"q1": "Billing"}))
    found = json.loads(run("stats", "--by", "queue", "--json", ARCHIVE_URL=archive_url).output)
    assert {name: counts["closed"] for name, counts in found.items()} == {"Billing": 2, "q2": 1}
    found = json.loads(run("stats", "--days", "1", "--queue", "billing", "--json", ARCHIVE_URL=archive_url).output)
    assert [*found.values()] == [{"asked": 2}]


def test_nothing_is_said_to_be_nothing(run: Runner, archive_url: str) -> None:
    open_with(archive_url)
    assert run("stats", "--by", "queue", ARCHIVE_URL=archive_url).output == "No surveys in the last 7 days.\n"
    assert run("stats", "--queue", "x", ARCHIVE_URL=archive_url).output == "No decisions in the last 7 days.\n"


@pytest.mark.parametrize("arguments", [["--by", "queue"], ["--channel", "Email"]])
def test_without_an_archive_it_says_so(run: Runner, arguments: list[str]) -> None:
    assert "There is no archive" in run("stats", *arguments, fails=True, ARCHIVE_URL="off").output
    assert run("stats", ARCHIVE_URL="off").output == "No decisions in the last 7 days.\n"
