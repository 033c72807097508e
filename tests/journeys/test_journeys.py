"""After any failed call there is one offer, one message and one result, or a reason."""

from collections.abc import Callable

import pytest
import redis

from service.sandbox.server import Sandbox
from service.surveys.reasons import Reason
from service.surveys.states import AnswerState, OfferState
from tests.harness import BRIEF_CLAIMS, CSAT, Story
from tests.polling import eventually

Break = Callable[[Sandbox, str], None]

TRANSIENT: dict[str, Break] = {
    "fails twice with 503": lambda dixa, call: dixa.fails(2, 503, call=call),
    "fails with 500": lambda dixa, call: dixa.fails(1, 500, call=call),
    "drops the call": lambda dixa, call: dixa.drops_before(2, call=call),
    "executes then drops": lambda dixa, call: dixa.executes_then_drops(1, call=call),
    "executes then returns 500": lambda dixa, call: dixa.executes_then_fails(1, 500, call=call),
    "hangs": lambda dixa, call: dixa.hangs(30, 1, call=call),
    "throttles": lambda dixa, call: dixa.throttles(2, retry_after=0, call=call),
    "rejects the token twice": lambda dixa, call: dixa.fails(2, 401, call=call),
}
"""Faults with a successful later try."""


CALLS = ("conversation", "ratings", "offer", "message", "submit")


