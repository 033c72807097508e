"""`/api/v1`: pages of surveys and answers, and what is known of one conversation."""

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import redis
from click.testing import CliRunner
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.archive.extract import ANSWERS
from service.cli import main
from service.records.failure_guard import MAX_FAILURES
from service.records.names import Names, NamesInDixa
from service.records.records import Records
from service.surveys.definition import OnReclose
from service.surveys.model import Decision
from service.surveys.reasons import Reason
from service.surveys.states import Verdict
from service.web.app import create_app
from tests.archive.rows import make_answer, make_row, open_with
from tests.harness import AT_ONCE
from tests.processes import API_TOKEN, PUBLIC_URL, SECRET_KEY, WEBHOOK_SECRET, RedisServer, settings_for
from tests.records.steps import MINUTE, SURVEY_ID, claim, close_of

READ_TOKEN = "a-token-of-programs-0123456789"
BEARER = {"Authorization": f"Bearer {READ_TOKEN}"}


def make_client(redis_url: str, archive_url: str = "off") -> FlaskClient:
    settings = settings_for(redis_url, API_READ_TOKEN=READ_TOKEN, ARCHIVE_URL=archive_url)
    return create_app(settings).test_client()


def get(client: FlaskClient, path: str, **given: Any) -> TestResponse:
    return client.get(f"/api/v1/{path}", base_url=PUBLIC_URL, headers=BEARER, **given)


def follow(client: FlaskClient, path: str) -> list[Any]:
    """Return the rows of all pages, by their cursors."""
    name, found = path.partition("?")[0], []
    page = get(client, path).json
    while page:
        found += page[name]
        cursor = page["next_cursor"]
        page = get(client, f"{path}&cursor={cursor}").json if cursor else None
    return found


def test_without_the_setting_there_are_no_such_routes(redis_url: str) -> None:
    client = create_app(settings_for(redis_url)).test_client()
    assert client.get("/api/v1/surveys", base_url=PUBLIC_URL, headers=BEARER).status_code == 404


@pytest.mark.parametrize("path", ["surveys", "answers", "surveys/48201"])
@pytest.mark.parametrize("given", ["", "Bearer wrong", f"Basic {READ_TOKEN}", "Bearer \xfc"])
def test_a_request_without_the_token_is_refused(redis_url: str, path: str, given: str) -> None:
    headers = {"Authorization": given}
    response = make_client(redis_url).get(f"/api/v1/{path}", base_url=PUBLIC_URL, headers=headers)
    assert response.status_code == 401
    assert response.json == {
        "field": "Authorization",
        "problem": "The token is missing or wrong.",
        "remedy": "Send `Bearer` and API_READ_TOKEN.",
    }


def test_wrong_tokens_of_an_address_are_limited(redis_url: str, keys: Any) -> None:
    client = make_client(redis_url)
    statuses = [client.get("/api/v1/answers", base_url=PUBLIC_URL).status_code for _ in range(MAX_FAILURES + 1)]
    assert statuses == [401] * MAX_FAILURES + [429]
    assert get(client, "surveys/7").status_code == 404


def test_all_pages_have_each_survey_once(redis_url: str, archive_url: str) -> None:
    open_with(archive_url, *(make_row(number) for number in range(48201, 48208)))
    client = make_client(redis_url, archive_url)
    for limit in (1, 3, 7, 100):
        found = follow(client, f"surveys?limit={limit}")
        assert [each["survey_id"] for each in found] == [str(number) for number in range(48201, 48208)]
    found = follow(client, "surveys?limit=2&since=2026-11-20T12:05:00Z")
    assert [each["survey_id"] for each in found] == ["48206", "48207"]


def test_answers_have_their_columns_and_times_in_utc(redis_url: str, archive_url: str) -> None:
    open_with(archive_url, make_answer(48201, tags=["vip"], agent_id="a1"), make_row(48202))
    with redis.Redis.from_url(redis_url) as client:
        Names(client).store(NamesInDixa({"a1": "Ida Holm"}))
    page = get(make_client(redis_url, archive_url), "answers").json
    assert page
    (answer,) = page["answers"]
    assert [*answer] == [*ANSWERS.columns]
    assert (answer["csat"], answer["tags"], answer["answered_at"]) == (4, ["vip"], "2026-11-21T12:00:00.000Z")
    assert (answer["agent_id"], answer["agent_name"]) == ("a1", "Ida Holm")
    assert page["next_cursor"] is None


