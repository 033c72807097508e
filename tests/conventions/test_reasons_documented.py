"""Every reason is explained."""

from service.surveys.reasons import Reason


def test_every_reason_has_a_meaning_and_a_remedy() -> None:
    assert [each for each in Reason if not (each.meaning.endswith(".") and each.remedy.endswith("."))] == []
