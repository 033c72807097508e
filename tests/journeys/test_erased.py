"""A conversation anonymised after its survey was sent: nothing more is written, sent or kept about its customer."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from structlog.testing import capture_logs

from service.journeys.runner import JourneyRunner
from service.records.codec import to_ms
from service.records.outcomes import StaleClaim
from service.rules.timeline import describe
from service.sandbox.dixa.model import Person
from service.sandbox.server import Sandbox
from service.surveys.definition import OnReclose, Survey
from service.surveys.links import Link
from service.surveys.model import Decision, Record
from service.surveys.on_answer import OnAnswer
from service.surveys.reasons import Reason
from service.surveys.states import AnswerState, FollowUpState, Journey, OfferState, Verdict
from tests.harness import AT_ONCE, CSAT, NPS, Story
from tests.journeys.team import HELD, LOW, Team
from tests.polling import eventually
from tests.processes import RedisServer, patient

SECRET = "My card is 4711"
CUSTOMER = Person("Ida Holm", "ida@example.com", "+4512345678")
AFTER = replace(AT_ONCE, on_answer=(LOW,))


def asked(story: Story, terms: Survey = AT_ONCE) -> str:
    """A survey in the customer's hands."""
    survey_id = story.begin(terms, requester=CUSTOMER)
    story.run_until(story.offering, survey_id, lambda record: record.offer.state in ("delivered", "reminding"))
    story.dixa.state.exchanges.clear()
    return survey_id


def calls(story: Story) -> list[str]:
    return [each.call for each in story.dixa.calls]


def fields(story: Story, survey_id: str) -> dict[str, str]:
    found: dict[str, str] = story.records._redis.hgetall(story.records._key(survey_id))  # type: ignore[assignment]
    return found


def put(story: Story, survey_id: str, **values: str) -> None:
    story.records._redis.hset(story.records._key(survey_id), mapping=values)  # type: ignore[arg-type]


def until_erased(story: Story, runner: JourneyRunner, survey_id: str) -> Record:
    return story.run_until(runner, survey_id, lambda record: record.offer.reason == Reason.ERASED)


def assert_erased(story: Story, survey_id: str) -> None:
    """All journeys are over, nothing about the customer is left, and the link leads to nothing any more."""
    record = story.load(survey_id)
    assert (record.offer.state, record.offer.reason) == (OfferState.CANCELLED, Reason.ERASED)
    for progress in (record.answer, record.follow_up):
        assert progress is None or progress.reason == Reason.ERASED
    assert story.records._redis.ttl(story.records._key(survey_id)) > 0
    for journey in Journey:
        assert story.records.take_due(journey, 10, timedelta(minutes=1)) == []
        assert story.records.retry(journey, survey_id) != "retried"
    kept = json.dumps({name: value for name, value in fields(story, survey_id).items() if name != "terms"})
    person = story.dixa.conversation(int(survey_id)).requester.id
    for secret in (SECRET, "ida", person, "score", "comment", "person", "language", "sent_scores", "action", "hash-"):
        assert secret not in kept, secret
    assert story.answer(survey_id, {CSAT: 3}) == "closed"


def test_nothing_is_written_to_dixa_and_all_about_the_customer_is_forgotten(story: Story) -> None:
    survey_id = asked(story)
    story.answer(survey_id, {CSAT: 1}, SECRET)
    story.dixa.erase(int(survey_id))
    until_erased(story, story.answering, survey_id)
    assert calls(story) == ["conversation"]
    assert_erased(story, survey_id)
    assert story.load(survey_id).answer == replace(
        story.load(survey_id).answer,  # type: ignore[type-var]
        state=AnswerState.FAILED,
        has_comment=False,
        due_at=None,
    )


@pytest.mark.parametrize(("comment", "made"), [("Fint", ["conversation", "submit"]), ("", ["submit"])])
def test_only_an_answer_with_a_comment_costs_a_call_more(story: Story, comment: str, made: list[str]) -> None:
    survey_id = asked(story)
    story.answer(survey_id, {CSAT: 4}, comment)
    story.submit(survey_id)
    assert calls(story) == made


