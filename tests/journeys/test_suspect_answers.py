"""A suspect answer waits, yields to any other, and is submitted only if none comes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from config.endpoints import SignedEndpoint
from service.delivery.note import AnswerNote
from service.delivery.slack import SlackAlert
from service.delivery.webhook import AnswerWebhook
from service.intake.spool import Spool
from service.records.codec import to_ms
from service.records.records import Records
from service.records.redis import Breaker, connect
from service.rules.timeline import describe
from service.sandbox.server import Sandbox
from service.surveys.definition import OnReclose, Survey
from service.surveys.links import Link
from service.surveys.model import Record
from service.surveys.on_answer import OnAnswer
from service.surveys.ports import Action
from service.surveys.states import AnswerState, FollowUpState, Journey, OfferState
from tests.harness import AT_ONCE, CSAT, QUICK, Story
from tests.processes import free_port
from tests.receiver import SECRET, Receiver, receiving

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
NOW = datetime.now(UTC)
"""When this file was read: minutes ago, or a moment."""
LOW = OnAnswer((1, 2), CSAT, note=True, slack=True, webhook=True)
TERMS = replace(AT_ONCE, editable_for=5 * MINUTE, on_answer=(LOW,))


class Scene:
    """A survey in the customer's hands, and a faster robot."""

    def __init__(self, story: Story, client: redis.Redis) -> None:
        self.story = story
        self._client = client

    def ask(self, terms: Survey = TERMS) -> str:
        survey_id = self.story.begin(terms)
        self.story.run_until(
            self.story.offering, survey_id, lambda record: record.offer.state in ("delivered", "reminding")
        )
        return survey_id

    def robot(self, survey_id: str, score: int = 1, comment: str = "", *, at: datetime | None = None) -> str:
        """Answer at once, or fill in the hidden field."""
        record = self.story.load(survey_id)
        link, terms = Link.to(record), record.terms or AT_ONCE
        return self.story.records.save_answer(
            link, terms, {CSAT: score}, comment, language="en", is_suspect=True, answered_at=at
        ).outcome

    def customer(self, survey_id: str, score: int = 5, comment: str = "", *, at: datetime | None = None) -> str:
        return self.story.answer(survey_id, {CSAT: score}, comment, answered_at=at)

    def put(self, survey_id: str, **times: datetime) -> None:
        for name, moment in times.items():
            self._client.hset(self.story.records._key(survey_id), name, to_ms(moment))

    def wait_is_over(self, survey_id: str) -> None:
        """The day is over by now."""
        self.put(survey_id, answer_due=NOW, follow_up_due=NOW)

    def said(self, survey_id: str) -> tuple[int, str, bool]:
        record = self.story.load(survey_id)
        assert record.answer
        return record.answered.scores[CSAT], record.answered.comment, record.answer.is_suspect

    def left(self, survey_id: str) -> timedelta:
        """How long it can still be changed."""
        answer = self.story.load(survey_id).answer
        assert answer
        assert answer.due_at
        return answer.due_at - datetime.now(UTC)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def scene(redis_client: redis.Redis, prefix: str, dixa: Sandbox, receiver: Receiver) -> Scene:
    actions: list[Action] = [
        SlackAlert(f"{receiver.url}/slack"),
        AnswerWebhook(SignedEndpoint(f"{receiver.url}/answer", SECRET)),
    ]
    story = Story(redis_client, prefix, dixa, timings=replace(QUICK, step_budget=timedelta(seconds=2)))
    story.actions.update({each.kind: each for each in (*actions, AnswerNote(story.calls))})
    return Scene(story, redis_client)


def is_about(found: timedelta, wanted: timedelta) -> bool:
    return wanted - MINUTE < found <= wanted


