"""A suspect answer waits, yields to any other, and is submitted only if none comes."""

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
from tests.journeys.scene import DAY, HOUR, MINUTE, NOW, TERMS, Scene, is_about
from tests.processes import free_port


@pytest.mark.parametrize(
    ("editable_for", "suspect_editable_for", "wanted"),
    [(5 * MINUTE, DAY, DAY), (HOUR, 5 * MINUTE, HOUR), (MINUTE, 7 * DAY, 7 * DAY)],
)
def test_it_waits_as_long_as_the_file_says(
    scene: Scene, editable_for: timedelta, suspect_editable_for: timedelta, wanted: timedelta
) -> None:
    survey_id = scene.ask(replace(AT_ONCE, editable_for=editable_for, suspect_editable_for=suspect_editable_for))
    assert scene.robot(survey_id) == "saved"
    assert is_about(scene.left(survey_id), wanted)
    scene.story.answering.run(survey_id)
    assert scene.story.dixa.results() == []


def test_later_customer_replaces_a_suspect_answer(scene: Scene) -> None:
    """A robot answers 1. An hour later the customer answers 5."""
    survey_id = scene.ask()
    scene.robot(survey_id, 1)
    assert scene.customer(survey_id, 5) == "saved"
    assert scene.said(survey_id) == (5, "", False)
    assert is_about(scene.left(survey_id), 5 * MINUTE)
    scene.wait_is_over(survey_id)
    scene.story.submit(survey_id)
    assert [each.value for each in scene.story.dixa.results()] == [5]
    scene.story.assert_once(survey_id)


def test_same_answer_of_a_customer_is_not_suspect(scene: Scene) -> None:
    survey_id = scene.ask()
    scene.robot(survey_id, 4)
    assert scene.customer(survey_id, 4) == "saved"
    assert scene.said(survey_id) == (4, "", False)
    assert is_about(scene.left(survey_id), 5 * MINUTE)


def test_it_takes_the_place_of_no_answer_of_a_customers(scene: Scene) -> None:
    survey_id = scene.ask()
    scene.customer(survey_id, 5, "Quick")
    before = scene.story.load(survey_id)
    assert scene.robot(survey_id, 1, "Buy now") == "ignored"
    assert scene.robot(survey_id, 5) == "same"
    assert scene.story.load(survey_id) == before


def test_what_a_robot_wrote_is_no_customers_comment(scene: Scene) -> None:
    survey_id = scene.ask()
    scene.robot(survey_id, 1, "Buy now")
    assert scene.said(survey_id) == (1, "Buy now", True)
    scene.customer(survey_id, 5)
    assert scene.said(survey_id) == (5, "", False)
    answer = scene.story.load(survey_id).answer
    assert answer
    assert not answer.has_comment


def test_of_two_robots_the_later_counts_and_none_waits_longer(scene: Scene) -> None:
    survey_id = scene.ask()
    scene.robot(survey_id, 1)
    now = datetime.now(UTC)
    scene.put(survey_id, first_answered_at=now - 23 * HOUR, answer_due=now + HOUR)
    assert scene.robot(survey_id, 3) == "saved"
    assert scene.said(survey_id) == (3, "", True)
    assert is_about(scene.left(survey_id), HOUR)


def test_without_any_other_it_is_submitted_as_it_is_and_stays_marked(scene: Scene) -> None:
    survey_id = scene.ask()
    scene.robot(survey_id, 1)
    scene.wait_is_over(survey_id)
    record = scene.story.submit(survey_id)
    assert record.answer
    assert (record.answer.state, record.answer.is_suspect) == (AnswerState.SUBMITTED, True)
    assert [each.value for each in scene.story.dixa.results()] == [1]
    assert scene.customer(survey_id, 5) == "not_changed"
    assert scene.robot(survey_id, 5) == "not_changed"


def test_customer_wins_over_a_worker_with_a_claim(scene: Scene) -> None:
    survey_id = scene.ask(AT_ONCE)
    scene.robot(survey_id, 1)
    scene.wait_is_over(survey_id)
    scene.story.after("ratings", lambda: scene.customer(survey_id, 5))
    scene.story.records.mark_restored()  # Dixa is looked at before it is submitted.
    scene.story.submit(survey_id)
    assert [each.value for each in scene.story.dixa.results()] == [5]


def test_a_day_of_waiting_is_no_day_of_trying(scene: Scene) -> None:
    """ANSWER_MAX_AGE begins when it could first be submitted."""
    scene.story.answering._timings = replace(QUICK, answer_max_age=HOUR)
    survey_id = scene.ask()
    scene.robot(survey_id, 1)
    scene.put(survey_id, answered_at=NOW - DAY, answer_due=NOW)
    assert scene.story.submit(survey_id).answer
    assert [each.value for each in scene.story.dixa.results()] == [1]


def test_editable_time_does_not_count_as_trying(scene: Scene) -> None:
    """An extension of the editable time delays the result."""
    scene.story.answering._timings = replace(QUICK, answer_max_age=HOUR / 2)
    survey_id = scene.ask()
    scene.customer(survey_id, 4)
    now = datetime.now(UTC)
    scene.put(survey_id, answered_at=now - HOUR, answer_due=now)
    assert scene.story.submit(survey_id).answer
    assert [each.value for each in scene.story.dixa.results()] == [4]


ORDERS = [(0, 1), (1, 0)]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("is_earlier", [True, False])
def test_the_customers_answer_counts_however_spools_bring_them_home(
    scene: Scene, tmp_path: Path, order: tuple[int, int], *, is_earlier: bool
) -> None:
    survey_id = scene.ask()
    link, intake = Link.to(scene.story.load(survey_id)), scene.story.intake
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
    assert scene.said(survey_id) == (5, "", False)
    scene.story.records.delay_answers(timedelta())


def _without_redis(at: datetime) -> Records:
    """Return records without a connection, with this clock."""
    away = Records(connect(f"redis://127.0.0.1:{free_port()}/0"), lease=MINUTE, keep=DAY, breaker=Breaker())
    away.now = lambda: at  # type: ignore[method-assign]
    return away


def test_no_new_round_begins_while_one_waits(scene: Scene) -> None:
    terms = replace(TERMS, on_reclose=OnReclose.ALWAYS, cooldown=timedelta())
    survey_id = scene.ask(terms)
    scene.robot(survey_id)
    assert scene.story.close(int(survey_id), terms) == survey_id


def test_records_without_suspect_time_wait_a_day(scene: Scene) -> None:
    survey_id = scene.ask(AT_ONCE)
    scene.story.records._redis.hset(scene.story.records._key(survey_id), "terms", '{"editable_for": 0}')
    scene.robot(survey_id)
    assert is_about(scene.left(survey_id), DAY)
    assert scene.story.records.claim(Journey.ANSWER, survey_id) is None