def test_of_two_questions_the_first_looks(story: Story) -> None:
    terms = replace(AT_ONCE, ratings=(CSAT, NPS), cooldown=timedelta())
    survey_id = asked(story, terms)
    story.answer(survey_id, {CSAT: 4, NPS: 9}, "Fint")
    story.submit(survey_id)
    assert calls(story) == ["conversation", "submit", "submit"]
    survey_id = asked(story, terms)
    story.answer(survey_id, {CSAT: 1, NPS: 0}, SECRET)
    story.dixa.erase(int(survey_id))
    until_erased(story, story.answering, survey_id)
    assert story.dixa.results(int(survey_id)) == []
    assert_erased(story, survey_id)


def test_comment_added_after_the_claim_needs_a_check_first(story: Story) -> None:
    survey_id = asked(story)
    story.answer(survey_id, {CSAT: 1})
    story.records.mark_restored()  # It asks for the ratings before the call is marked.

    def write() -> None:
        story.dixa.erase(int(survey_id))
        story.answer(survey_id, {CSAT: 1}, SECRET)

    story.after("ratings", write)
    until_erased(story, story.answering, survey_id)
    assert story.dixa.results() == []
    assert_erased(story, survey_id)


def test_a_refused_result_is_a_reason_to_look(story: Story) -> None:
    survey_id = asked(story)
    story.answer(survey_id, {CSAT: 1})
    story.dixa.erase(int(survey_id))
    story.dixa.fails(1, 400, call="submit")
    until_erased(story, story.answering, survey_id)
    assert calls(story) == ["submit", "ratings", "conversation"]
    assert_erased(story, survey_id)


@pytest.mark.parametrize("status", [503, 429])
def test_failed_check_is_repeated_before_the_submit(story: Story, status: int) -> None:
    survey_id = asked(story)
    story.answer(survey_id, {CSAT: 1}, SECRET)
    story.dixa.erase(int(survey_id))
    story.dixa.fails(2, status, call="conversation")
    until_erased(story, story.answering, survey_id)
    assert set(calls(story)) == {"conversation"}


def test_refused_check_does_not_stop_the_result(story: Story) -> None:
    """A 404 doesn't show an anonymisation."""
    survey_id = asked(story)
    story.answer(survey_id, {CSAT: 4}, "Fint")
    story.dixa.fails(1, 404, call="conversation")
    story.submit(survey_id)
    story.assert_once(survey_id)


def test_what_was_submitted_before_stays_so(story: Story) -> None:
    survey_id = asked(story)
    story.answer(survey_id, {CSAT: 4}, "Fint")
    story.submit(survey_id)
    assert story.records.erase(story.load(survey_id)) == "erased"
    answer = story.load(survey_id).answer
    assert answer
    assert (answer.state, answer.reason, answer.submitted) == (AnswerState.SUBMITTED, Reason.ERASED, (CSAT,))
    assert_erased(story, survey_id)


def test_a_link_alone_leads_there_too(story: Story) -> None:
    """Redis was emptied before the answer."""
    survey_id = asked(story)
    link = Link.to(story.load(survey_id))
    story.records._redis.delete(story.records._key(survey_id))
    story.dixa.erase(int(survey_id))
    story.records.save_answer(link, AT_ONCE, {CSAT: 1}, SECRET, language="en")
    until_erased(story, story.answering, survey_id)
    assert story.dixa.results() == []
    assert_erased(story, survey_id)


