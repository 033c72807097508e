"""docs/events.md describes what is sent: its tables and its examples are compared with the webhooks."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.endpoints import SignedEndpoint
from service.delivery.events import EventWebhooks, in_order
from service.surveys.model import Answer, AnswerProgress, Record, RuleMismatch
from service.surveys.ports import Deadline
from service.surveys.reasons import Reason
from service.surveys.states import AnswerState, OfferState, SurveyEvent
from tests.delivery.test_webhook import CLOSE, RECORD
from tests.harness import CSAT
from tests.processes import ROOT
from tests.receiver import SECRET, Receiver, receiving

DOCUMENT = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
NOW = datetime.now(UTC)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
TYPES: Mapping[str, type] = {"string": str, "number": int, "object": dict, "list": list, "boolean": bool, "time": str}
NAMES = [each for each in SurveyEvent if each is not SurveyEvent.FAILED] + [
    f"failed:{each}" for each in ("offer", "answer", "follow_up")
]


def fields_of(name: str) -> dict[str, tuple[str, bool]]:
    """Return the type of each field of a table, and whether it may be null."""
    table = DOCUMENT.split(f"<!-- fields: {name} -->")[1].split("<!-- end -->")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]
    return {row[0].split("`")[1]: (row[1], "\\*" not in row[0]) for row in rows}


def example_of(name: str) -> dict[str, Any]:
    text = DOCUMENT.split(f"### {name}\n")[1].split("```json\n")[1].split("```")[0]
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def send(receiver: Receiver, record: Record, name: str, *, has_comments: bool = True) -> dict[str, Any]:
    webhooks = EventWebhooks(SignedEndpoint(f"{receiver.url}/events", SECRET), has_comments=has_comments)
    webhooks.send(replace(record, unsent_events={name: NOW}), name, Deadline(timedelta(seconds=30)))
    return receiver.posts[-1].body


def full() -> Record:
    """Return a record with every fact."""
    offer = replace(
        RECORD.offer, state=OfferState.SKIPPED, reason="queue", channel="email", delivered_at=NOW, reminded_at=NOW
    )
    answer = AnswerProgress(
        AnswerState.EDITABLE, Answer({CSAT: 4}, "Tak", "da", NOW), "refused", NOW, comment_sha1="x", ended_at=NOW
    )
    close = replace(CLOSE, queue_id="queue")
    mismatches = (RuleMismatch("default", Reason.QUEUE, "queues", "Returns"),)
    return replace(RECORD, offer=offer, answer=answer, close=close, mismatches=mismatches, decided_at=NOW)


RECORDS = {"full": full(), "new": RECORD, "lost": replace(RECORD, close=None, terms=None)}


def check(data: Mapping[str, Any], fields: Mapping[str, tuple[str, bool]]) -> None:
    assert set(data) == set(fields)
    for name, (kind, may_be_null) in fields.items():
        if data[name] is None:
            assert may_be_null, name
        else:
            assert type(data[name]) is TYPES[kind], name
            assert kind != "time" or TIME.fullmatch(data[name]), name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_what_is_sent_is_documented(receiver: Receiver, name: str, record: Record) -> None:
    event = SurveyEvent(name.partition(":")[0])
    fields = fields_of("common") | fields_of(event.type)
    body = send(receiver, record, name)
    assert (set(body), body["type"]) == ({"type", "timestamp", "data"}, event.type)
    assert body["timestamp"] == NOW.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    check(body["data"], fields)
    example = example_of(event.type)
    assert example["type"] == event.type
    check(example["data"], fields)
    text = json.dumps(body)
    assert "@" not in text
    assert "survey.example" not in text


def test_events_of_one_millisecond_are_in_the_order_of_a_survey() -> None:
    later = NOW + timedelta(seconds=1)
    unsent = {"failed:answer": later, "answered": NOW, "asked": later, "delivered": NOW}
    assert in_order(unsent) == ["delivered", "answered", "asked", "failed:answer"]


def test_every_event_is_in_the_list() -> None:
    assert re.findall(r"^\| `(survey\.\w+)` \|", DOCUMENT, re.MULTILINE) == [each.type for each in SurveyEvent]


def test_a_comment_is_left_out_unless_it_is_wanted(receiver: Receiver) -> None:
    assert send(receiver, full(), "answered")["data"]["comment"] == "Tak"
    assert "Tak" not in json.dumps(send(receiver, full(), "answered", has_comments=False))
