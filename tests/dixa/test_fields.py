"""Fields of a close: what is accepted, and what counts as missing."""

from typing import Any

import pytest

from service.dixa.payloads import PayloadError
from tests.dixa.closes import closed, in_conversation, load

MALFORMED: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, "", " ", "\0", "\ud800", "\udfff\0"),
    *([], [[]], {}, {"id": []}, {"name": 1}, [None]),
)


@pytest.mark.parametrize(("csid", "read"), [(1, 1), (2**63 - 1, 2**63 - 1), ("48213", 48213), ("007", 7)])
def test_a_conversation_id_may_be_text(csid: Any, read: int) -> None:
    close = load(in_conversation("csid", csid)).close
    assert close
    assert close.conversation_id == read


@pytest.mark.parametrize(
    "csid",
    [
        *(None, 0, -1, 2**63, True, False, 1.0, 1.5, [], {}),
        *("", " 1", "1 ", "0", "-1", "1e3", "0x1", "\u0661", "9" * 19),
    ],
)
def test_a_bad_conversation_id_is_named(csid: Any) -> None:
    with pytest.raises(PayloadError, match=r"^body\.data\.conversation\.csid: "):
        load(in_conversation("csid", csid))


# An empty list of tags is valid.
@pytest.mark.parametrize(
    ("key", "malformed"),
    [
        (key, malformed)
        for key in ("queue", "requester", "assignee", "channel", "direction", "tags")
        for malformed in MALFORMED
        if (key, malformed) != ("tags", [])
    ],
)
def test_a_malformed_optional_field_counts_as_missing(key: str, malformed: Any) -> None:
    assert load(in_conversation(key, malformed)) == load(in_conversation(key))


@pytest.mark.parametrize("malformed", MALFORMED)
@pytest.mark.parametrize("key", ["id", "name"])
def test_a_malformed_field_of_a_queue_counts_as_missing(key: str, malformed: Any) -> None:
    base = in_conversation("queue", {"id": "q", "name": "Q"})
    path = ("data", "conversation", "queue", key)
    assert load(closed(*path, value=malformed, base=base)) == load(closed(*path, base=base))


@pytest.mark.parametrize("key", ["event_id", "event_version", "organization", "event_timestamp"])
@pytest.mark.parametrize("malformed", MALFORMED)
def test_a_malformed_envelope_field_counts_as_missing(key: str, malformed: Any) -> None:
    assert load(closed(key, value=malformed)) == load(closed(key))


def test_malformed_tags_are_skipped() -> None:
    close = load(in_conversation("tags", ["a", 1, None, {"id": "x"}, {"name": 2}, ["b"], "", {"name": "c"}])).close
    assert close
    assert close.tags == ("a", "c")


def test_texts_are_cut_and_cleaned() -> None:
    event = load(closed("event_id", value="x" * 1000, base=in_conversation("tags", ["a\0b\ud83d", "n" * 500])))
    assert event.close
    assert event.id == "x" * 200
    assert event.close.tags == ("ab", "n" * 200)


@pytest.mark.parametrize(
    ("email", "kept"),
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
def test_only_a_deliverable_address_is_kept(email: object, kept: str | None) -> None:
    close = load(closed("data", "conversation", "requester", "email", value=email)).close
    assert close
    assert (close.requester_id, close.email) == ("b1d6a0c2", kept)