def test_pages_of_csv_make_one_file(redis_url: str, archive_url: str) -> None:
    open_with(archive_url, *(make_answer(number, contact_point="+45") for number in range(48201, 48206)))
    client, parts = make_client(redis_url, archive_url), []
    response = get(client, "answers?format=csv&limit=2")
    while True:
        parts.append(response.text)
        assert response.content_type == "text/csv; charset=utf-8"
        if "Link" not in response.headers:
            break
        url, rel = response.headers["Link"].split(">; ")
        assert rel == 'rel="next"'
        response = get(client, url.removeprefix(f"<{PUBLIC_URL}/api/v1/"))
    rows = [*csv.DictReader(io.StringIO("".join(parts).removeprefix("\ufeff"), newline=""))]
    assert [row["survey_id"] for row in rows] == [str(number) for number in range(48201, 48206)]
    assert {row["contact_point"] for row in rows} == {"'+45"}


@pytest.mark.parametrize(
    ("path", "status", "field", "remedy"),
    [
        ("surveys?since=yesterday", 400, "since", "Write 2026-11-01, 2026-11-01T08:00:00Z or 30d."),
        ("surveys?cursor=x", 400, "cursor", "Send next_cursor of the page before, unchanged."),
        ("surveys?limit=0", 400, "limit", "Write a number from 1 to 5000."),
        ("surveys?limit=5001", 400, "limit", "Write a number from 1 to 5000."),
        ("surveys?limit=٣", 400, "limit", "Write a number from 1 to 5000."),
        ("answers?format=xml", 400, "format", "Write json or csv. For Parquet: afterword export --parquet"),
        ("answers?sinse=30d", 400, "sinse", "Use since, cursor, limit and format."),
        ("surveys/x", 400, "conversation", "Write its number, such as 48201."),
        ("surveys/48299", 404, "conversation", "To ask about it: afterword ask 48299"),
    ],
)
def test_a_mistake_is_named_with_the_way_out(
    redis_url: str, tmp_path: Any, path: str, status: int, field: str, remedy: str
) -> None:
    url = f"sqlite:///{tmp_path}/archive.db"
    open_with(url)
    response = get(make_client(redis_url, url), path)
    assert response.json
    assert (response.status_code, response.json["field"], response.json["remedy"]) == (status, field, remedy)
    assert response.json["problem"]


def test_a_request_for_another_host_is_refused_as_json(redis_url: str) -> None:
    response = make_client(redis_url).get("/api/v1/surveys", base_url="https://other.example", headers=BEARER)
    assert response.status_code == 400
    assert response.json
    assert response.json["problem"]


def test_without_an_archive_lists_say_so(redis_url: str) -> None:
    response = get(make_client(redis_url), "surveys")
    assert (response.status_code, response.json) == (
        404,
        {"field": None, "problem": "There is no archive.", "remedy": "Set ARCHIVE_URL."},
    )


def test_an_archive_or_redis_that_is_away_is_a_503(
    own_redis: RedisServer, tmp_path: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    client = make_client(own_redis.url, f"sqlite:///{tmp_path}/none.db")
    for path, what in (("surveys", "The archive"), ("surveys", "Redis"), ("surveys/48201", "Redis")):
        if what == "Redis":
            own_redis.stop()
        response = get(client, path)
        assert response.json
        assert (response.status_code, response.json["problem"]) == (503, f"{what} can't be read.")
        assert response.headers["Retry-After"] == "30"
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_survey_is_what_the_command_says(redis_url: str, records: Records) -> None:
    terms = replace(AT_ONCE, on_reclose=OnReclose.ALWAYS, cooldown=timedelta())
    records.accept(close_of(ago=MINUTE), [terms])
    records.decide(claim(records), Decision(Verdict.SKIP, Reason.MACHINE))
    records.accept(close_of(), [terms])
    environ = {
        "DIXA_API_TOKEN": API_TOKEN, "DIXA_WEBHOOK_SECRETS": WEBHOOK_SECRET, "SECRET_KEYS": SECRET_KEY,
        "PUBLIC_URL": PUBLIC_URL, "REDIS_URL": redis_url,
    }  # fmt: skip
    said = CliRunner().invoke(main, ["why", SURVEY_ID, "--json"], env=environ).output
    response = get(make_client(redis_url), f"surveys/{SURVEY_ID}")
    assert response.status_code == 200
    assert response.json == json.loads(said)
    assert response.json
    assert (response.json["state"], response.json["earlier_rounds"][0]["reason"]) == ("waiting", "machine")
    assert get(make_client(redis_url), f"surveys/{SURVEY_ID}-2").json == response.json
