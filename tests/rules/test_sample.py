"""The random sample of a survey: stable, independent of other surveys, and of the right size."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.rules.matching import (
    choose_at_close,
    is_in_sample,
)
from tests.rules.examples import close_of, survey_of


def test_samples_of_two_surveys_are_independent() -> None:
    one, other = (replace(survey_of("sample = 0.5"), name=name) for name in ("one", "other"))
    drawn = [choose_at_close(close_of(number), [one, other]).candidates for number in range(1, 2001)]
    shares = [sum(found[:1] == (each,) for found in drawn) / 2000 for each in (one, other)]
    assert abs(shares[0] - 0.5) < 0.05
    assert abs(shares[1] - 0.25) < 0.05


@given(st.integers(1, 2**63 - 1), st.floats(0, 1), st.floats(0, 1))
def test_larger_sample_contains_the_smaller_sample(conversation_id: int, one: float, other: float) -> None:
    smaller, larger = sorted((one, other))
    assert not is_in_sample(conversation_id, smaller, "all") or is_in_sample(conversation_id, larger, "all")


@given(st.integers(1, 2**63 - 1))
def test_sample_of_0_is_empty_and_sample_of_1_is_complete(conversation_id: int) -> None:
    assert not is_in_sample(conversation_id, 0, "all")
    assert is_in_sample(conversation_id, 1, "all")


@pytest.mark.parametrize("share", [0.01, 0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("first", [1, 48_201, 2**31], ids=["ids from 1", "from 48201", "from 2^31"])
def test_sample_of_many_conversations_has_the_configured_share(share: float, first: int) -> None:
    asked = sum(is_in_sample(conversation_id, share, "all") for conversation_id in range(first, first + 20_000))
    # Four standard deviations. The drawn sample is always the same.
    assert abs(asked / 20_000 - share) < 4 * (share * (1 - share) / 20_000) ** 0.5
