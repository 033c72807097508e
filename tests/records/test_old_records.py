"""Records of an older version can be continued. `samples/` contains one record for each state of both journeys.

The samples were written once, by the version they are named after, with

    python -m tests.records.test_old_records > tests/records/samples/v1.json

and are never written again: every later version must read them. Before the first release the names of states
and fields changed, and were replaced in the file.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import redis

from service.records.answer_transitions import GivenAnswer
from service.records.codec import read_record
from service.records.records import Records
from service.records.redis import connect
from service.sandbox.dixa.state import FIRST_ID
from service.sandbox.server import Sandbox
from service.surveys.definition import Survey
from service.surveys.links import Link
from service.surveys.match import Match
from service.surveys.model import Claim, Close, Decision, Offer, Record
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import AnswerState, Journey, OfferState, Verdict
from tests.harness import AT_ONCE, CSAT, NPS, QUICK, Story
from tests.processes import RedisServer

SAMPLES = Path(__file__).with_name("samples")
SURVEY_ID = str(FIRST_ID)
RATING_ID = "0d7c8d5e-3f0b-4b0c-9a3e-6f1f0a6f7a11"
PATIENT = replace(QUICK, offer_max_age=timedelta(days=36500), answer_max_age=timedelta(days=36500))

Hash = dict[str, str]

STORED: Mapping[str, Hash] = json.loads((SAMPLES / "v1.json").read_text()) if (SAMPLES / "v1.json").exists() else {}
OPEN_OFFERS = ("waiting", "deciding", "offering+", "offering+ made", "unknown", "offered", "delivering")
ENDED_OFFERS = ("delivered", "skipped", "cancelled", "failed")
OPEN_ANSWERS = ("editable", "submitting", "submitting+", "submitting+ made", "unknown answer")
ENDED_ANSWERS = ("submitted", "failed answer")
MADE_AT_DIXA = {"offering", "offering+ made", "offered", "delivering", "delivered", *OPEN_ANSWERS, *ENDED_ANSWERS}
"""The samples with an offer in Dixa."""


class SampleLoader:
    """Loads a sample into Redis, and recreates its conversation in Dixa."""

    def __init__(self, client: redis.Redis, prefix: str, dixa: Sandbox) -> None:
        self._client = client
        self._prefix = prefix
        self._dixa = dixa
        self.story = Story(client, prefix, dixa, timings=PATIENT)

    def load(self, name: str, **changes: str) -> Record:
        number = self._dixa.make_conversation()
        assert number == FIRST_ID
        self._dixa.close(number)
        stored = dict(STORED[name.removesuffix(" made")])
        if name in MADE_AT_DIXA:
            made = self._dixa.state.offer(number, "Csat", user_id=None, agent_id=None, offered_at=None)
            made.id = RATING_ID
        if name in {"submitting+ made", "submitted"}:
            self._dixa.state.submit(number, RATING_ID, value=4, comment="Tak", submitted_at=None)
        for field, value in (stored | changes).items():
            self._client.hset(f"{self._prefix}survey:{SURVEY_ID}", field, value)
        for journey in Journey:
            if f"{journey}_due" in stored:
                self._client.zadd(f"{self._prefix}due:{journey}", {SURVEY_ID: int(stored[f"{journey}_due"])})
        return self.story.load(SURVEY_ID)


@pytest.fixture
def loader(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> SampleLoader:
    return SampleLoader(redis_client, prefix, dixa)


def state_of(name: str) -> str:
    return name.removesuffix(" made").removesuffix("+").removesuffix(" answer")


def test_every_state_has_a_sample() -> None:
    records = {name: read_record(fields, lambda _: None) for name, fields in STORED.items()}
    # Reminders are newer than the samples.
    assert {record.offer.state for record in records.values()} == set(OfferState) - {OfferState.REMINDING}
    assert {record.answer.state for record in records.values() if record.answer} == set(AnswerState)
    assert all(fields["v"] == "1" for fields in STORED.values())


@pytest.mark.parametrize("name", OPEN_OFFERS)
def test_an_open_offer_is_continued(loader: SampleLoader, name: str) -> None:
    assert loader.load(name).offer.state == state_of(name)
    record = loader.story.ask(SURVEY_ID)
    assert record.offer.state is OfferState.DELIVERED
    loader.story.answer(SURVEY_ID, {CSAT: 4}, "Tak")
    loader.story.submit(SURVEY_ID)
    loader.story.assert_once(SURVEY_ID)


def test_the_second_offer_is_still_made(loader: SampleLoader, dixa: Sandbox) -> None:
    assert loader.load("offering").offer.state is OfferState.OFFERING
    record = loader.story.ask(SURVEY_ID)
    assert record.offers[0] == Offer(CSAT, RATING_ID)
    loader.story.answer(SURVEY_ID, {CSAT: 4, NPS: 9}, "Tak")
    loader.story.submit(SURVEY_ID)
    assert [(each.type, each.value) for each in dixa.results()] == [("Csat", 4), ("Nps", 9)]
    loader.story.assert_no_doubles()


@pytest.mark.parametrize("name", ENDED_OFFERS)
def test_an_ended_offer_does_not_change(loader: SampleLoader, dixa: Sandbox, name: str) -> None:
    before = loader.load(name)
    assert before.offer.state == name
    loader.story.offering.run(SURVEY_ID)
    assert loader.story.load(SURVEY_ID) == before
    assert dixa.calls == []


def test_a_failed_offer_can_be_retried(loader: SampleLoader) -> None:
    loader.load("failed")
    assert loader.story.records.retry(Journey.OFFER, SURVEY_ID) == "retried"
    assert loader.story.ask(SURVEY_ID).offer.state is OfferState.DELIVERED


@pytest.mark.parametrize("name", OPEN_ANSWERS)
def test_an_open_answer_is_submitted(loader: SampleLoader, dixa: Sandbox, name: str) -> None:
    record = loader.load(name)
    assert record.answered.comment == "Tak"
    assert record.answer
    assert record.answer.state == state_of(name)
    submitted = loader.story.submit(SURVEY_ID).answer
    assert submitted
    assert (submitted.state, submitted.answer.comment) == (AnswerState.SUBMITTED, "")
    assert [(each.value, each.comment) for each in dixa.results()] == [(4, "Tak")]
    loader.story.assert_no_doubles()


@pytest.mark.parametrize("name", ENDED_ANSWERS)
def test_an_ended_answer_does_not_change(loader: SampleLoader, dixa: Sandbox, name: str) -> None:
    before = loader.load(name)
    loader.story.answering.run(SURVEY_ID)
    assert loader.story.load(SURVEY_ID) == before
    assert loader.story.answer(SURVEY_ID, {CSAT: 4}, "Tak") == "same"
    assert loader.story.answer(SURVEY_ID, {CSAT: 1}, "Tak") == "not_changed"
    assert dixa.calls == []


def test_a_failed_answer_can_be_retried(loader: SampleLoader, dixa: Sandbox) -> None:
    loader.load("failed answer")
    assert loader.story.records.retry(Journey.ANSWER, SURVEY_ID) == "retried"
    loader.story.submit(SURVEY_ID)
    assert [(each.value, each.comment) for each in dixa.results()] == [(4, "Tak")]


@pytest.mark.parametrize("name", ["waiting", "offering+", "delivering"])
def test_additions_of_a_later_version_are_ignored(loader: SampleLoader, name: str) -> None:
    stored = STORED[name]
    later: dict[str, Any] = {"mood": "sunny", "match": json.loads(stored["terms"])["match"] | {"moods": ["sunny"]}}
    loader.load(
        name,
        v="2",
        offer_mood="sunny",
        close=json.dumps(json.loads(stored["close"]) | {"mood": "sunny"}),
        terms=json.dumps(json.loads(stored["terms"]) | later),
    )
    if name == "delivering":
        loader.story.dixa.state.offer(FIRST_ID, "Csat", user_id=None, agent_id=None, offered_at=None).id = RATING_ID
    assert loader.story.ask(SURVEY_ID).offer.state is OfferState.DELIVERED


@pytest.mark.parametrize("terms", ['{"delay": 0, "editable_for": 0}', '{"editable_for": 0, "match": {}}', "{}"])
def test_missing_keys_of_the_terms_have_their_defaults(loader: SampleLoader, terms: str) -> None:
    record = loader.load("waiting", terms=terms)
    assert record.terms
    assert (record.terms.name, record.terms.ratings, record.terms.match) == ("default", (CSAT,), Match())
    assert loader.story.ask(SURVEY_ID).offer.state is OfferState.DELIVERED


def write_samples(records: Records, client: redis.Redis) -> Iterator[tuple[str, Hash]]:
    """Write a new record in each state."""
    for name in ("offering", *OPEN_OFFERS, *ENDED_OFFERS, *OPEN_ANSWERS, *ENDED_ANSWERS):
        if name.endswith(" made"):
            continue
        client.flushdb()
        (_write_answer if name in (*OPEN_ANSWERS, *ENDED_ANSWERS) else _write_offer)(records, name)
        yield (
            name,
            _age({str(field): str(value) for field, value in client.hgetall(f"afterword:survey:{SURVEY_ID}").items()}),
        )


def _age(stored: Hash) -> Hash:
    """Move all times to the beginning of 2026, in the past on every host."""
    shift = int(stored["accepted_at"]) - 1767225600000
    aged = re.sub(r"\b1[789][0-9]{11}\b", lambda found: str(int(found[0]) - shift), json.dumps(stored))
    return dict(json.loads(aged))


def _write_offer(records: Records, name: str) -> None:
    close = Close(
        FIRST_ID,
        datetime.now(UTC),
        channel="Email",
        direction="Inbound",
        queue_id="4c8ee1b7-4b0b-4a3f-8d53-3c1b0f3d2a10",
        queue_name="Support",
        requester_id="7a1f3c52-0f5e-4d53-9f0e-0d6d2f1b8c01",
        agent_id="b2f6a0a4-6c57-4e7e-8c8b-5c2d9c8d7e02",
        tags=("vip", "træt"),
    )
    both = replace(AT_ONCE, ratings=(RatingType.CSAT, RatingType.NPS))
    records.accept(close, [both if name == "offering" else AT_ONCE])
    if name == "waiting":
        return
    claim = records.claim(Journey.OFFER, SURVEY_ID)
    assert claim
    if name in {"skipped", "cancelled"}:
        reason = Reason.ALREADY_SURVEYED if name == "skipped" else Reason.REOPENED
        records.decide(claim, Decision(Verdict(name), reason), "da")
        return
    records.decide(claim, Decision(Verdict.ASK), "da")
    if name == "failed":
        records.fail(claim, Reason.REFUSED)
    elif name != "deciding":
        _write_call(records, claim, name)


def _write_call(records: Records, claim: Claim, name: str) -> None:
    records.begin_call(claim, CSAT, (), timedelta())
    if name == "unknown":
        records.call_lost(claim, timedelta())
    if name in {"offering+", "unknown"}:
        return
    records.offered(claim, CSAT, RATING_ID)
    if name in {"delivering", "delivered"}:
        records.begin_delivery(claim, "message")
    if name == "delivered":
        records.delivered(claim)


def _write_answer(records: Records, name: str) -> None:
    _write_offer(records, "delivered")
    record = records.load(SURVEY_ID)
    assert record
    records.save_answer(GivenAnswer(Link.to(record), Survey(editable_for=timedelta()), {CSAT: 4}, "Tak", "en"))
    if name == "editable":
        return
    claim = records.claim(Journey.ANSWER, SURVEY_ID)
    assert claim
    records.begin_call(claim, CSAT, (), timedelta())
    {
        "submitting": lambda: records.call_failed(claim, timedelta()),
        "submitting+": lambda: None,
        "unknown answer": lambda: records.call_lost(claim, timedelta()),
        "submitted": lambda: records.submitted(claim, CSAT, (CSAT,)),
        "failed answer": lambda: records.fail(claim, Reason.REFUSED),
    }[name]()


def main() -> None:
    with TemporaryDirectory() as folder:
        server = RedisServer(Path(folder))
        server.start()
        client = connect(server.url)
        samples = dict(write_samples(Records(client, lease=QUICK.lease, keep=QUICK.record_retention), client))
        server.stop()
    sys.stdout.write(json.dumps(samples, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
