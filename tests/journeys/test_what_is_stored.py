"""The table of docs/security-and-privacy.md has every key and field that surveys leave, and what an erasure keeps."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time
from typing import Any

import pytest
import redis
from click.testing import CliRunner

from config.fingerprint import take_fingerprint
from service.cli import main
from service.dixa.events import load_event
from service.dixa.outage import Outage
from service.dixa.token_check import TokenCheck
from service.doctor.last_run import LastRun, LastRuns
from service.intake.spool import Spool
from service.records.answer_transitions import GivenAnswer
from service.records.digest_slots import DigestSlots
from service.records.due_archive import DueArchive
from service.records.names import Names, NamesInDixa
from service.records.outcomes import Outcome
from service.records.processes import Processes
from service.records.records import Records
from service.sandbox.dixa.model import Person
from service.sandbox.dixa.webhooks import closed_event
from service.surveys.definition import OnReclose
from service.surveys.errors import CallError
from service.surveys.links import Link, Links
from service.surveys.model import UNCONFIRMED, Change, Claim, Close, Decision
from service.surveys.ports import Deadline
from service.surveys.reasons import Reason
from service.surveys.retention import Retention
from service.surveys.states import ChangeKind, FoundBy, Journey, SurveyEvent, Verdict
from service.web.app import create_app
from tests.harness import AT_ONCE, CSAT, DAY, Story, without_redis
from tests.journeys.action_story import EDITABLE, LOW, ActionStory
from tests.journeys.channel_story import ChannelStory
from tests.journeys.mail_story import MailStory
from tests.moments import moment
from tests.processes import API_TOKEN, PUBLIC_URL, ROOT, SECRET_KEY, WEBHOOK_SECRET, RedisServer, patient, settings_for
from tests.web.operator.window_client import LOGINS, basic

IDA = Person("Ida Holm", "ida@example.com", "+4512345678")
COMMENTED = replace(EDITABLE, on_answer=(replace(LOW, comment=True),))
ELSEWHERE = {"_kombu.*", "check", "confirm", "dixa:probe", "missed", "missed:lease", "probe"}
"""Keys of a moment, of the queue's library, of replicas, or of the search for missed closes."""


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    return redis_server.new_database()


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    client = patient(redis_url)
    yield client
    client.close()


@pytest.fixture
def prefix() -> str:
    return "afterword:"


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    keys: list[str]
    fields: list[str]
    erasure: str


def read_table() -> list[Row]:
    text = (ROOT / "docs" / "security-and-privacy.md").read_text(encoding="utf-8")
    table = text.split("<!-- stored -->")[1].split("<!-- end -->")[0]
    rows = [line.strip("|").split("|") for line in table.strip().splitlines()[2:]]
    return [Row(_names(row[2]), _names(row[3]), row[5].strip()) for row in rows]


def _names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


TABLE = read_table()
KEYS = [each for row in TABLE for each in row.keys]
FIELDS = [each for row in TABLE for each in row.fields]
_PLACES = {"<journey>": "(offer|answer|follow_up)", "<type>": r"\w+", "<name>": ".+", "*": ".+"}


def is_of(pattern: str, name: str) -> bool:
    """Return whether a name is of a pattern such as `retry:<id>:email`."""
    parts = re.split(r"(<[^>]*>|\*)", pattern)
    return bool(
        re.fullmatch("".join(_PLACES.get(each, "[^:]+" if "<" in each else re.escape(each)) for each in parts), name)
    )


def pattern_of(patterns: list[str], name: str) -> str:
    """Return the one pattern of a name. The most specific one comes first."""
    exact = [each for each in patterns if each == name]
    found = exact or [each for each in patterns if is_of(each, name)]
    assert len(found) == 1, f"{name} is in the table {len(found)} times: {found}"
    return found[0]


class Seen:
    """The keys and fields seen so far."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self.keys: set[str] = set()
        self.fields: set[str] = set()

    def look(self) -> None:
        self.keys |= {str(key).removeprefix("afterword:") for key in self._client.scan_iter()}
        for key in self._client.scan_iter("afterword:survey:*"):
            self.fields |= fields_of(self._client, str(key))


def fields_of(client: redis.Redis, key: str) -> set[str]:
    """Return the names of a record's fields, with those inside of its close."""
    fields: dict[str, str] = client.hgetall(key)  # type: ignore[assignment]
    close = json.loads(fields["close"]) if fields.get("close") else {}
    return {name for name in fields if name != "close"} | {f"close.{name}" for name in close}