@pytest.mark.parametrize(
    ("hold", "suspect_editable_for", "wanted"),
    [(5 * MINUTE, DAY, DAY), (HOUR, 5 * MINUTE, HOUR), (MINUTE, 7 * DAY, 7 * DAY)],
)
def test_it_waits_as_long_as_the_file_says(
    scene: Scene, hold: timedelta, suspect_editable_for: timedelta, wanted: timedelta
) -> None:
    survey_id = scene.ask(replace(AT_ONCE, editable_for=hold, suspect_editable_for=suspect_editable_for))
    assert scene.robot(survey_id) == "saved"
    assert is_about(scene.left(survey_id), wanted)
    scene.story.answering.run(survey_id)
    assert scene.story.dixa.results() == []


def test_later_customer_replaces_a_suspect_answer(scene: Scene) -> None:
    """The issue's own story: a robot's 1, and an hour later the customer's 5."""
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
    """Extended editable time delays the result by as much."""
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
        away.take_answer(link, TERMS, {CSAT: score}, "", language="en", is_suspect=is_suspect)
    for number in order:
        assert spools[number].drain(intake().take_spooled) == 1
    assert scene.said(survey_id) == (5, "", False)
    scene.story.records.delay_answers(timedelta())


def _without_redis(at: datetime) -> Records:
    """Records without a connection, and with this clock."""
    away = Records(connect(f"redis://127.0.0.1:{free_port()}/0"), lease=MINUTE, keep=DAY, breaker=Breaker())
    away.now = lambda: at  # type: ignore[method-assign]
    return away


class TestWhatFollows:
    """No action runs before it is final. Then each action says that it is suspect."""

    def turn(self, scene: Scene, survey_id: str) -> Record:
        scene.story.following.run(survey_id)
        return scene.story.load(survey_id)

    def test_no_alert_goes_out_at_once(self, scene: Scene, receiver: Receiver) -> None:
        survey_id = scene.ask()
        scene.robot(survey_id, 1)
        scene.put(survey_id, follow_up_due=NOW)
        record = self.turn(scene, survey_id)
        assert record.follow_up
        assert record.follow_up.due_at
        assert record.answer
        assert record.answer.due_at
        assert abs(record.follow_up.due_at - record.answer.due_at) < MINUTE
        assert receiver.posts == []

    def test_replaced_suspect_answer_has_no_follow_up(self, scene: Scene, receiver: Receiver) -> None:
        survey_id = scene.ask()
        scene.robot(survey_id, 1)
        self.turn(scene, survey_id)
        scene.customer(survey_id, 5)
        self.turn(scene, survey_id)
        scene.wait_is_over(survey_id)
        scene.story.submit(survey_id)
        scene.story.follow(survey_id)
        assert receiver.posts == []
        assert scene.story.dixa.notes() == []

    def test_a_customers_own_alert_does_at_once(self, scene: Scene, receiver: Receiver) -> None:
        survey_id = scene.ask()
        scene.robot(survey_id, 5)
        self.turn(scene, survey_id)
        scene.customer(survey_id, 1)
        self.turn(scene, survey_id)
        (alert,) = receiver.of("/slack")
        assert "suspect" not in json.dumps(alert.body)

    def test_final_suspect_answer_has_its_follow_up(self, scene: Scene, receiver: Receiver) -> None:
        survey_id = scene.ask()
        scene.robot(survey_id, 1)
        scene.wait_is_over(survey_id)
        scene.story.submit(survey_id)
        scene.put(survey_id, answered_at=NOW - DAY)
        record = scene.story.follow(survey_id)
        assert record.follow_up
        assert record.follow_up.state is FollowUpState.FOLLOWED
        sentence = "This answer is suspect: a machine may have sent it."
        assert sentence in receiver.of("/slack")[0].body["text"]
        assert sentence in scene.story.dixa.notes(int(survey_id))[0].message
        assert receiver.of("/answer")[0].body["data"]["is_suspect"] is True

    def test_webhook_of_a_customer_is_not_suspect(self, scene: Scene, receiver: Receiver) -> None:
        survey_id = scene.ask(replace(TERMS, editable_for=timedelta()))
        scene.customer(survey_id, 1)
        scene.story.submit(survey_id)
        scene.story.follow(survey_id)
        assert receiver.of("/answer")[0].body["data"]["is_suspect"] is False


