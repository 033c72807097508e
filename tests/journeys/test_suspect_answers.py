"""A suspect answer waits. Any other answer replaces it. Without another answer it is submitted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.intake.spool import Spool
from service.records.answer_transitions import GivenAnswer
from service.records.records import Records
from service.records.redis import Breaker, connect
from service.surveys.definition import OnReclose
from service.surveys.links import Link
from service.surveys.states import AnswerState, Journey
from tests.harness import AT_ONCE, CSAT, QUICK
from tests.journeys.robot_story import DAY, HOUR, MINUTE, NOW, TERMS, RobotStory, is_about
from tests.processes import free_port


@pytest.mark.parametrize(
    ("editable_for", "suspect_editable_for", "wanted"),
    [(5 * MINUTE, DAY, DAY), (HOUR, 5 * MINUTE, HOUR), (MINUTE, 7 * DAY, 7 * DAY)],
)
def test_suspect_answer_waits_for_its_configured_time(
    robot_story: RobotStory, editable_for: timedelta, suspect_editable_for: timedelta, wanted: timedelta
) -> None:
    survey_id = robot_story.ask(replace(AT_ONCE, editable_for=editable_for, suspect_editable_for=suspect_editable_for))
    assert robot_story.answer_as_robot(survey_id) == "saved"
    assert is_about(robot_story.editable_time_left(survey_id), wanted)
    robot_story.story.answering.run(survey_id)
    assert robot_story.story.dixa.results() == []


def test_later_answer_of_the_customer_replaces_a_suspect_answer(robot_story: RobotStory) -> None:
    """A robot answers 1. An hour later the customer answers 5."""
    survey_id = robot_story.ask()
    robot_story.answer_as_robot(survey_id, 1)
    assert robot_story.answer_as_customer(survey_id, 5) == "saved"
    assert robot_story.saved_answer(survey_id) == (5, "", False)
    assert is_about(robot_story.editable_time_left(survey_id), 5 * MINUTE)
    robot_story.end_editable_time(survey_id)
    robot_story.story.submit(survey_id)
    assert [each.value for each in robot_story.story.dixa.results()] == [5]
    robot_story.story.assert_once(survey_id)


def test_same_answer_of_the_customer_is_not_suspect(robot_story: RobotStory) -> None:
    survey_id = robot_story.ask()
    robot_story.answer_as_robot(survey_id, 4)
    assert robot_story.answer_as_customer(survey_id, 4) == "saved"
    assert robot_story.saved_answer(survey_id) == (4, "", False)
    assert is_about(robot_story.editable_time_left(survey_id), 5 * MINUTE)


def test_suspect_answer_replaces_no_answer_of_the_customer(robot_story: RobotStory) -> None:
    survey_id = robot_story.ask()
    robot_story.answer_as_customer(survey_id, 5, "Quick")
    before = robot_story.story.load(survey_id)
    assert robot_story.answer_as_robot(survey_id, 1, "Buy now") == "ignored"
    assert robot_story.answer_as_robot(survey_id, 5) == "same"
    assert robot_story.story.load(survey_id) == before


def test_answer_of_the_customer_removes_the_comment_of_a_robot(robot_story: RobotStory) -> None:
    survey_id = robot_story.ask()
    robot_story.answer_as_robot(survey_id, 1, "Buy now")
    assert robot_story.saved_answer(survey_id) == (1, "Buy now", True)
    robot_story.answer_as_customer(survey_id, 5)
    assert robot_story.saved_answer(survey_id) == (5, "", False)
    answer = robot_story.story.load(survey_id).answer
    assert answer
    assert not answer.has_comment


def test_second_suspect_answer_counts_without_a_longer_wait(robot_story: RobotStory) -> None:
    survey_id = robot_story.ask()
    robot_story.answer_as_robot(survey_id, 1)
    now = datetime.now(UTC)
    robot_story.write_times(survey_id, first_answered_at=now - 23 * HOUR, answer_due=now + HOUR)
    assert robot_story.answer_as_robot(survey_id, 3) == "saved"
    assert robot_story.saved_answer(survey_id) == (3, "", True)
    assert is_about(robot_story.editable_time_left(survey_id), HOUR)


def test_unreplaced_suspect_answer_is_submitted_and_stays_suspect(robot_story: RobotStory) -> None:
    survey_id = robot_story.ask()
    robot_story.answer_as_robot(survey_id, 1)
    robot_story.end_editable_time(survey_id)
    record = robot_story.story.submit(survey_id)
    assert record.answer
    assert (record.answer.state, record.answer.is_suspect) == (AnswerState.SUBMITTED, True)
    assert [each.value for each in robot_story.story.dixa.results()] == [1]
    assert robot_story.answer_as_customer(survey_id, 5) == "not_changed"
    assert robot_story.answer_as_robot(survey_id, 5) == "not_changed"


def test_answer_during_a_claim_replaces_the_suspect_answer(robot_story: RobotStory) -> None:
    survey_id = robot_story.ask(AT_ONCE)
    robot_story.answer_as_robot(survey_id, 1)
    robot_story.end_editable_time(survey_id)
    robot_story.story.after("ratings", lambda: robot_story.answer_as_customer(survey_id, 5))
    robot_story.story.records.mark_restored()  # So the ratings are queried before the submit.
    robot_story.story.submit(survey_id)
    assert [each.value for each in robot_story.story.dixa.results()] == [5]


def test_wait_of_a_suspect_answer_does_not_count_for_answer_max_age(robot_story: RobotStory) -> None:
    """ANSWER_MAX_AGE begins at the end of the wait."""
    robot_story.story.answering._timings = replace(QUICK, answer_max_age=HOUR)
    survey_id = robot_story.ask()
    robot_story.answer_as_robot(survey_id, 1)
    robot_story.write_times(survey_id, answered_at=NOW - DAY, answer_due=NOW)
    assert robot_story.story.submit(survey_id).answer
    assert [each.value for each in robot_story.story.dixa.results()] == [1]


def test_editable_time_does_not_count_for_answer_max_age(robot_story: RobotStory) -> None:
    """An extension of the editable time delays the result."""
    robot_story.story.answering._timings = replace(QUICK, answer_max_age=HOUR / 2)
    survey_id = robot_story.ask()
    robot_story.answer_as_customer(survey_id, 4)
    now = datetime.now(UTC)
    robot_story.write_times(survey_id, answered_at=now - HOUR, answer_due=now)
    assert robot_story.story.submit(survey_id).answer
    assert [each.value for each in robot_story.story.dixa.results()] == [4]


ORDERS = [(0, 1), (1, 0)]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("is_earlier", [True, False])
def test_answer_of_the_customer_counts_in_any_order_of_the_spools(
    robot_story: RobotStory, tmp_path: Path, order: tuple[int, int], *, is_earlier: bool
) -> None:
    survey_id = robot_story.ask()
    link, intake = Link.to(robot_story.story.load(survey_id)), robot_story.story.intake
    spools = [Spool(tmp_path / str(number), max_bytes=1_000_000) for number in (0, 1)]
    robot_at, customer_at = (NOW, NOW - MINUTE) if is_earlier else (NOW - MINUTE, NOW)
    for spool in spools:
        spool.prepare()
    for spool, score, at, is_suspect in ((spools[0], 1, robot_at, True), (spools[1], 5, customer_at, False)):
        away = intake(spool=spool)
        away._records = _without_redis(at)
        away.take_answer(GivenAnswer(link, TERMS, {CSAT: score}, "", "en", is_suspect=is_suspect))
    for number in order:
        assert spools[number].drain(intake().take_spooled) == 1
    assert robot_story.saved_answer(survey_id) == (5, "", False)
    robot_story.story.records.delay_answers(timedelta())


def _without_redis(at: datetime) -> Records:
    """Return records without a connection, with this clock."""
    away = Records(connect(f"redis://127.0.0.1:{free_port()}/0"), lease=MINUTE, keep=DAY, breaker=Breaker())
    away.now = lambda: at  # type: ignore[method-assign]
    return away


def test_no_new_round_begins_while_a_suspect_answer_waits(robot_story: RobotStory) -> None:
    terms = replace(TERMS, on_reclose=OnReclose.ALWAYS, cooldown=timedelta())
    survey_id = robot_story.ask(terms)
    robot_story.answer_as_robot(survey_id)
    assert robot_story.story.close(int(survey_id), terms) == survey_id


def test_record_without_a_suspect_time_waits_a_day(robot_story: RobotStory) -> None:
    survey_id = robot_story.ask(AT_ONCE)
    robot_story.story.records._redis.hset(robot_story.story.records._key(survey_id), "terms", '{"editable_for": 0}')
    robot_story.answer_as_robot(survey_id)
    assert is_about(robot_story.editable_time_left(survey_id), DAY)
    assert robot_story.story.records.claim(Journey.ANSWER, survey_id) is None