class TestWhatFollows:
    """Notes and tags aren't written into it, and nobody is told."""

    def assert_nothing(self, team: Team, survey_id: str) -> None:
        assert set(team.counts(survey_id).values()) == {0}
        assert_erased(team.story, survey_id)
        record = team.story.load(survey_id)
        assert record.follow_up
        assert record.follow_up.state is FollowUpState.FAILED

    @pytest.mark.parametrize("terms", [HELD, AFTER])
    def test_no_alert_of_an_answer_with_a_comment(self, team: Team, terms: Survey) -> None:
        survey_id = asked(team.story, terms)
        team.story.answer(survey_id, {CSAT: 1}, SECRET)
        team.dixa.erase(int(survey_id))
        until_erased(team.story, team.story.following, survey_id)
        self.assert_nothing(team, survey_id)
        assert team.dixa.results() == []

    def test_no_note_and_no_tag_of_one_without(self, team: Team) -> None:
        survey_id = asked(team.story, AFTER)
        team.story.answer(survey_id, {CSAT: 1})
        team.story.submit(survey_id)
        team.dixa.erase(int(survey_id))
        until_erased(team.story, team.story.following, survey_id)
        self.assert_nothing(team, survey_id)

    def test_one_look_is_enough_for_all_of_it(self, team: Team) -> None:
        survey_id = asked(team.story, AFTER)
        team.story.answer(survey_id, {CSAT: 1})
        team.story.submit(survey_id)
        team.follow(survey_id)
        assert calls(team.story).count("conversation") == 1
        assert set(team.counts(survey_id).values()) == {1}

    def test_alert_without_comment_needs_no_check(self, team: Team) -> None:
        survey_id = asked(team.story, replace(HELD, on_answer=(OnAnswer((1,), CSAT, slack=True),)))
        team.story.answer(survey_id, {CSAT: 1})
        team.turn(survey_id)
        assert len(team.receiver.of("/slack")) == 1
        assert calls(team.story) == []


def test_a_reminder_finds_it_too(story: Story) -> None:
    survey_id = asked(story, replace(AT_ONCE, reminder=timedelta(hours=1)))
    story.dixa.erase(int(survey_id))
    put(story, survey_id, offer_due=str(to_ms(datetime.now(UTC))))
    until_erased(story, story.offering, survey_id)
    assert calls(story) == ["conversation"]
    assert_erased(story, survey_id)


class TestErasing:
    """The result of `Records.erase`, for every caller."""

    def test_a_worker_on_its_way_writes_nothing_any_more(self, story: Story) -> None:
        survey_id = asked(story)
        story.answer(survey_id, {CSAT: 1}, SECRET)
        claim = story.records.claim(Journey.ANSWER, survey_id)
        assert claim
        story.records.begin_call(claim, CSAT, (), timedelta())
        story.records.erase(claim.record)
        with pytest.raises(StaleClaim):
            story.records.submitted(claim, CSAT, (CSAT,))
        assert_erased(story, survey_id)

    def test_erased_waiting_survey_releases_its_cooldown_slot(self, story: Story, prefix: str) -> None:
        survey_id = story.begin()
        claim = story.records.claim(Journey.OFFER, survey_id)
        assert claim
        story.records.decide(
            claim, Decision(Verdict.ASK), "da", person=["hash-1"], cooldown_retention=timedelta(days=30)
        )
        assert story.records._redis.exists(f"{prefix}asked:hash-1")
        story.records.erase(claim.record)
        assert not story.records._redis.exists(f"{prefix}asked:hash-1")
        assert_erased(story, survey_id)
        assert story.records.count_decisions(claim.at.date()) == {Reason.ERASED: 1}

    def test_twice_is_once(self, story: Story) -> None:
        survey_id = asked(story)
        story.answer(survey_id, {CSAT: 1}, SECRET)
        record = story.load(survey_id)
        assert story.records.erase(record) == "erased"
        before = fields(story, survey_id)
        assert story.records.erase(record) == "erased"
        fences = {f"{journey}_fence" for journey in Journey}
        assert {name for name, value in fields(story, survey_id).items() if before[name] != value} <= fences
        assert story.records.erase(replace(record, survey_id="7")) == "missing"

    @pytest.mark.parametrize(("again", "outcome"), [(OnReclose.NEVER, "duplicate"), (OnReclose.ALWAYS, "accepted")])
    def test_erasing_does_not_change_later_closes(self, story: Story, again: OnReclose, outcome: str) -> None:
        terms = replace(AT_ONCE, on_reclose=again)
        survey_id = asked(story, terms)
        record = story.load(survey_id)
        assert record.close
        story.records.erase(record)
        assert story.records.accept(record.close, [terms]).outcome == "duplicate"
        later = replace(record.close, closed_at=record.close.closed_at + timedelta(seconds=1), event_id="later")
        assert story.records.accept(later, [terms]).outcome == outcome

    @pytest.mark.parametrize("is_submitted", [True, False])
    def test_why_shows_only_the_erasure(self, story: Story, *, is_submitted: bool) -> None:
        survey_id = asked(story)
        story.answer(survey_id, {CSAT: 1}, SECRET)
        if is_submitted:
            story.submit(survey_id)
        story.records.erase(story.load(survey_id))
        told = "\n".join(describe(story.load(survey_id), ""))
        assert "Matched survey default." in told
        assert "Answered. The answer is deleted." in told
        assert ("Its result is in Dixa." in told) is is_submitted
        assert "Ended. All data on the customer is deleted: erased." in told
        assert told.endswith("Next: nothing.")
        assert "Csat 1" not in told