@pytest.fixture
def brief_story(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> Story:
    return Story(redis_client, prefix, dixa, timings=BRIEF_CLAIMS)


@pytest.mark.parametrize("trouble", TRANSIENT)
def test_transient_faults_double_and_lose_nothing(brief_story: Story, trouble: str) -> None:
    """Every call of the survey has this fault."""
    for call in CALLS:
        TRANSIENT[trouble](brief_story.dixa, call)
    survey_id = brief_story.begin()
    record = brief_story.complete(survey_id, {CSAT: 4}, "Quick and friendly")
    assert brief_story.dixa.faults.pending() == []
    assert record.offer.state is OfferState.DELIVERED
    assert record.answer is not None
    assert record.answer.state is AnswerState.SUBMITTED
    brief_story.assert_once(survey_id)
    result = brief_story.dixa.results(int(survey_id))[0]
    assert (result.value, result.comment) == (4, "Quick and friendly")


LOST: dict[str, Break] = {
    "executes then drops": lambda dixa, call: dixa.executes_then_drops(1, call=call),
    "drops before": lambda dixa, call: dixa.drops_before(1, call=call),
}
CHECK_FAULTS: dict[str, Break] = {
    "fails": lambda dixa, call: dixa.fails(3, 503, call=call),
    "hangs": lambda dixa, call: dixa.hangs(30, 1, call=call),
    "is throttled": lambda dixa, call: dixa.throttles(1, retry_after=0, call=call),
}


CHECK_OF = {"offer": "ratings", "message": "messages", "submit": "ratings"}


@pytest.mark.parametrize("loses", LOST)
@pytest.mark.parametrize("check_fault", CHECK_FAULTS)
def test_lost_call_is_repeated_only_after_a_successful_check(brief_story: Story, loses: str, check_fault: str) -> None:
    """The call loses its response, and the next check fails."""
    for call, check in CHECK_OF.items():
        LOST[loses](brief_story.dixa, call)
        brief_story.after(call, lambda check=check: CHECK_FAULTS[check_fault](brief_story.dixa, check))  # type: ignore[misc]
    survey_id = brief_story.begin()
    brief_story.complete(survey_id, {CSAT: 4})
    assert brief_story.dixa.faults.pending() == []
    brief_story.assert_once(survey_id)
    seen = [(each.call, each.fault) for each in brief_story.dixa.calls]
    for call, check in CHECK_OF.items():
        first, *later = [position for position, (seen_call, _) in enumerate(seen) if seen_call == call]
        assert (check, None) in seen[first + 1 : later[0] if later else None]


REFUSED = [(400, Reason.REFUSED), (404, Reason.NOT_FOUND), (422, Reason.REFUSED)]


@pytest.mark.parametrize("call", ["conversation", "ratings", "offer", "message"])
@pytest.mark.parametrize(("status", "reason"), REFUSED)
def test_refused_offer_fails_with_its_reason(story: Story, call: str, status: int, reason: Reason) -> None:
    story.dixa.fails(1, status, call=call)
    survey_id = story.begin()
    record = story.ask(survey_id)
    assert (record.offer.state, record.offer.reason) == (OfferState.FAILED, reason)
    assert len(story.dixa.offers()) == (1 if call == "message" else 0)
    assert story.dixa.messages() == []
    story.assert_no_doubles()


@pytest.mark.parametrize(("status", "reason"), REFUSED)
def test_refused_result_fails_and_keeps_the_answer(story: Story, status: int, reason: Reason) -> None:
    story.dixa.fails(1, status, call="submit")
    survey_id = story.begin()
    record = story.complete(survey_id, {CSAT: 2}, "Slow")
    assert record.answer is not None
    assert (record.answer.state, record.answer.reason) == (AnswerState.FAILED, reason)
    assert (record.answered.scores, record.answered.comment) == ({CSAT: 2}, "Slow")
    assert story.dixa.results() == []


def test_refusal_of_an_existing_result_is_success(story: Story) -> None:
    story.dixa.executes_then_fails(1, 400, call="submit")
    survey_id = story.begin()
    record = story.complete(survey_id, {CSAT: 5})
    assert record.answer is not None
    assert record.answer.state is AnswerState.SUBMITTED
    story.assert_once(survey_id)


def test_refusal_of_an_existing_message_is_success(story: Story) -> None:
    story.dixa.executes_then_fails(1, 400, call="message")
    survey_id = story.begin()
    assert story.ask(survey_id).offer.state is OfferState.DELIVERED
    assert len(story.dixa.messages(int(survey_id))) == 1


def test_failed_check_after_a_refusal_is_repeated(story: Story) -> None:
    story.dixa.executes_then_fails(1, 400, call="submit")
    story.after("submit", lambda: story.dixa.fails(2, 503, call="ratings"))
    survey_id = story.begin()
    story.complete(survey_id, {CSAT: 5})
    story.assert_once(survey_id)


def test_retry_after_of_a_429_is_respected(story: Story) -> None:
    story.dixa.throttles(1, retry_after=1, call="offer")
    first, second = story.begin(), story.begin()
    for survey_id in (first, second):
        story.complete(survey_id, {CSAT: 4})
    story.assert_no_doubles()
    throttled = next(position for position, each in enumerate(story.dixa.calls) if each.status == 429)
    before, after = story.dixa.calls[throttled : throttled + 2]
    assert (after.at - before.at).total_seconds() > 0.5


def test_outage_only_delays_a_survey(story: Story) -> None:
    survey_id = story.begin()
    story.dixa.outage(None)
    for _ in range(20):
        story.offering.run(survey_id)
    story.dixa.outage_is_over()
    story.complete(survey_id, {CSAT: 3})
    story.assert_once(survey_id)


def test_offer_executed_before_reconciling_is_not_repeated(story: Story) -> None:
    story.dixa.executes_late(0.05, 1, call="offer")
    survey_id = story.begin()
    story.run_until(story.offering, survey_id, lambda record: record.offer.state is OfferState.UNKNOWN)
    eventually(lambda: story.dixa.offers(int(survey_id)))
    story.complete(survey_id, {CSAT: 4})
    story.assert_once(survey_id)
    assert [each.call for each in story.dixa.calls].count("offer") == 1


def test_result_executed_before_reconciling_is_not_repeated(story: Story) -> None:
    story.dixa.executes_late(0.05, 1, call="submit")
    survey_id = story.begin()
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 4})
    story.run_until(
        story.answering,
        survey_id,
        lambda record: record.answer is not None and record.answer.state is AnswerState.UNKNOWN,
    )
    eventually(lambda: story.dixa.results(int(survey_id)))
    story.submit(survey_id)
    story.assert_once(survey_id)
    assert [each.call for each in story.dixa.calls].count("submit") == 1


def test_offer_executed_after_reconciling_is_adopted_later(story: Story) -> None:
    survey_id = story.begin()
    late: list[str] = []

    def execute_late() -> None:
        late.append(story.dixa.make_rating(int(survey_id), "Csat"))

    story.dixa.drops_before(1, call="offer")
    story.after("offer", lambda: story.after("ratings", execute_late))
    record = story.ask(survey_id)
    assert [offer.rating_id for offer in record.offers] == late
    assert record.offer.state is OfferState.DELIVERED
    assert [each.call for each in story.dixa.calls].count("offer") == 1
