"""An opt-out applies to the requester and to each hash of the same person."""

from collections.abc import Collection
from dataclasses import replace

import pytest

from service.rules.identity import Identities
from service.rules.suppression import SuppressionPolicy
from service.surveys.model import Close
from tests.rules.examples import close_of, conversation_of
from tests.rules.timelines import record_of

IDENTITIES = Identities(["k" * 32])


class OptOutOf:
    """The opt-outs of one id, or of one hash."""

    def __init__(self, opted_out: str) -> None:
        self._opted_out = opted_out

    def has(self, requester_id: str, person: Collection[str] = ()) -> bool:
        return self._opted_out in {requester_id, *person}


@pytest.mark.parametrize(
    ("close", "opted_out", "is_suppressed"),
    [
        (close_of(), "requester", True),
        (close_of(person=("hash",)), "hash", True),
        (close_of(requester_id="other"), "other", True),
        (close_of(requester_id="other"), "requester", False),
        (close_of(requester_id=None), "requester", True),
        (None, "requester", True),
        (close_of(person=("hash",)), "somebody", False),
    ],
)
def test_requester_of_the_webhook_takes_precedence_over_dixa(
    close: Close | None, opted_out: str, *, is_suppressed: bool
) -> None:
    record = record_of()
    policy = SuppressionPolicy(OptOutOf(opted_out), IDENTITIES)
    assert policy.has_opted_out(replace(record, close=close), conversation_of()) is is_suppressed


def test_hashes_of_a_requester_are_kept_once() -> None:
    policy = SuppressionPolicy(OptOutOf(""), IDENTITIES)
    (own,) = IDENTITIES.hashes_of("requester")
    assert policy.hashes_of(close_of(person=("hash", own)), conversation_of()) == ("hash", own)
    assert policy.hashes_of(close_of(requester_id=None), conversation_of()) == (own,)
    assert policy.hashes_of(close_of(requester_id="other"), conversation_of()) == IDENTITIES.hashes_of("other")
