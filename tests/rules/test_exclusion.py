"""Facts queried from Dixa right before the offer can exclude every survey."""

from typing import Any

import pytest

from service.rules.matching import (
    find_exclusion,
)
from service.surveys.ports import Rating
from service.surveys.reasons import Reason
from tests.rules.examples import conversation_of

OURS, OTHERS = "ours", "others"
REOPENED, ERASED, INTERNAL = Reason.REOPENED, Reason.ERASED, Reason.INTERNAL
ASIDE, SURVEYED = Reason.SIDE_CONVERSATION, Reason.ALREADY_SURVEYED


@pytest.mark.parametrize(
    ("facts", "ratings", "exclusion"),
    [
        pytest.param({}, [], None, id="closed, without a rating"),
        pytest.param({"state": None}, [], None, id="unknown state"),
        pytest.param({"state": "Open"}, [], REOPENED, id="reopened"),
        pytest.param({"state": "Pending"}, [], REOPENED, id="pending"),
        pytest.param({"state": "AwaitingPending"}, [], REOPENED, id="awaiting pending"),
        pytest.param({"direction": "Internal"}, [], INTERNAL, id="internal"),
        pytest.param({"direction": "Outbound"}, [], None, id="outbound"),
        pytest.param({"link": "SideConversation"}, [], ASIDE, id="side conversation"),
        pytest.param({"link": "EmailForward"}, [], ASIDE, id="forwarded"),
        pytest.param({"link": "FollowUp"}, [], None, id="follow-up of the customer"),
        pytest.param({"link": "SomethingNew"}, [], None, id="unknown link"),
        pytest.param({"link": "SideConversation", "state": "Open"}, [], REOPENED, id="open side conversation"),
        pytest.param({"is_erased": True}, [], ERASED, id="erased"),
        pytest.param({"is_erased": True, "state": "Open"}, [], ERASED, id="erased and open"),
        pytest.param({}, [(OTHERS, "Scheduled")], SURVEYED, id="scheduled by Dixa"),
        pytest.param({}, [(OTHERS, "Offered")], SURVEYED, id="offered by Dixa"),
        pytest.param({}, [(OTHERS, "Rated")], SURVEYED, id="rated in Dixa's survey"),
        pytest.param({}, [(OTHERS, "Cancelled")], None, id="cancelled by Dixa"),
        pytest.param({}, [(OTHERS, "Unscheduled")], None, id="unscheduled by Dixa"),
        pytest.param({}, [(OTHERS, "SomethingNew")], None, id="unknown status"),
        pytest.param({}, [(OURS, "Offered")], None, id="our offer"),
        pytest.param({}, [(OURS, "Rated")], None, id="our result"),
        pytest.param({}, [(OURS, "Offered"), (OTHERS, "Cancelled")], None, id="our offer and a cancelled offer"),
        pytest.param({}, [(OURS, "Offered"), (OTHERS, "Offered")], SURVEYED, id="our offer and another offer"),
        pytest.param({"state": "Open"}, [(OTHERS, "Rated")], REOPENED, id="open and rated"),
    ],
)
def test_current_facts_of_dixa_exclude_a_survey(
    facts: dict[str, Any], ratings: list[tuple[str, str]], exclusion: Reason | None
) -> None:
    seen = [Rating(rating_id, "Csat", status) for rating_id, status in ratings]
    assert find_exclusion(conversation_of(**facts), seen, [OURS]) is exclusion