@pytest.mark.parametrize("moment", ["decided", "delivered"])
def test_offer_ended_as_erased_keeps_no_data(
    redis_client: redis.Redis, prefix: str, dixa: Sandbox, moment: str
) -> None:
    story = Story(redis_client, prefix, dixa)
    survey_id = story.begin(requester=CUSTOMER)
    if moment == "decided":
        dixa.erase(int(survey_id))
    else:
        story.after("offer", lambda: dixa.erase(int(survey_id)))
        dixa.fails(1, 503, call="message")
    until_erased(story, story.offering, survey_id)
    kept = json.dumps(fields(story, survey_id))
    person = dixa.conversation(int(survey_id)).requester.id
    assert person not in kept
    assert "facts" not in kept


def test_what_is_erased_is_not_in_redis_own_file_for_long(
    own_redis: RedisServer, dixa: Sandbox, tmp_path: Path
) -> None:
    def in_the_file() -> bool:
        return any(SECRET.encode() in each.read_bytes() for each in tmp_path.glob("appendonlydir/*")) or any(
            SECRET.encode() in each.read_bytes() for each in tmp_path.glob("appendonly.aof")
        )

    client = patient(own_redis.url)
    story = Story(client, "afterword:", dixa)
    survey_id = asked(story, replace(AT_ONCE, editable_for=timedelta(hours=1)))
    assert story.answer(survey_id, {CSAT: 1}, SECRET) == "saved"
    assert not story.records.rewrite_if_erased()
    story.records.erase(story.load(survey_id))
    assert in_the_file()
    assert story.records.rewrite_if_erased()
    eventually(lambda: not in_the_file())
    assert not story.records.rewrite_if_erased()
    client.close()


def test_redis_without_bgrewriteaof_is_logged(story: Story) -> None:
    survey_id = asked(story)
    story.records.erase(story.load(survey_id))
    client = story.records._redis
    client.acl_setuser(
        "limited", enabled=True, nopass=True, categories=["+@all"], commands=["-bgrewriteaof"], keys=["*"]
    )
    kwargs = client.connection_pool.connection_kwargs | {"username": "limited", "password": ""}
    limited = redis.Redis(host=kwargs["host"], port=kwargs["port"], db=kwargs["db"], username="limited", password="x")
    records = type(story.records)(limited, lease=timedelta(1), keep=timedelta(1), prefix=story.records._prefix)
    with capture_logs() as lines:
        assert not records.rewrite_if_erased()
    assert [line["event"] for line in lines] == ["redis.not_rewritten"]
    client.acl_deluser("limited")
    limited.close()