@pytest.fixture
def seen(redis_client: redis.Redis) -> Seen:
    return Seen(redis_client)


def close(story: Story, **terms: Any) -> str:
    """Close a conversation of Ida's with all facts, and take its webhook."""
    number = story.dixa.make_conversation(requester=IDA, channel="Email")
    return story.close(number, replace(AT_ONCE, **terms), tags=("vip",), found_by=FoundBy.SEARCH)


def claim(story: Story, survey_id: str, journey: Journey = Journey.OFFER) -> Claim:
    found = story.records.claim(journey, survey_id)
    assert found
    return found


def remind(mail_story: MailStory, seen: Seen) -> None:
    """An e-mail and its reminder, a survey skipped by the cooldown, and two rounds."""
    story = mail_story.story
    survey_id = close(story, deliver=("email",), reminder=3 * DAY, daily_cap=9, cooldown=9 * DAY)
    seen.look()
    story.run_until(story.offering, survey_id, lambda record: record.offer.state == "reminding")
    seen.look()
    story.records._redis.hset(f"afterword:survey:{survey_id}", "offer_due", "0")
    story.run_until(story.offering, survey_id, lambda record: record.offer.reminded_at is not None)
    assert story.close(int(survey_id), AT_ONCE) == survey_id
    skipped = close(story, cooldown=9 * DAY)
    story.run_until(story.offering, skipped, lambda record: record.offer.state == "skipped")
    again = replace(AT_ONCE, on_reclose=OnReclose.ALWAYS, cooldown=timedelta())
    first = story.begin(again)
    story.ask(first)
    assert story.close(int(first), again) == f"{first}-2"
    delayed = close(story, delay=DAY)
    story.records.accept(replace(close_of(story, delayed), conversation_id=7), [AT_ONCE, replace(AT_ONCE, name="b")])
    seen.look()


def close_of(story: Story, survey_id: str) -> Close:
    found = story.load(survey_id).close
    assert found
    return found


def answer(action_story: ActionStory, seen: Seen) -> str:
    """An answer that changes, with all actions; one whose actions fail; one that a machine may have sent."""
    survey_id = action_story.alerted(COMMENTED, (1, 2), "My card is 4711")
    seen.look()
    action_story.finish(survey_id)
    action_story.receiver.next["/answer"] = [400]
    action_story.follow(action_story.answered(1, "Too slow"))
    story = action_story.story
    suspect = story.load(action_story.ask())
    terms = replace(AT_ONCE, suspect_editable_for=timedelta())
    given = GivenAnswer(Link.to(suspect), terms, {CSAT: 1}, "", "en", is_suspect=True)
    assert story.records.save_answer(given) == Outcome.SAVED
    seen.look()
    story.records.mark_restored()
    found = claim(story, suspect.survey_id, Journey.ANSWER)
    story.records.begin_call(found, CSAT, (), timedelta())
    seen.look()
    story.records.call_failed(found, timedelta())
    seen.look()
    found = claim(story, suspect.survey_id, Journey.ANSWER)
    story.records.fail(found, Reason.REFUSED)
    assert story.records.retry(Journey.ANSWER, suspect.survey_id) == Outcome.RETRIED
    seen.look()
    return survey_id


def fail(channel_story: ChannelStory, seen: Seen) -> None:
    """Channels that refuse, a lost call, and a failed offer that keeps the address."""
    story = channel_story.story
    by_mail = close(story, deliver=("email",), cooldown=timedelta())
    noting = Records(story.records._redis, lease=DAY, keep=DAY, events=[SurveyEvent.SKIPPED])
    noting.accept(replace(close_of(story, by_mail), conversation_id=8), [], Reason.CHANNEL)
    seen.look()
    story.records.fail(claim(story, by_mail), Reason.REFUSED)
    survey_id = close(story, cooldown=9 * DAY)
    found = claim(story, survey_id)
    story.records.decide(found, Decision(Verdict.ASK), "da", person=["hash"], cooldown_retention=DAY)
    story.records.begin_call(found, CSAT, (), timedelta())
    seen.look()
    story.records.call_failed(found, timedelta(), may_still_happen=True)
    found = claim(story, survey_id)
    story.records.begin_call(found, CSAT, (), timedelta())
    story.records.offered(found, CSAT, "rating")
    story.records.begin_delivery(found, "email")
    story.records.delivery_failed(found, "email", for_good=True)
    story.records.begin_delivery(found, "message")
    story.records.delivered(found, UNCONFIRMED)
    for number in (1, 2):
        story.channels.failed("email", str(number), "it is away")
    seen.look()
    story.channels.works("email", "3")
    seen.look()


