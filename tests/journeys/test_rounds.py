"""A reclosed conversation gets a new round only with `on_reclose`, and never because of our own message."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import redis

from service.records.answer_transitions import GivenAnswer
from service.sandbox.server import Sandbox
from service.surveys.definition import OnReclose
from service.surveys.links import Link
from service.surveys.match import Match
from service.surveys.reasons import Reason
from service.surveys.states import ChangeKind, OfferState
from tests.harness import AT_ONCE, CSAT, Story
from tests.journeys.rounds import ALWAYS, SECOND, UNANSWERED, write_as_customer


def sent(story: Story, number: int) -> list[str]:
    return [each.external_id for each in story.dixa.messages(number) if each.external_id]


@pytest.fixture
def reopening(dixa: Sandbox) -> Sandbox:
    """A Dixa with conversations reopened by our own messages."""
    dixa.state.message_reopens = True
    return dixa


@pytest.mark.parametrize("is_answered", [False, True], ids=["unanswered", "answered"])
@pytest.mark.parametrize("on_reclose", OnReclose)
def test_on_reclose_decides_about_a_new_round(story: Story, on_reclose: OnReclose, *, is_answered: bool) -> None:
    terms = replace(ALWAYS, on_reclose=on_reclose)
    number = story.dixa.make_conversation()
    first = story.close(number, terms)
    story.complete(first, {CSAT: 2}) if is_answered else story.ask(first)
    story.dixa.reopen(number)
    write_as_customer(story, number)
    second = story.close(number, terms)
    is_new = on_reclose is OnReclose.ALWAYS or (on_reclose is OnReclose.UNANSWERED and not is_answered)
    assert second == (f"{number}-2" if is_new else str(number))
    story.ask(second)
    assert sent(story, number) == [f"afterword-{each}" for each in ([first, second] if is_new else [first])]
    assert len(story.dixa.offers(number)) == (2 if is_new else 1)


def test_each_round_has_its_own_answer(story: Story) -> None:
    number = story.dixa.make_conversation()
    first = story.close(number, ALWAYS)
    story.complete(first, {CSAT: 1}, "Not yet")
    write_as_customer(story, number)
    story.complete(story.close(number, ALWAYS), {CSAT: 5}, "Now it is")
    assert [(each.value, each.comment) for each in story.dixa.results(number)] == [(1, "Not yet"), (5, "Now it is")]
    assert story.records.list_rounds(number) == [f"{number}-2", str(number)]


def test_earlier_round_can_still_be_answered(story: Story) -> None:
    number = story.dixa.make_conversation()
    first = story.close(number, UNANSWERED)
    story.ask(first)
    write_as_customer(story, number)
    story.ask(story.close(number, UNANSWERED))
    story.answer(first, {CSAT: 3})
    story.submit(first)
    assert [each.rating_id for each in story.dixa.results(number)] == [story.load(first).offers[0].rating_id]


def test_reopened_waiting_survey_is_sent_after_the_next_close(story: Story) -> None:
    """Its cooldown slot was released, so `cooldown` is no obstacle."""
    terms = replace(AT_ONCE, on_reclose=OnReclose.UNANSWERED)
    number = story.dixa.make_conversation()
    first = story.close(number, terms)
    story.dixa.reopen(number)
    assert story.take_change(first, ChangeKind.REOPENED)
    record = story.ask(story.close(number, terms))
    assert (record.survey_id, record.offer.state) == (f"{number}-2", OfferState.DELIVERED)


def test_new_round_respects_the_cooldown(story: Story) -> None:
    terms = replace(ALWAYS, cooldown=timedelta(days=30))
    number = story.dixa.make_conversation()
    story.ask(story.close(number, terms))
    write_as_customer(story, number)
    assert story.ask(story.close(number, terms)).offer.reason == Reason.ASKED_RECENTLY


def test_our_own_message_causes_no_new_survey(story: Story, reopening: Sandbox) -> None:
    number = story.dixa.make_conversation()
    story.ask(story.close(number, ALWAYS))
    for round_number in (2, 3, 4):
        assert reopening.conversation(number).state == ("Open" if round_number == 2 else "Closed")
        record = story.ask(story.close(number, ALWAYS))
        assert record.survey_id == f"{number}-{round_number}"
        assert (record.offer.state, record.offer.reason) == (OfferState.SKIPPED, Reason.NOTHING_NEW)
    assert sent(story, number) == [f"afterword-{number}"]
    assert len(story.dixa.offers(number)) == 1


def test_customer_message_after_our_message_allows_a_new_round(story: Story, reopening: Sandbox) -> None:
    number = story.dixa.make_conversation()
    story.ask(story.close(number, ALWAYS))
    story.ask(story.close(number, ALWAYS))
    write_as_customer(story, number)
    record = story.ask(story.close(number, ALWAYS))
    assert (record.survey_id, record.offer.state) == (f"{number}-3", OfferState.DELIVERED)


def test_duplicate_or_earlier_close_makes_no_round(story: Story) -> None:
    number = story.dixa.make_conversation()
    first = story.close(number, ALWAYS, event_id="event-1")
    closed_at = story.load(first).close.closed_at  # type: ignore[union-attr]
    story.ask(first)
    assert story.close(number, ALWAYS, event_id="event-1") == first
    assert story.close(number, ALWAYS, event_id="event-0", closed_at=closed_at - SECOND) == first


def test_close_during_the_delay_makes_no_round(story: Story) -> None:
    number = story.dixa.make_conversation()
    waiting = replace(ALWAYS, delay=timedelta(hours=1))
    assert [story.close(number, waiting), story.close(number, waiting)] == [str(number)] * 2


def test_close_without_a_round_is_counted(story: Story) -> None:
    number = story.dixa.make_conversation()
    survey_id = story.close(number, AT_ONCE)
    story.complete(survey_id, {CSAT: 4})
    for _ in range(2):
        story.dixa.reopen(number)
        assert story.close(number, AT_ONCE) == survey_id
    found = story.records.count_decisions(datetime.now(UTC).date())
    assert found == {"asked": 1, Reason.CLOSED_AGAIN: 2}
    assert story.load(survey_id).latest_close is not None


def test_duplicate_webhook_is_no_second_close(story: Story) -> None:
    number = story.dixa.make_conversation()
    for _ in range(2):
        survey_id = story.close(number, AT_ONCE, event_id="the-same")
        story.ask(survey_id)
    assert story.records.count_decisions(datetime.now(UTC).date()) == {"asked": 1}


def test_failed_survey_is_not_counted_as_asked(story: Story) -> None:
    survey_id = story.begin()
    story.dixa.fails(1, 400, call="offer")
    assert story.ask(survey_id).offer.state is OfferState.FAILED
    assert story.records.count_decisions(datetime.now(UTC).date()) == {Reason.REFUSED: 1}


def test_later_close_names_the_mismatching_rule(story: Story) -> None:
    terms = replace(ALWAYS, match=Match(without_tags=("spam",)))
    number = story.dixa.make_conversation()
    story.ask(story.close(number, terms))
    write_as_customer(story, number)
    record = story.load(story.close(number, terms, tags=("spam",)))
    assert (record.survey_id, record.offer.state) == (f"{number}-2", OfferState.SKIPPED)
    assert (record.offer.reason, [each.fact for each in record.mismatches]) == (Reason.TAG_EXCLUDED, ["spam"])
    assert story.records.count_decisions(datetime.now(UTC).date()) == {"asked": 1, Reason.TAG_EXCLUDED: 1}
    assert story.ask(story.close(number, terms)).offer.state is OfferState.DELIVERED


def test_skipped_close_in_between_does_not_hide_an_earlier_answer(story: Story) -> None:
    terms = replace(UNANSWERED, match=Match(without_tags=("spam",)))
    number = story.dixa.make_conversation()
    story.complete(story.close(number, terms), {CSAT: 5})
    story.close(number, terms, tags=("spam",))
    write_as_customer(story, number)
    record = story.ask(story.close(number, terms))
    assert (record.offer.state, record.offer.reason) == (OfferState.SKIPPED, Reason.CLOSED_AGAIN)
    assert len(story.dixa.offers(number)) == 1


@pytest.mark.parametrize(
    ("on_reclose", "reason"),
    [(OnReclose.ALWAYS, ""), (OnReclose.UNANSWERED, Reason.CLOSED_AGAIN)],
    ids=["always", "unanswered"],
)
def test_our_own_result_does_not_end_a_waiting_round(story: Story, on_reclose: OnReclose, reason: str) -> None:
    terms = replace(ALWAYS, on_reclose=on_reclose)
    number = story.dixa.make_conversation()
    first = story.close(number, terms)
    story.ask(first)
    write_as_customer(story, number)
    second = story.close(number, terms)
    story.answer(first, {CSAT: 4})
    story.submit(first)
    assert not story.take_change(second, ChangeKind.RATED)
    assert story.ask(second).offer.reason == reason


def test_lost_number_of_rounds_overwrites_no_round(story: Story, redis_client: redis.Redis) -> None:
    """After a restore, the second round's link has recreated its record."""
    number = story.dixa.make_conversation()
    story.ask(story.close(number, ALWAYS))
    write_as_customer(story, number)
    second = story.close(number, ALWAYS)
    link = Link.to(story.ask(second))
    redis_client.delete(story.records._key(second), f"{story.records._prefix}rounds:{number}")
    story.records.save_answer(GivenAnswer(link, ALWAYS, {CSAT: 5}, "", "en"))
    story.submit(second)
    write_as_customer(story, number)
    assert story.close(number, ALWAYS) == f"{number}-3"
    assert story.load(second).answered.scores == {CSAT: 5}
