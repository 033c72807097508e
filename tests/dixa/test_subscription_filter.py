"""The filters of a subscription, on a close that was looked up."""

from datetime import UTC, datetime
from typing import Any

import pytest

from service.dixa.subscription_filter import passes
from service.surveys.model import Close

CLOSE = Close(1, datetime(2026, 11, 28, tzinfo=UTC), channel="PstnPhone", queue_id="q-1")


def condition(field: str, *values: str, kind: str = "IsOneOf") -> dict[str, Any]:
    return {"field": field, "values": [*values], "_type": kind}


def filters(*conditions: Any, strategy: str = "All") -> dict[str, Any]:
    return {"Conversation": {"strategy": strategy, "conditions": [*conditions], "_type": "CombinedFilters"}}


CHANNEL = condition("InitialChannel", "email", "pstn_phone")
OTHER_CHANNEL = condition("InitialChannel", "email")
NOT_QUEUE = condition("QueueId", "q-1", kind="IsNotOneOf")
NO_IMPORT = condition("OperationOrigin", "ApiImport", kind="IsNotOneOf")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, True),
        ({}, True),
        (filters(CHANNEL), True),
        (filters(OTHER_CHANNEL), False),
        (filters(NOT_QUEUE), False),
        (filters(condition("QueueId", "q-2", kind="IsNotOneOf")), True),
        (filters(CHANNEL, NOT_QUEUE), False),
        (filters(CHANNEL, NOT_QUEUE, strategy="Any"), True),
        (filters(NO_IMPORT), None),
        (filters(CHANNEL, NO_IMPORT), None),
        (filters(OTHER_CHANNEL, NO_IMPORT), False),
        (filters(CHANNEL, NO_IMPORT, strategy="Any"), True),
        (filters(OTHER_CHANNEL, NO_IMPORT, strategy="Any"), None),
        (filters(condition("Brand", "x")), None),
        (filters({"field": "QueueId"}), None),
        (filters("odd"), None),
        ({"Conversation": "odd"}, None),
        ("odd", None),
        (filters(condition("QueueId", "q-1", kind="Matches")), None),
    ],
)
def test_filters_are_met_unmet_or_unknown(found: Any, expected: bool | None) -> None:  # noqa: FBT001
    assert passes(found, CLOSE) is expected


def test_a_close_without_a_channel_is_unknown() -> None:
    assert passes(filters(CHANNEL), Close(1, CLOSE.closed_at)) is None
    assert passes(filters(NOT_QUEUE), Close(1, CLOSE.closed_at)) is True
