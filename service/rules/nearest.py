"""The survey that came nearest to being sent: the one that the conversation met the most rules of."""

from collections.abc import Sequence

from service.surveys.model import RuleMismatch
from service.surveys.reasons import Reason

_ORDER = (
    Reason.BEFORE_START,
    Reason.CHANNEL,
    Reason.QUEUE,
    Reason.CONTACT_POINT,
    Reason.DIRECTION,
    Reason.USER_TYPE,
    Reason.TAG_EXCLUDED,
    Reason.TAG_MISSING,
    Reason.ADDRESS,
    Reason.UNASSIGNED,
    Reason.ASSIGNEE_TYPE,
    Reason.NOT_SAMPLED,
    Reason.LANGUAGE,
    Reason.FEW_CUSTOMER_MESSAGES,
    Reason.FEW_AGENT_MESSAGES,
)
"""The order in which matching.py checks the rules. The first rule not met is the one on record."""


def find_nearest(mismatches: Sequence[RuleMismatch]) -> RuleMismatch | None:
    """Return the mismatch of the survey with the most rules met, of several the first. None without mismatches."""
    return max(mismatches, key=_count_met, default=None)


def _count_met(mismatch: RuleMismatch) -> int:
    # All other reasons are of rules that come after these.
    return _ORDER.index(mismatch.reason) if mismatch.reason in _ORDER else len(_ORDER)
