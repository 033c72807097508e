"""Surveys with several ratings, and answers changed while a worker submits them."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from threading import Thread

import pytest
import redis

from service.sandbox.dixa.model import Exchange
from service.sandbox.server import Sandbox
from service.surveys.ports import FIRST_SLOT_MAX_WAIT, Deadline, Slot
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import AnswerState, Journey, OfferState
from tests.harness import AT_ONCE, CSAT, NPS, THUMBS, Story
from tests.journeys.erased import asks_for_a_rewrite
from tests.polling import eventually
from tests.tasks import take_due

THREE = replace(AT_ONCE, ratings=(CSAT, NPS, THUMBS))
SCORES = {CSAT: 4, NPS: 9, THUMBS: 1}


def results(story: Story) -> dict[str, tuple[int, str | None]]:
    return {each.type: (each.value, each.comment) for each in story.dixa.results()}


def test_three_questions_make_three_offers_one_message_and_three_results(story: Story) -> None:
    survey_id = story.begin(THREE)
    story.complete(survey_id, SCORES, "All good")
    assert [offer.type for offer in story.dixa.offers()] == ["Csat", "Nps", "ThumbsUpOrDown"]
    assert results(story) == {"Csat": (4, "All good"), "Nps": (9, None), "ThumbsUpOrDown": (1, None)}
    assert len(story.dixa.messages()) == 1
    story.assert_no_doubles()


def test_offers_keep_the_order_of_the_file(story: Story) -> None:
    story.ask(story.begin(replace(THREE, ratings=(THUMBS, CSAT))))
    assert [offer.type for offer in story.dixa.offers()] == ["ThumbsUpOrDown", "Csat"]


@pytest.mark.parametrize("scores", [{CSAT: 1}, {NPS: 0}, {THUMBS: 0}, {NPS: 10, THUMBS: 1}], ids="+".join)
def test_partly_answered_survey_submits_only_the_given_scores(story: Story, scores: Mapping[RatingType, int]) -> None:
    survey_id = story.begin(THREE)
    record = story.complete(survey_id, scores, "Only this")
    first = next(iter(scores))
    assert record.answer is not None
    assert set(record.answer.submitted) == set(scores)
    assert results(story) == {str(each): (scores[each], "Only this" if each is first else None) for each in scores}
    story.assert_no_doubles()


def test_score_of_zero_is_submitted(story: Story) -> None:
    story.complete(story.begin(THREE), {NPS: 0, THUMBS: 0})
    assert results(story) == {"Nps": (0, None), "ThumbsUpOrDown": (0, None)}


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("fault", ["executes_then_drops", "drops_before"])
def test_lost_response_of_any_call_doubles_nothing(story: Story, nth: int, fault: str) -> None:
    loses = getattr(story.dixa, fault)
    made: Counter[str] = Counter()

    def watch(exchange: Exchange) -> None:
        made[exchange.call] += 1
        if exchange.call in ("offer", "submit") and made[exchange.call] == nth - 1:
            loses(1, call=exchange.call)

    story.dixa.on_exchange.append(watch)
    if nth == 1:
        loses(1, call="offer")
        loses(1, call="submit")
    survey_id = story.begin(THREE)
    story.complete(survey_id, SCORES, "Once")
    assert story.dixa.faults.pending() == []
    assert len(story.dixa.offers()) == 3
    assert results(story) == {"Csat": (4, "Once"), "Nps": (9, None), "ThumbsUpOrDown": (1, None)}
    story.assert_no_doubles()


def test_conversation_erased_between_two_offers_gets_no_second_one(story: Story) -> None:
    story.dixa.executes_then_drops(1, call="offer")
    survey_id = story.begin(THREE)
    story.offering.run(survey_id)
    story.dixa.erase(int(survey_id))
    record = story.ask(survey_id)
    assert (record.offer.state, record.offer.reason) == (OfferState.CANCELLED, Reason.ERASED)
    assert [offer.type for offer in story.dixa.offers()] == ["Csat"]
    assert asks_for_a_rewrite(story)


class Interrupted:
    """The journeys, with an event between a worker's claim and its call."""

    def __init__(self, redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> None:
        self._then: Callable[[], object] = int
        self._slow = Story(redis_client, prefix, dixa)
        self._take_slot = self._slow.calls.take_slot
        self._slow.calls.take_slot = self._slot  # type: ignore[method-assign]

    def submit(self, survey_id: str, then: Callable[[], object]) -> None:
        """Work on the answer once. Call `then` between the claim and the call."""
        self._then = then
        self._slow.answering.run(survey_id)
        assert self._then is int, "the worker took no slot"

    def _slot(self, deadline: Deadline, max_wait: timedelta = FIRST_SLOT_MAX_WAIT) -> Slot:
        then, self._then = self._then, int
        then()
        return self._take_slot(deadline, max_wait)


@pytest.fixture
def interrupted(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> Interrupted:
    return Interrupted(redis_client, prefix, dixa)


@pytest.mark.parametrize(
    ("first", "second"),
    [({CSAT: 1}, {CSAT: 5}), ({CSAT: 1}, {NPS: 9}), ({CSAT: 1}, {CSAT: 2, NPS: 9}), ({CSAT: 1, NPS: 2}, {NPS: 9})],
    ids=["another score", "another question", "one more question", "one question less"],
)
def test_answer_changed_before_the_call_is_submitted_as_changed(
    story: Story, interrupted: Interrupted, first: Mapping[RatingType, int], second: Mapping[RatingType, int]
) -> None:
    survey_id = story.begin(THREE)
    story.ask(survey_id)
    story.answer(survey_id, first, "Before")
    interrupted.submit(survey_id, lambda: story.answer(survey_id, second, "After"))
    progress = story.load(survey_id).answer
    assert progress is not None
    assert progress.tries == 0
    story.submit(survey_id)
    comments = [each.comment for each in story.dixa.results()]
    assert results(story) == {
        str(each): (score, "After" if each is next(iter(second)) else None) for each, score in second.items()
    }
    assert comments.count("After") == 1


def test_changed_answer_is_editable_again(story: Story, interrupted: Interrupted) -> None:
    survey_id = story.begin(replace(AT_ONCE, editable_for=timedelta(seconds=1.5)))
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 1})
    eventually(lambda: take_due(story.records, Journey.ANSWER, 1, timedelta()))
    interrupted.submit(survey_id, lambda: story.answer(survey_id, {CSAT: 5}))
    assert story.dixa.results() == []
    record = story.load(survey_id)
    assert record.answer is not None
    assert record.answer.state is AnswerState.EDITABLE
    story.submit(survey_id)
    assert [each.value for each in story.dixa.results()] == [5]


def test_many_tasks_for_one_survey_make_one_offer_and_result(story: Story) -> None:
    survey_id = story.begin(THREE)

    def work() -> None:
        record = story.load(survey_id)
        while record.answer is None or record.answer.state is not AnswerState.SUBMITTED:
            story.offering.run(survey_id)
            if record.offer.state is OfferState.DELIVERED:
                story.answer(survey_id, SCORES)
            story.answering.run(survey_id)
            record = story.load(survey_id)

    threads = [Thread(target=work, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(story.dixa.offers()) == len(story.dixa.results()) == 3
    assert len(story.dixa.messages()) == 1
    story.assert_no_doubles()