def disturb(story: Story, seen: Seen, client: redis.Redis) -> None:
    """Refused tokens, a 429, and an outage of Dixa."""
    number = story.dixa.make_conversation()

    def query() -> None:
        with suppress(CallError):
            story.calls.ratings(story.calls.take_slot(Deadline(timedelta(seconds=5)), timedelta(seconds=1)), number)

    outage = Outage(client)
    for conversation_id in range(5):
        outage.count_failure(conversation_id, "Dixa returned 503")
    seen.look()
    outage.count_response()
    seen.look()
    client.decrby("afterword:dixa:down", 3_600_000)  # Short outages aren't kept.
    for _ in range(2):
        outage.count_response()
    seen.look()
    story.dixa.fails(1, 429, call="ratings")
    query()
    seen.look()
    client.delete("afterword:pace:pause")
    TokenCheck(client, timedelta(minutes=1)).check("a-token", lambda: True)
    story.dixa.fails(1, 403, call="ratings")
    story.dixa.fails(1, 401, call="organization")
    query()
    seen.look()


def test_table_has_every_key_and_field_once(
    mail_story: MailStory,
    action_story: ActionStory,
    channel_story: ChannelStory,
    redis_client: redis.Redis,
    redis_url: str,
    seen: Seen,
) -> None:
    remind(mail_story, seen)
    survey_id = answer(action_story, seen)
    fail(channel_story, seen)
    visit_the_page(action_story.story, redis_url, survey_id, seen)
    use_commands(redis_url, seen)
    disturb(Story(redis_client, "afterword:", action_story.dixa), seen, redis_client)
    archive(redis_client, seen)
    erase_all(redis_client, Retention(DAY, DAY, DAY, DAY))
    seen.look()
    used_keys = {pattern_of(KEYS, each) for each in seen.keys}
    used_fields = {pattern_of(FIELDS, each) for each in seen.fields}
    assert sorted(set(KEYS) - used_keys - ELSEWHERE) == []
    assert sorted(set(FIELDS) - used_fields) == []
    text = (ROOT / "docs" / "architecture" / "records.md").read_text(encoding="utf-8")
    explained = _names("".join(re.findall(r"^\|(.*?)\|", text.split("## Fields of a record")[0], re.MULTILINE)))
    for key in seen.keys:
        pattern_of(explained, key)


def visit_the_page(story: Story, redis_url: str, survey_id: str, seen: Seen) -> None:
    settings = settings_for(redis_url, OPERATOR_LOGINS=LOGINS)
    web, client = create_app(settings), story.records._redis
    link = Links([SECRET_KEY], PUBLIC_URL).url(Link.to(story.load(survey_id)))
    core = web.extensions["afterword"]
    short = core.short_links.shorten(survey_id, link, DAY).removeprefix(PUBLIC_URL)
    page = web.test_client()
    assert page.get(short, base_url=PUBLIC_URL).status_code == 302
    assert page.get(f"{short[:-1]}_x", base_url=PUBLIC_URL).status_code == 404
    assert page.get("/operator/failed", base_url=PUBLIC_URL, headers=basic("anna", "wrong")).status_code == 401
    path = link.removeprefix(PUBLIC_URL)
    page.post(path, base_url=PUBLIC_URL, data={"rating": "4", "comment": "x"})
    assert page.post(f"{path}/stop", base_url=PUBLIC_URL).status_code == 200
    seen.look()
    page.post(f"{path}/stop", base_url=PUBLIC_URL, data={"undo": "1"})
    core.records.delay_answers(DAY)
    hashes, calls = take_fingerprint(settings), lambda: {"ok": 1}
    Processes(client, hashes, webhook_at=time, calls=calls, surveys_file="x").write("web")
    LastRuns(client).write(LastRun(moment(), "host", []))
    DigestSlots(client).take("2026-11-30:abc")
    seen.look()


