"""Counts for `afterword stats`, in both kinds of database."""

from datetime import date, timedelta

from service.archive.counts import count_decisions, count_steps
from service.archive.engine import open_engine
from tests.archive.rows import NOON, make_answer, make_row, open_with

DAY = timedelta(days=1)
SINCE = date(2026, 11, 19)


def test_decisions_are_counted_by_day_and_reason(archive_url: str) -> None:
    open_with(
        archive_url,
        make_row(1, closed_at=NOON - 3 * DAY, decided_at=NOON, asked_at=NOON),
        make_row(2, closed_at=NOON, decided_at=NOON.replace(hour=23, minute=59), asked_at=NOON, reason="refused"),
        make_row(3, closed_at=NOON - DAY, state="skipped", reason="machine"),
        make_row(4, closed_at=NOON, state="waiting"),
        make_row(5, closed_at=NOON - 2 * DAY, state="skipped", reason="machine"),
    )
    assert count_decisions(open_engine(archive_url), SINCE, {}) == {
        date(2026, 11, 19): {"machine": 1},
        date(2026, 11, 20): {"asked": 2},
    }


def test_decisions_are_those_of_a_survey_channel_or_queue(archive_url: str) -> None:
    open_with(
        archive_url,
        make_row(1, closed_at=NOON, asked_at=NOON, queue_id="q1", queue_name="Billing", channel="Email"),
        make_row(2, closed_at=NOON, asked_at=NOON, queue_id="q2", channel="Chat", survey="vip"),
    )
    engine = open_engine(archive_url)
    for only, count in (
        ({"queue": ["billing"]}, 1), ({"queue": ["Q1"]}, 1), ({"queue": ["q2"]}, 1), ({"queue": ["x", "q1", "q2"]}, 2),
        ({"channel": ["chat"]}, 1), ({"survey": ["VIP"]}, 1), ({"survey": ["vip"], "channel": ["email"]}, 0), ({}, 2),
    ):  # fmt: skip
        assert sum(count_decisions(engine, SINCE, only).get(date(2026, 11, 20), {}).values()) == count, only


def test_steps_are_counted_by_a_dimension(archive_url: str) -> None:
    reached = {"asked_at": NOON, "delivered_at": NOON}
    open_with(
        archive_url,
        make_row(48201, queue_id="q1", queue_name="Billing", **reached),
        make_answer(48202, queue_id="q1", queue_name="Billing", failure="follow_up", submitted_at=NOON, **reached),
        make_row(48203, state="skipped", queue_id="q2"),
        make_row(48204, state="skipped", channel="Chat"),
        make_row(48205, state="skipped", closed_at=NOON - 2 * DAY),
    )
    found = count_steps(open_engine(archive_url), SINCE, "queue", {})
    assert list(found) == ["Billing", "", "q2"]
    assert found["Billing"] == {"closed": 2, "asked": 2, "delivered": 2, "answered": 1, "submitted": 1, "failed": 1}
    assert found["q2"]["asked"] == 0
    assert list(count_steps(open_engine(archive_url), SINCE, "channel", {"channel": ["chat"]})) == ["Chat"]
