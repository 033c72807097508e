"""Every reason is documented."""

from service.rules.reasons import REASONS
from service.surveys.states import Reason


def test_every_reason_is_explained_and_nothing_else() -> None:
    assert set(REASONS) == set(Reason)
    assert all(each.meaning.endswith(".") and each.remedy.endswith(".") for each in REASONS.values())