def archive(client: redis.Redis, seen: Seen) -> None:
    records = Records(client, lease=DAY, keep=90 * DAY, is_archived=True)
    records.accept(Close(9, datetime.now(UTC)), [AT_ONCE])
    DueArchive.beside(records).take("an archive")
    Names.beside(records).store(NamesInDixa({"a-1": "Aisha"}, {"q-1": "Returns"}))
    seen.look()


def use_commands(redis_url: str, seen: Seen) -> None:
    environ = {
        "REDIS_URL": redis_url,
        "DIXA_API_TOKEN": API_TOKEN,
        "DIXA_WEBHOOK_SECRETS": WEBHOOK_SECRET,
        "SECRET_KEYS": SECRET_KEY,
        "PUBLIC_URL": PUBLIC_URL,
    }
    for command in ("pause", "mark-restored"):
        assert CliRunner().invoke(main, [command], env=environ).exit_code == 0
    seen.look()


def erase_all(client: redis.Redis, retention: Retention | None = None) -> None:
    records = Records(client, lease=DAY, keep=90 * DAY, retention=retention)
    for key in map(str, [*client.scan_iter("afterword:survey:*")]):
        record = records.load(key.rpartition(":")[2])
        assert record
        records.erase(record)


def test_table_has_every_name_in_the_spool(channel_story: ChannelStory, tmp_path: Path) -> None:
    story = channel_story.story
    survey_id = close(story)
    story.ask(survey_id)
    link = Link.to(story.load(survey_id))
    spool = Spool(tmp_path, max_bytes=10**7)
    story.records = without_redis(story.records)
    intake = story.intake(replace(AT_ONCE, deliver=("email",)), replace(AT_ONCE, name="b"), spool=spool)
    event = closed_event(story.dixa.conversation(link.conversation_id), story.dixa.state.organization, at=moment())
    found = load_event(json.dumps(event).encode(), datetime.now(UTC)).close
    assert found
    intake.take_close(found)
    intake.take_change(Change(link.conversation_id, ChangeKind.REOPENED, moment()))
    intake.take_answer(GivenAnswer(link, AT_ONCE, {CSAT: 4}, "x", "en"))
    intake.take_opt_out(link, is_opt_in=False)
    entries = [json.loads(each.read_bytes()) for each in tmp_path.glob("*.json")]
    assert {each["kind"] for each in entries} == {"close", "change", "several"}
    every = [*entries, *(part for each in entries for part in each.get("entries", ()))]
    text = (ROOT / "docs" / "security-and-privacy.md").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith("| `SPOOL_DIR`"))
    assert {name for each in every for name in each} == {*_names(row.split("|")[2])}
    for name in (name for each in every for name in each.get("close", ())):
        pattern_of(FIELDS, f"close.{name}")


def test_erasure_keeps_what_the_table_says(
    mail_story: MailStory, action_story: ActionStory, channel_story: ChannelStory, redis_client: redis.Redis, seen: Seen
) -> None:
    remind(mail_story, seen)
    answer(action_story, seen)
    fail(channel_story, seen)
    by_erasure = {each: row.erasure for row in TABLE for each in row.fields}
    erase_all(redis_client)
    left = Seen(redis_client)
    left.look()
    assert {by_erasure[pattern_of(FIELDS, each)] for each in left.fields} == {"keeps"}
    assert {name for name, said in by_erasure.items() if said == "deletes"} <= {
        pattern_of(FIELDS, each) for each in seen.fields
    }
    assert not [each for each in left.keys if each.startswith("retry:")]


def test_only_these_keys_last(
    mail_story: MailStory, channel_story: ChannelStory, redis_client: redis.Redis, seen: Seen
) -> None:
    remind(mail_story, seen)
    fail(channel_story, seen)
    lasting = [
        str(each).removeprefix("afterword:") for each in redis_client.scan_iter() if redis_client.ttl(each) == -1
    ]
    # A record of an open survey; the rest is work to do.
    allowed = {"survey:<id>", "due:<journey>", "due:<journey>:first", "due:event", "reminding", "failed", "tasks"}
    assert {pattern_of(KEYS, each.removeprefix("afterword:")) for each in lasting} <= allowed
