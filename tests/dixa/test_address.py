"""A malformed e-mail address in a webhook does not make the event fail."""

import json
from datetime import UTC, datetime

import pytest

from service.dixa.events import load_event


@pytest.mark.parametrize(
    ("email", "taken"),
    [
        ("ida@example.com", "ida@example.com"),
        (" ida@example.com ", "ida@example.com"),
        ("ida@bücher.example", "ida@xn--bcher-kva.example"),
        ("ida@example.com\r\nBcc: eve@evil.example", None),
        ("ida@example.com, eve@evil.example", None),
        (f"{'a' * 300}@example.com", None),
        ("", None),
        (None, None),
        (5, None),
        (["ida@example.com"], None),
    ],
)
def test_only_a_deliverable_address_is_kept(email: object, taken: str | None) -> None:
    body = {
        "event_fqn": "CONVERSATION_CLOSED",
        "data": {"conversation": {"csid": 1, "requester": {"id": "r", "email": email}}},
    }
    close = load_event(json.dumps(body).encode(), datetime.now(UTC)).close
    assert close
    assert (close.requester_id, close.email) == ("r", taken)
