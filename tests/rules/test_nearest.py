"""The survey that came nearest: the order of the rules is that of matching."""

from service.rules.matching import _late_mismatches, _mismatches
from service.rules.nearest import _ORDER, find_nearest
from service.surveys.model import RuleMismatch
from service.surveys.reasons import Reason
from tests.rules.examples import close_of, facts_of, survey_of

EVERY_RULE = """
channels = ["PSTN_PHONE"]
queues = ["none"]
contact_points = ["none@nordlys.example"]
directions = ["OUTBOUND"]
user_types = ["Visitor"]
assignee_types = ["Bot"]
languages = ["is"]
without_tags = ["here"]
with_tags = ["missing"]
addresses = ["@nordlys.example"]
assigned = true
sample = 0.0
min_customer_messages = 9
min_agent_messages = 9
"""


def test_order_is_that_of_matching() -> None:
    survey = survey_of(EVERY_RULE, terms="not_before = 2027-01-01")
    close = close_of(tags=("here",), agent_id=None)
    facts = facts_of(language="de")
    late = [each.reason for each in _late_mismatches(close, survey, facts)]
    first = [each.reason for each in _mismatches(close, survey)]
    assert [*first, *(each for each in late if each not in first)] == [*_ORDER]


def mismatch(survey: str, reason: Reason) -> RuleMismatch:
    return RuleMismatch(survey, reason, "", "")


def test_survey_with_the_most_rules_met_is_nearest() -> None:
    far, near = mismatch("far", Reason.CHANNEL), mismatch("near", Reason.NOT_SAMPLED)
    assert find_nearest([far, near]) == find_nearest([near, far]) == near


def test_of_two_as_near_the_first_counts() -> None:
    first, second = mismatch("first", Reason.QUEUE), mismatch("second", Reason.QUEUE)
    assert find_nearest([first, second]) == first


def test_survey_that_matched_is_nearer_than_any_other() -> None:
    matched = mismatch("matched", Reason.ASKED_RECENTLY)
    assert find_nearest([mismatch("other", Reason.FEW_AGENT_MESSAGES), matched]) == matched


def test_without_mismatches_none_is_nearest() -> None:
    assert find_nearest([]) is None
