"""Spool entries round-trip, also those of older versions. Anything else raises an EntryError."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.intake.spool import Entry, EntryError, EntryIsNewer
from service.intake.spool_codec import (
    SpooledAnswer,
    SpooledClose,
    SpooledOptOut,
    Waiting,
    read_entries,
    read_entry,
    write_entry,
    write_several,
)
from service.records.answer_transitions import GivenAnswer
from service.records.codec import from_ms
from service.surveys.definition import Survey
from service.surveys.links import Link
from service.surveys.model import Change, Close, Offer, RuleMismatch
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import ChangeKind

# UTF-8, and so Redis, can't contain lone surrogates.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
times = st.integers(0, 4_000_000_000_000).map(str).map(from_ms)
optional_texts = st.none() | texts
closes = st.builds(
    Close,
    conversation_id=st.integers(1, 2**53),
    closed_at=times,
    channel=optional_texts,
    direction=optional_texts,
    queue_id=optional_texts,
    queue_name=optional_texts,
    requester_id=optional_texts,
    agent_id=optional_texts,
    contact_point=optional_texts,
    user_type=optional_texts,
    assignee_type=optional_texts,
    tags=st.none() | st.lists(texts, max_size=3).map(tuple),
    event_id=texts,
    person=st.lists(texts, max_size=3).map(tuple),
    email_hashes=st.lists(texts, max_size=2).map(tuple),
    phone_hashes=st.lists(texts, max_size=2).map(tuple),
    email=st.none() | texts.map("{}@example.com".format),
)
terms = st.builds(
    Survey,
    name=st.sampled_from(["default", "nps-2"]),
    ratings=st.permutations(list(RatingType)).map(lambda found: tuple(found[:2])),
    delay=st.integers(0, 600_000).map(lambda seconds: timedelta(seconds=seconds)),
    editable_for=st.integers(0, 600_000).map(lambda seconds: timedelta(seconds=seconds)),
)
links = st.builds(
    Link,
    survey_id=st.integers(1, 2**53).map(str),
    conversation_id=st.integers(1, 2**53),
    survey_name=texts,
    offers=st.lists(st.builds(Offer, st.sampled_from(RatingType), texts), unique_by=lambda offer: offer.rating).map(
        tuple
    ),
)
answers = st.builds(
    GivenAnswer,
    link=links,
    terms=terms,
    scores=st.dictionaries(st.sampled_from(RatingType), st.integers(0, 10)),
    comment=optional_texts,
    language=texts,
    is_suspect=st.booleans(),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)

CLOSE = write_entry(SpooledClose(Close(81000, datetime(2026, 5, 12, tzinfo=UTC), channel="Email"), (Survey(),), None))
LINK = Link("81000", 81000, "default", (Offer(RatingType.CSAT, "0e2f"),))
GIVEN_ANSWER = SpooledAnswer(
    GivenAnswer(LINK, Survey(), {RatingType.CSAT: 4}, "Tak", "en"), datetime(2026, 5, 12, 8, tzinfo=UTC)
)
GIVEN_OPT_OUT = SpooledOptOut(LINK, is_opt_in=False, wished_at=datetime(2026, 5, 12, 8, tzinfo=UTC))
ANSWER, OPT_OUT = write_entry(GIVEN_ANSWER), write_entry(GIVEN_OPT_OUT)


def round_trip(entry: Entry) -> Waiting:
    return read_entry(json.loads(json.dumps(entry)))


SEVERAL = write_several([GIVEN_ANSWER, GIVEN_OPT_OUT])


def test_merged_entries_round_trip() -> None:
    assert read_entries(json.loads(json.dumps(SEVERAL))) == (read_entry(ANSWER), read_entry(OPT_OUT))
    assert read_entries(CLOSE) == (read_entry(CLOSE),)
    assert (SEVERAL["conversation_id"], SEVERAL["survey_id"]) == (81000, "81000")


@pytest.mark.parametrize("within", [None, [], {}, "no", 7, [7], [ANSWER, None], [{}]])
def test_invalid_merged_entries_raise_an_entry_error(within: object) -> None:
    with pytest.raises(EntryError) as refused:
        read_entries(SEVERAL | {"entries": within})
    assert not isinstance(refused.value, EntryIsNewer)


@pytest.mark.parametrize(
    "later", [SEVERAL | {"v": 2}, SEVERAL | {"v": 2, "entries": 7}, SEVERAL | {"entries": [ANSWER, OPT_OUT | {"v": 2}]}]
)
def test_a_merged_entry_with_a_newer_part_is_left_to_a_newer_version(later: Entry) -> None:
    with pytest.raises(EntryIsNewer):
        read_entries(later)


mismatches = st.builds(RuleMismatch, st.text(), st.sampled_from(Reason), st.text(), st.text())


@given(
    st.builds(
        SpooledClose,
        closes,
        st.lists(terms, max_size=3).map(tuple),
        st.none() | st.sampled_from(Reason),
        st.lists(mismatches, max_size=3).map(tuple),
    )
)
def test_a_close_round_trips(close: SpooledClose) -> None:
    assert round_trip(write_entry(close)) == close


@given(st.builds(Change, st.integers(1, 2**63 - 1), st.sampled_from(ChangeKind), times))
def test_a_change_round_trips(change: Change) -> None:
    assert round_trip(write_entry(change)) == change


@given(answers, times)
def test_an_answer_round_trips_with_its_time(answer: GivenAnswer, answered_at: datetime) -> None:
    spooled = SpooledAnswer(answer, answered_at)
    assert round_trip(write_entry(spooled)) == spooled


@given(st.builds(SpooledOptOut, links, st.booleans(), times))
def test_opt_outs_and_opt_ins_round_trip_with_their_times(opt_out: SpooledOptOut) -> None:
    assert round_trip(write_entry(opt_out)) == opt_out


# Entries of the first version. Every later version must read them.
STORED_CLOSE = (
    '{"v": 1, "kind": "close", "conversation_id": 81000, "close": {"closed_at": 1778544000000}, '
    '"terms": {"name": "default", "ratings": ["Csat"], "delay": 60000}, "reason": null}'
)
STORED_ANSWER = (
    '{"v": 1, "kind": "answer", "survey_id": "81000", "conversation_id": 81000, "survey": "default", '
    '"rating_ids": {"Csat": "0e2f"}, "terms": {"name": "default", "ratings": ["Csat"]}, "scores": {"Csat": 4}, '
    '"comment": "Tak", "language": "en", "is_suspect": false, "answered_at": 1778544000000}'
)
STORED_OPT_OUT = (
    '{"v": 1, "kind": "opt_out", "survey_id": "81000", "conversation_id": 81000, "survey": "default", '
    '"rating_ids": {"Csat": "0e2f"}, "is_opt_in": false, "wished_at": 1778572800000}'
)


def test_the_stored_form_of_an_opt_out_is_unchanged() -> None:
    """A new kind needs no new version: an older version leaves an unknown kind to a newer version (`_is_newer`)."""
    assert json.loads(STORED_OPT_OUT) == OPT_OUT
    assert read_entry(OPT_OUT) == GIVEN_OPT_OUT


@pytest.mark.parametrize("value", [None, "", "no", 0, 1, [], {}])
def test_an_opt_out_is_never_read_as_an_opt_in(value: object) -> None:
    with pytest.raises(EntryError):
        read_entry(OPT_OUT | {"is_opt_in": value})


def test_an_entry_of_an_older_version_can_be_read() -> None:
    close, answer = read_entry(json.loads(STORED_CLOSE)), read_entry(json.loads(STORED_ANSWER))
    assert isinstance(close, SpooledClose)
    assert close.close == Close(81000, datetime(2026, 5, 12, tzinfo=UTC), tags=None)
    assert close.candidates == (Survey(delay=timedelta(seconds=60)),)
    assert isinstance(answer, SpooledAnswer)
    assert answer.answer.scores == {RatingType.CSAT: 4}
    assert answer.answer.terms == Survey()


def test_a_removal_of_a_comment_has_its_own_kind() -> None:
    """With a known kind, an older version would keep the comment. It leaves an unknown kind to a newer version."""
    removing = write_entry(replace(GIVEN_ANSWER, answer=replace(GIVEN_ANSWER.answer, comment=None)))
    assert (removing["v"], removing["kind"]) == (1, "removal")
    assert ANSWER["kind"] == "answer"


@pytest.mark.parametrize("stored", [STORED_CLOSE, STORED_ANSWER])
def test_unknown_keys_are_ignored(stored: str) -> None:
    later = json.loads(stored) | {"later": {"more": 1}}
    later["terms"]["later"] = True
    assert read_entry(later) == read_entry(json.loads(stored))


@pytest.mark.parametrize(
    "later",
    [
        json.loads(STORED_ANSWER) | {"v": 2},
        json.loads(STORED_ANSWER) | {"v": 9, "kind": "", "terms": 7},
        {"v": 1, "kind": "unknown"},
        CLOSE | {"reason": "unknown"},
        CLOSE | {"mismatches": [["default", "unknown", "", ""]]},
        write_entry(Change(81000, ChangeKind.RATED, datetime(2026, 5, 12, tzinfo=UTC))) | {"change": "unknown"},
    ],
)
def test_a_newer_entry_is_distinguished_from_a_corrupt_entry(later: Entry) -> None:
    with pytest.raises(EntryIsNewer):
        read_entry(later)


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        (entry, name)
        for entry in (CLOSE, ANSWER, OPT_OUT)
        for name in entry
        if name not in {"v", "reason", "others", "mismatches"}
    ],
)
def test_an_entry_with_a_missing_key_raises_an_entry_error(entry: Entry, name: str) -> None:
    with pytest.raises(EntryError):
        read_entry({key: value for key, value in entry.items() if key != name})


@settings(max_examples=150)
@given(entry=st.sampled_from([CLOSE, ANSWER, OPT_OUT, SEVERAL]), data=st.data(), value=json_values)
def test_garbage_in_any_field_is_read_or_raises_an_entry_error(entry: Entry, data: st.DataObject, value: Any) -> None:
    name = data.draw(st.sampled_from(sorted(entry)))
    assert_read_or_refused(entry | {name: value})
    if isinstance(entry[name], dict) and entry[name]:
        inner = data.draw(st.sampled_from(sorted(entry[name])))
        assert_read_or_refused(entry | {name: entry[name] | {inner: value}})


@given(entry=st.dictionaries(st.sampled_from([*ANSWER, *CLOSE, *OPT_OUT, *SEVERAL, "x"]), json_values))
def test_a_garbage_entry_is_read_or_raises_an_entry_error(entry: Entry) -> None:
    assert_read_or_refused(entry)


def assert_read_or_refused(entry: Entry) -> None:
    try:
        read_entries(entry)
    except EntryError as error:
        # The log contains this text, so it must not quote a customer.
        assert str(error).isidentifier()  # noqa: PT017
