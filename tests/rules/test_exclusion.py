"""What Dixa shows right before the offer can exclude every survey."""

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
    ("facts", "ratings", "refusal"),
    [
        pytest.param({}, [], None, id="closed and never asked"),
        pytest.param({"state": None}, [], None, id="a state that Dixa doesn't tell"),
        pytest.param({"state": "Open"}, [], REOPENED, id="open again"),
        pytest.param({"state": "Pending"}, [], REOPENED, id="pending"),
        pytest.param({"state": "AwaitingPending"}, [], REOPENED, id="awaiting pending"),
        pytest.param({"direction": "Internal"}, [], INTERNAL, id="among colleagues"),
        pytest.param({"direction": "Outbound"}, [], None, id="outbound is a matter of the file"),
        pytest.param({"link": "SideConversation"}, [], ASIDE, id="a side conversation"),
        pytest.param({"link": "EmailForward"}, [], ASIDE, id="forwarded to somebody else"),
        pytest.param({"link": "FollowUp"}, [], None, id="a follow-up is the customer's own"),
        pytest.param({"link": "SomethingNew"}, [], None, id="a link that we don't know"),
        pytest.param({"link": "SideConversation", "state": "Open"}, [], REOPENED, id="open counts before aside"),
        pytest.param({"is_erased": True}, [], ERASED, id="erased"),
        pytest.param({"is_erased": True, "state": "Open"}, [], ERASED, id="erased counts before open"),
        pytest.param({}, [(OTHERS, "Scheduled")], SURVEYED, id="Dixa is about to ask"),
        pytest.param({}, [(OTHERS, "Offered")], SURVEYED, id="Dixa has asked"),
        pytest.param({}, [(OTHERS, "Rated")], SURVEYED, id="Dixa was answered"),
        pytest.param({}, [(OTHERS, "Cancelled")], None, id="Dixa has given up asking"),
        pytest.param({}, [(OTHERS, "Unscheduled")], None, id="Dixa won't ask"),
        pytest.param({}, [(OTHERS, "SomethingNew")], None, id="a status that we don't know"),
        pytest.param({}, [(OURS, "Offered")], None, id="we have asked"),
        pytest.param({}, [(OURS, "Rated")], None, id="we were answered"),
        pytest.param({}, [(OURS, "Offered"), (OTHERS, "Cancelled")], None, id="ours, and one given up"),
        pytest.param({}, [(OURS, "Offered"), (OTHERS, "Offered")], SURVEYED, id="ours, and another's"),
        pytest.param({"state": "Open"}, [(OTHERS, "Rated")], REOPENED, id="open counts before asked"),
    ],
)
def test_what_dixa_says_right_before_the_offer(
    facts: dict[str, Any], ratings: list[tuple[str, str]], refusal: Reason | None
) -> None:
    seen = [Rating(rating_id, "Csat", status) for rating_id, status in ratings]
    assert find_exclusion(conversation_of(**facts), seen, [OURS]) is refusal
