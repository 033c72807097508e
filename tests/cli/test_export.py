"""`afterword export`: an archive becomes a file."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.archive.rows import make_answer, make_row, open_with
from tests.cli.conftest import Runner
from tests.processes import BIN, ROOT, SECRET_KEY, WEBHOOK_SECRET

NOWHERE = "sqlite:////nowhere/archive.db"


def test_answers_are_written_to_a_file(run: Runner, archive_url: str, tmp_path: Path) -> None:
    open_with(archive_url, make_answer(48201), make_row(48202))
    file = tmp_path / "answers.csv"
    result = run("export", "answers", "--output", str(file), ARCHIVE_URL=archive_url)
    assert result.stdout == ""
    assert f"Written: {file}" in result.stderr
    header, line = file.read_text(encoding="utf-8").splitlines()
    assert header.startswith("\ufeffsurvey_id,conversation_id,survey,")
    assert line.startswith("48201,48201,support,")
    assert [each.name for each in tmp_path.glob("*.partial")] == []


def test_surveys_are_written_to_stdout_as_json_lines(run: Runner, archive_url: str) -> None:
    open_with(archive_url, make_row(48201), make_row(48202))
    result = run("export", "surveys", "--json", "--since", "2026-11-20T12:01:00Z", ARCHIVE_URL=archive_url)
    (line,) = result.stdout.splitlines()
    assert json.loads(line)["survey_id"] == "48202"


def test_without_redis_the_names_of_agents_are_missing(run: Runner, archive_url: str) -> None:
    open_with(archive_url, make_answer(48201, agent_id="a1"))
    result = run("export", "answers", "--json", ARCHIVE_URL=archive_url, REDIS_URL="redis://127.0.0.1:1/0")
    answer = json.loads(result.stdout)
    assert (answer["agent_id"], answer["agent_name"]) == ("a1", None)
    assert "Without the names of agents: Redis is unavailable" in result.stderr


def test_parquet_is_written(run: Runner, archive_url: str, tmp_path: Path) -> None:
    open_with(archive_url, make_answer(48201))
    file = tmp_path / "answers.parquet"
    run("export", "answers", "--parquet", "--output", str(file), ARCHIVE_URL=archive_url)
    assert pq.read_table(file).num_rows == 1


def test_parquet_without_its_package_names_the_command(
    run: Runner, archive_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_with(archive_url)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = run("export", "answers", "--parquet", fails=True, ARCHIVE_URL=archive_url)
    assert "Parquet needs pyarrow: pip install --require-hashes -r requirements-parquet.txt" in result.output


@pytest.mark.parametrize(
    ("arguments", "url", "problem"),
    [
        (
            ["--since", "yesterday"],
            NOWHERE,
            "is neither a time nor a duration. Write 2026-11-01",
        ),
        ([], "off", "There is no archive: ARCHIVE_URL is off"),
        ([], NOWHERE, "The archive can't be read: SQLITE_CANTOPEN. The first worker makes it."),
        (
            ["--output", "/nowhere/answers.csv"],
            NOWHERE,
            "/nowhere/answers.csv can't be written",
        ),
    ],
)
def test_a_mistake_is_named_with_the_way_out(run: Runner, arguments: list[str], url: str, problem: str) -> None:
    assert problem in run("export", "answers", *arguments, fails=True, ARCHIVE_URL=url).output


def test_a_failed_export_leaves_the_former_file(run: Runner, tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    file.write_text("of yesterday")
    run("export", "answers", "--output", str(file), fails=True, ARCHIVE_URL=NOWHERE)
    assert file.read_text() == "of yesterday"
    assert [each.name for each in tmp_path.glob(".*")] == []


def test_a_reader_that_ends_early_is_no_error(archive_url: str, tmp_path: Path) -> None:
    open_with(archive_url, *(make_row(number) for number in range(48201, 50201)))
    environ = {
        "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "DIXA_API_TOKEN": "x" * 20, "SECRET_KEYS": SECRET_KEY,
        "DIXA_WEBHOOK_SECRETS": WEBHOOK_SECRET, "PUBLIC_URL": "https://x.example", "REDIS_URL": "redis://127.0.0.1:1/0",
        "ARCHIVE_URL": archive_url,
    }  # fmt: skip
    done = subprocess.run(  # noqa: S602 - a pipe
        f"{BIN}/afterword export surveys --json | head -1",
        shell=True,
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(done.stdout)["survey_id"] == "48201"
    assert "Traceback" not in done.stderr