class TestTheReminder:
    """A suspect answer isn't the customer's, as long as it isn't final."""

    TERMS = replace(TERMS, reminder=12 * HOUR)

    def reminders(self, scene: Scene, survey_id: str) -> int:
        found = scene.story.dixa.messages(int(survey_id))
        return sum((each.external_id or "").endswith("-reminder") for each in found)

    def test_who_has_only_a_suspect_answer_is_reminded(self, scene: Scene) -> None:
        survey_id = scene.ask(self.TERMS)
        scene.robot(survey_id)
        assert scene.story.load(survey_id).offer.state is OfferState.REMINDING
        scene.put(survey_id, offer_due=NOW)
        assert scene.story.ask(survey_id).offer.note == ""
        assert self.reminders(scene, survey_id) == 1
        assert scene.customer(survey_id) == "saved"

    def test_who_answers_after_it_is_not(self, scene: Scene) -> None:
        survey_id = scene.ask(self.TERMS)
        scene.robot(survey_id)
        scene.customer(survey_id)
        record = scene.story.load(survey_id)
        assert (record.offer.state, record.offer.due_at) == (OfferState.DELIVERED, None)
        scene.story.offering.run(survey_id)
        assert self.reminders(scene, survey_id) == 0

    def test_nobody_is_once_it_is_final(self, scene: Scene) -> None:
        """There would be nothing left to answer."""
        survey_id = scene.ask(self.TERMS)
        scene.robot(survey_id)
        scene.wait_is_over(survey_id)
        scene.story.submit(survey_id)
        scene.put(survey_id, offer_due=NOW)
        assert scene.story.ask(survey_id).offer.note == "no reminder: answered"
        assert self.reminders(scene, survey_id) == 0

    def test_nobody_is_if_it_becomes_final_meanwhile(self, scene: Scene) -> None:
        survey_id = scene.ask(self.TERMS)
        scene.robot(survey_id)
        scene.wait_is_over(survey_id)
        scene.put(survey_id, offer_due=NOW)
        scene.story.after("conversation", lambda: scene.story.submit(survey_id))
        scene.story.offering.run(survey_id)
        assert self.reminders(scene, survey_id) == 0

    @pytest.mark.parametrize("terms", [TERMS, TERMS_WITHOUT := replace(TERMS, reminder=None)])
    def test_suspect_answer_before_delivered_keeps_the_reminder(self, scene: Scene, terms: Survey) -> None:
        """The worker hasn't recorded the delivery yet."""
        survey_id = scene.story.begin(terms)
        scene.story.after("message", lambda: scene.robot(survey_id))
        scene.story.run_until(scene.story.offering, survey_id, lambda record: record.answer is not None)
        record = scene.story.load(survey_id)
        assert record.offer.state is (OfferState.REMINDING if terms.reminder else OfferState.DELIVERED)
        assert record.offer.delivered_at
        if record.offer.due_at:
            assert abs(record.offer.due_at - datetime.now(UTC) - 12 * HOUR) < MINUTE
            scene.put(survey_id, offer_due=NOW)
            scene.story.ask(survey_id)
        assert self.reminders(scene, survey_id) == bool(terms.reminder)
        assert len(scene.story.dixa.offers()) == 1

    def test_why_tells_both(self, scene: Scene) -> None:
        survey_id = scene.ask(self.TERMS)
        scene.robot(survey_id)
        told = "\n".join(describe(scene.story.load(survey_id), ""))
        assert "Suspect: it may be automatic." in told
        assert "Next: submit the result; until then any other answer replaces it." in told
        assert told.count("Next: ") == 3


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
