"""Which actions an answer calls for."""

from dataclasses import replace

from service.journeys.follow_up import plan_actions
from service.surveys.on_answer import OnAnswer
from service.surveys.ratings import RatingType
from tests.harness import AT_ONCE, CSAT, NPS


def find(scores: dict[RatingType, int], *after: OnAnswer) -> list[str]:
    return [each.name for each in plan_actions(replace(AT_ONCE, ratings=(CSAT, NPS), on_answer=after), scores)]


def test_each_once() -> None:
    twice = OnAnswer((1,), CSAT, slack=True, tag="angry"), OnAnswer((0, 1), NPS, slack=True, tag="sad")
    assert find({CSAT: 1, NPS: 1}, *twice) == ["slack", "tag:angry", "tag:sad"]
    assert find({NPS: 0}, *twice) == ["slack", "tag:sad"]
    assert find({CSAT: 5, NPS: 9}, *twice) == []


def test_a_comment_is_told_if_one_of_them_allows_it() -> None:
    after = OnAnswer((1,), CSAT, note=True), OnAnswer((1, 2), CSAT, note=True, comment=True, slack=True)
    found = {each.name: each.shows_comment for each in plan_actions(replace(AT_ONCE, on_answer=after), {CSAT: 1})}
    assert found == {"slack": True, "note": True}


def test_a_webhook_is_told_the_comment_always() -> None:
    after = OnAnswer((1,), CSAT, webhook=True, slack=True)
    found = {each.name: each.shows_comment for each in plan_actions(replace(AT_ONCE, on_answer=(after,)), {CSAT: 1})}
    assert found == {"slack": False, "webhook": True}
