"""What a record keeps of a close."""

import json
from datetime import UTC, datetime

import pytest

from service.records.codec import dump_close, load_close
from service.surveys.model import Close

NOON = datetime(2026, 5, 12, 12, tzinfo=UTC)


@pytest.mark.parametrize(("tags", "kept"), [((), {"tags": []}), (None, {})])
def test_empty_facts_need_no_room_and_tags_stay_known_or_unknown(
    tags: tuple[str, ...] | None, kept: dict[str, object]
) -> None:
    close = Close(48213, NOON, channel="Email", tags=tags, odd_email="no-reply@example.com")
    text = dump_close(close)
    assert json.loads(text) == {"closed_at": 1778587200000, "channel": "Email", **kept}
    assert load_close(48213, text, "ida@example.com") == Close(
        48213, NOON, channel="Email", tags=tags, email="ida@example.com"
    )
