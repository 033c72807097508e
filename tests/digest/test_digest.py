"""The weekly digest says what the archive has, once to each receiver, and never claims what chance explains."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import redis
from click.testing import CliRunner
from sqlalchemy import delete, insert
from structlog.testing import capture_logs

from config.parsers import WeeklyTime, weekly_time
from config.settings import Settings
from service.archive.engine import open_engine
from service.archive.schema import SURVEY, Stage
from service.archive.store import open_archive
from service.cli import main
from service.digest.schedule import last_due, week_until
from service.digest.send import DigestSender, targets_of
from service.digest.text import Letter
from service.doctor.installation import open_installation
from service.records.digest_slots import DigestSlots
from service.records.names import Names, NamesInDixa
from service.records.records import Records
from service.surveys.retention import ArchiveRetention
from tests.processes import API_TOKEN, PUBLIC_URL, SECRET_KEY, WEBHOOK_SECRET, RedisServer, patient, settings_for
from tests.receiver import Receiver, receiving
from tests.reports.rows import row_with
from tests.smtp import Post, post_office
from workers.digest import DigestLoop

DAY = timedelta(days=1)
COPENHAGEN = ZoneInfo("Europe/Copenhagen")
MONDAY = datetime(2026, 11, 30, 8, 0, tzinfo=COPENHAGEN)
THIS_WEEK, LAST_WEEK = MONDAY - 3 * DAY, MONDAY - 10 * DAY
LEAD, IDA = "lead@northwind.example", "ida@northwind.example"


@pytest.fixture
def post() -> Iterator[tuple[Post, Any]]:
    with post_office() as found:
        yield found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


class Installed:
    """An installation with an archive, a mail server and Slack."""

    def __init__(self, folder: Path, redis_url: str, port: int, slack: str, **environ: str) -> None:
        given = {
            "ARCHIVE_URL": f"sqlite:///{folder / 'archive.db'}",
            "SMTP_URL": f"smtp://localhost:{port}?starttls=off",
            "MAIL_FROM": "survey@northwind.example",
            "BRAND_NAME": "Northwind",
            "DIGEST_TO": f"{LEAD}, Ida Holm <{IDA}>",
            "DIGEST_SLACK_WEBHOOK_URL": f"{slack}/slack",
            "TIME_ZONE": "Europe/Copenhagen",
        }
        self.environ = given | environ
        self.settings: Settings = settings_for(redis_url, **self.environ)
        self.client = patient(redis_url)
        self.records = Records(self.client, lease=DAY, keep=DAY)
        open_archive(str(self.settings.archive_url), ArchiveRetention(1000 * DAY, 1000 * DAY, None)).prepare()
        self.sender = self.new_sender()

    def new_sender(self) -> DigestSender:
        """Return the sender of another worker."""
        opened = lambda: open_installation(self.settings, self.client, self.records)  # noqa: E731
        return DigestSender(self.settings, opened, DigestSlots.beside(self.records))

    def fill(self, *rows: dict[str, Any]) -> None:
        with open_engine(str(self.settings.archive_url), writes=True).begin() as connection:
            connection.execute(delete(SURVEY))
            connection.execute(insert(SURVEY), [row | {"survey_id": str(place)} for place, row in enumerate(rows)])

    def letter(self) -> Letter:
        return self.sender.write(MONDAY.date())


@pytest.fixture
def installed(
    tmp_path: Path, redis_server: RedisServer, post: tuple[Post, Any], receiver: Receiver
) -> Iterator[Installed]:
    found = Installed(tmp_path, redis_server.new_database(), post[1].port, receiver.url)
    yield found
    found.client.close()


def answered(at: datetime, csat: int, queue: str = "q1") -> dict[str, Any]:
    times = {"closed_at": at, "decided_at": at, "asked_at": at, "delivered_at": at, "answered_at": at}
    state = {"state": Stage.SUBMITTED, "submitted_at": at, "survey": "default"}
    return row_with(**times, **state, queue_id=queue, csat=csat)


def week(at: datetime, good: int, bad: int, queue: str = "q1") -> list[dict[str, Any]]:
    return [answered(at, 5, queue)] * good + [answered(at, 1, queue)] * bad


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (MONDAY, MONDAY),
        (MONDAY - timedelta(seconds=1), MONDAY - 7 * DAY),
        (MONDAY + 6 * DAY, MONDAY),
        (datetime(2026, 11, 30, 7, 0, tzinfo=UTC), MONDAY),
        (datetime(2026, 10, 26, 7, 0, tzinfo=UTC), datetime(2026, 10, 26, 8, 0, tzinfo=COPENHAGEN)),
    ],
)
def test_a_digest_is_due_at_its_time_in_the_time_zone(now: datetime, due: datetime) -> None:
    assert last_due(weekly_time("Mon 08:00"), COPENHAGEN, now) == due


def test_a_week_has_seven_local_days_also_when_the_clocks_change() -> None:
    found = week_until(datetime(2026, 10, 26, tzinfo=COPENHAGEN).date(), COPENHAGEN)
    assert found.period.since.isoformat() == "2026-10-19T00:00:00+02:00"
    assert found.period.until.isoformat() == "2026-10-26T00:00:00+01:00"
    assert found.before.until == found.period.since


@pytest.mark.parametrize("text", ["Monday 08:00", "Mon 24:00", "Mon 8:00", "08:00", "Mon"])
def test_a_wrong_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Mon 08:00"):
        weekly_time(text)
    assert weekly_time("sun 23:59") == WeeklyTime(6, datetime(2026, 1, 1, 23, 59).time())  # noqa: DTZ001


def test_the_numbers_are_of_the_week_and_the_one_before(installed: Installed) -> None:
    closed = row_with(closed_at=THIS_WEEK, state=Stage.SKIPPED, reason="channel", survey="default")
    installed.fill(*week(THIS_WEEK, 12, 3), closed, *week(LAST_WEEK, 5, 6), answered(MONDAY, 1))
    letter = installed.letter()
    assert [(each.label, each.now, each.before) for each in letter.digest.numbers] == [
        ("Closed", "16", "11"),
        ("Asked", "15", "11"),
        ("Delivered", "15", "11"),
        ("Answered", "15", "11"),
        ("In Dixa", "15", "11"),
    ]
    assert letter.digest.figures[0] == (
        "CSAT 80\u00a0% from 15 answers (95\u00a0% interval: 55–93\u00a0%). The week before: 45\u00a0%."
    )
    assert letter.week == "23–29 Nov 2026"


def test_few_answers_are_neither_shown_nor_compared(installed: Installed) -> None:
    installed.fill(*week(THIS_WEEK, 5, 4), *week(LAST_WEEK, 0, 40))
    letter = installed.letter()
    text = letter.as_text()
    assert letter.subject.startswith("Surveys 23–29 Nov 2026: few answers")
    assert "CSAT: too few answers to show (9)." in text
    assert "Too few answers to compare: that takes 30 in both weeks." in text


def test_a_difference_by_chance_is_no_change(installed: Installed) -> None:
    installed.fill(*week(THIS_WEEK, 30, 10), *week(LAST_WEEK, 34, 6))
    assert "Nothing by more than chance. One score was compared with the week before." in installed.letter().as_text()


def test_a_real_change_names_its_queue_and_its_interval(installed: Installed) -> None:
    Names.beside(installed.records).store(NamesInDixa({}, {"q2": "Returns <b>"}))
    before = [*week(LAST_WEEK, 60, 10), *week(LAST_WEEK, 45, 5, "q2")]
    installed.fill(*week(THIS_WEEK, 60, 10), *week(THIS_WEEK, 20, 30, "q2"), *before)
    letter = installed.letter()
    assert [each.partition(":")[0] for each in letter.digest.changes] == ["All", "Queue Returns <b>"]
    assert "CSAT fell from 90\u00a0% to 40\u00a0%, by 32 to 64 points." in letter.digest.changes[1]
    assert "3 scores were compared" in letter.as_text()
    assert "Returns &lt;b&gt;" in letter.as_html()


def test_what_is_broken_is_listed(installed: Installed) -> None:
    failed = row_with(
        closed_at=THIS_WEEK, asked_at=THIS_WEEK, state=Stage.FAILED, reason="refused", failure="offer", survey="default"
    )
    installed.fill(failed, failed)
    installed.client.hset("afterword:missed", mapping={"missed:2026-11-25": 3, "until": 1, "looked_at": 1})
    installed.client.zadd("afterword:failed", {"0": 1, "1": 2})
    problems = installed.letter().digest.problems
    assert not any(each.startswith("failed:") for each in problems), "they are named already"
    assert problems[:2] == [
        "2 surveys of the week failed for good (2 refused). To try again: afterword retry --all-failed.",
        "3 closes came without their webhook. They were found in Dixa and taken.",
    ]
    assert any(each.startswith("worker.alive: no worker is running") for each in problems)
    assert installed.letter().subject.endswith("problems")


def test_failures_of_earlier_weeks_are_named_by_the_doctor(installed: Installed) -> None:
    installed.client.zadd("afterword:failed", {"0": 1})
    assert any(each.startswith("failed: 1 failed for good") for each in installed.letter().digest.problems)


def test_a_machines_answer_counts_in_no_score(installed: Installed) -> None:
    installed.fill(*week(THIS_WEEK, 20, 0), answered(THIS_WEEK, 1) | {"is_suspect": True})
    figures = installed.letter().digest.figures
    assert figures[0].startswith("CSAT 100\u00a0% from 20 answers")
    assert figures[-1] == "1 answer may be of a machine. It counts in no score."


def test_each_receiver_gets_it_once_whoever_sends(
    installed: Installed, post: tuple[Post, Any], receiver: Receiver
) -> None:
    installed.fill(*week(THIS_WEEK, 20, 3))
    loops = [DigestLoop(installed.settings, installed.new_sender()) for _ in range(2)]
    for _ in range(2):
        for loop in loops:
            loop.step(MONDAY + timedelta(hours=1))
    assert sorted(to for _, (to,) in post[0].envelopes) == [IDA, LEAD]
    assert len(receiver.taken("/slack")) == 1
    for loop in loops:
        loop.step(MONDAY + 7 * DAY)
    assert len(post[0].mails) == 4


def test_an_old_digest_is_not_sent(installed: Installed, post: tuple[Post, Any]) -> None:
    DigestLoop(installed.settings, installed.sender).step(MONDAY + timedelta(days=1, seconds=1))
    assert post[0].mails == []


def test_a_failure_that_is_certain_is_tried_again_for_that_receiver_alone(
    installed: Installed, post: tuple[Post, Any], receiver: Receiver
) -> None:
    installed.fill(*week(THIS_WEEK, 20, 3))
    post[0].refuses[LEAD] = "451 try later"
    loop = DigestLoop(installed.settings, installed.sender)
    with capture_logs() as logs:
        loop.step(MONDAY)
    assert {"digest.not_sent", "digest.sent"} == {each["event"] for each in logs}
    assert LEAD not in str(logs)
    post[0].refuses.clear()
    loop.step(MONDAY)
    assert [to for _, (to,) in post[0].envelopes] == [IDA, LEAD]
    assert len(receiver.taken("/slack")) == 1


def test_a_digest_that_may_have_been_sent_is_not_sent_again(installed: Installed, post: tuple[Post, Any]) -> None:
    installed.fill(*week(THIS_WEEK, 20, 3))
    post[0].drops.add("dot")
    loop = DigestLoop(installed.settings, installed.sender)
    with capture_logs() as logs:
        loop.step(MONDAY)
    assert [each["event"] for each in logs].count("digest.unconfirmed") == 2
    post[0].drops.clear()
    loop.step(MONDAY)
    assert len(post[0].mails) == 2, "the server had kept them"


def test_a_slot_shows_no_address(installed: Installed) -> None:
    installed.sender.send_due(MONDAY.date())
    slots = [str(each) for each in installed.client.scan_iter("afterword:digest:*")]
    assert len(slots) == len(targets_of(installed.settings)) == 3
    assert not any("northwind" in each for each in slots)


def test_the_email_has_both_parts_and_no_link_of_a_survey(installed: Installed, post: tuple[Post, Any]) -> None:
    installed.fill(*week(THIS_WEEK, 20, 3))
    installed.sender.send_due(MONDAY.date())
    message = message_from_bytes(post[0].mails[0], policy=default)
    assert message["Subject"].startswith("Surveys 23–29 Nov 2026: CSAT 87\u00a0%, ")
    assert message["Message-ID"] == "<afterword.digest.2026-11-30@survey.northwind.example>"
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text
    assert html
    assert "What is broken" in text.get_content()
    assert "Surveys, 23–29 Nov 2026" in html.get_content()
    assert len(post[0].mails[0]) < 15_000


def test_slack_gets_columns_and_mentions_nobody(installed: Installed, receiver: Receiver) -> None:
    Names.beside(installed.records).store(NamesInDixa({}, {"q2": "<!channel> @here"}))
    installed.fill(*week(THIS_WEEK, 0, 60, "q2"), *week(LAST_WEEK, 60, 0, "q2"), answered(THIS_WEEK, 5))
    installed.sender.send_due(MONDAY.date())
    text = receiver.taken("/slack")[0].body["text"]
    assert "*What changed*" in text
    assert re.search(r"```\nClosed .*\nIn Dixa .*\n```\n", text, re.DOTALL)
    assert "<!channel>" not in text
    assert "@here" not in text


def test_the_command_shows_it_and_sends_it(
    installed: Installed, redis_server: RedisServer, post: tuple[Post, Any]
) -> None:
    needed = {
        "DIXA_API_TOKEN": API_TOKEN,
        "DIXA_WEBHOOK_SECRETS": WEBHOOK_SECRET,
        "SECRET_KEYS": SECRET_KEY,
        "PUBLIC_URL": PUBLIC_URL,
        "REDIS_URL": installed.settings.redis_url,
        "SPOOL_DIR": "off",
    }
    outputs = []
    for options in ([], ["--send"], ["--send"]):
        done = CliRunner().invoke(main, ["digest", *options], env=needed | installed.environ)
        assert done.exit_code == 0, done.output
        outputs.append(done.output)
    assert all("What changed" in each for each in outputs)
    assert ["Sent to 3" in each for each in outputs] == [False, True, True]
    assert len(post[0].mails) == 4, "an operator may send it again"


def test_without_receivers_nothing_can_be_sent(tmp_path: Path, redis_client: redis.Redis) -> None:
    environ = {
        "DIXA_API_TOKEN": API_TOKEN,
        "DIXA_WEBHOOK_SECRETS": WEBHOOK_SECRET,
        "SECRET_KEYS": SECRET_KEY,
        "PUBLIC_URL": PUBLIC_URL,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "SPOOL_DIR": str(tmp_path / "spool"),
    }
    done = CliRunner().invoke(main, ["digest", "--send"], env=environ)
    assert done.exit_code == 2
    assert "Set DIGEST_TO or DIGEST_SLACK_WEBHOOK_URL" in done.output
