"""Every cell of the tables in docs/architecture/records.md is run against Redis."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import sha1
from typing import Any

import pytest
import redis

from service.records.scripts import LUA, SCRIPTS, load_scripts
from service.surveys.states import Journey
from tests.processes import ROOT

FENCE = "7"
SURVEY = "48213"
KEEP = "1000000"


def _accept(*, reason: str = "", on_reclose: str = "never", found_by: str = "") -> list[str]:
    """Return the arguments of a close at 1 ms. The prepared records have a close at 0 ms."""
    close, address = '{"closed_at": 1}', "" if reason else "a@b.example"
    return [SURVEY, close, "1", "3600000", reason, KEEP, address, "{}", on_reclose, "event-2", "0", found_by, "{}"]


def _decide(verdict: str, reason: str = "") -> list[str]:
    due_at = "4000000000000" if verdict == "waiting" else ""
    return [FENCE, verdict, reason, "en", KEEP, "{}", "", due_at, "0", "1000", "0", "172800000"]


def _answer(comment: str, score: int, *, suspect: str = "0") -> list[str]:
    rating_ids, scores = '{"Csat": "id-1"}', f'{{"Csat": {score}}}'
    return [SURVEY, SURVEY, "{}", "300000", comment, "en", "", rating_ids, scores, suspect, "3600000", "0", KEEP]


ARGS: dict[str, Callable[[str], list[str]]] = {
    "accept": lambda _: _accept(),
    "accept (skip)": lambda _: _accept(reason="channel"),
    "accept (on_reclose = always)": lambda _: _accept(on_reclose="always"),
    "accept (on_reclose = unanswered)": lambda _: _accept(on_reclose="unanswered"),
    "accept (by an operator)": lambda _: _accept(found_by="operator"),
    "cancel": lambda _: [SURVEY, "cancelled", "reopened", "2", KEEP, "120000"],
    "cancel (older)": lambda _: [SURVEY, "cancelled", "reopened", "0", KEEP, "120000"],
    "save_answer": lambda _: _answer("new", 4),
    "save_answer (suspect)": lambda _: _answer("new", 4, suspect="1"),
    "save_answer (same)": lambda _: _answer("old", 2),
    "extend": lambda _: ["1200000", "3600000"],
    "claim": lambda journey: [SURVEY, journey, "60000", "360000", "1000", "10000"],
    "reschedule": lambda journey: [journey, FENCE, "5000", "1", "0"],
    "decide (ask)": lambda _: _decide("ask"),
    "decide (waiting)": lambda _: _decide("waiting"),
    "decide (skip)": lambda _: _decide("skipped", "already_surveyed"),
    "decide (cancel)": lambda _: _decide("cancelled", "reopened"),
    "begin_call": lambda journey: [journey, FENCE, "Csat", "[]", "15000"],
    "offered": lambda _: [FENCE, "Csat", "id-1", "Csat"],
    "offered (one of two)": lambda _: [FENCE, "Csat", "id-1", "Csat", "Nps"],
    "call_lost": lambda journey: [journey, FENCE, "60000"],
    "call_failed": lambda journey: [journey, FENCE, "5000", "0", "1"],
    "end_backoff": lambda journey: [journey],
    "begin_delivery": lambda _: [FENCE, "message"],
    "begin_email": lambda _: [],
    "email_not_begun": lambda _: [],
    "extend_lease": lambda _: ["360000"],
    "delivery_failed": lambda _: [FENCE, "email", "0"],
    "delivery_failed (for good)": lambda _: [FENCE, "email", "1"],
    "delivered": lambda _: [FENCE, KEEP, "", ""],
    "delivered (to remind)": lambda _: [FENCE, KEEP, "", "60000"],
    "reminded": lambda _: [FENCE, KEEP, ""],
    "submitted": lambda _: [FENCE, "Csat", KEEP, "60000", "Csat"],
    "submitted (one of two)": lambda _: [FENCE, "Csat", KEEP, "60000", "Csat", "Nps"],
    "set_action": lambda _: [FENCE, "note", "begun", "", ""],
    "set_action (done)": lambda _: [FENCE, "note", "done", "", ""],
    "followed": lambda _: [FENCE, KEEP],
    "erase": lambda _: [KEEP],
    "trim": lambda _: [SURVEY],
    "retry": lambda journey: [journey],
    "fail": lambda journey: [journey, FENCE, "refused", KEEP, "60000"],
}
FENCED = {name for name, args in ARGS.items() if FENCE in args("offer")}


def cells() -> list[Any]:
    """Return each cell of the tables: journey, script, state and outcome."""
    return [*_read_cells()]


def _read_cells() -> Iterator[Any]:
    text = (ROOT / "docs" / "architecture" / "records.md").read_text(encoding="utf-8")
    for journey in Journey:
        table = text.split(f"<!-- transitions: {journey} -->")[1].split("<!-- end -->")[0]
        head, _, *rows = [
            [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
            for line in table.strip().splitlines()
        ]
        for row in rows:
            for state, cell in zip(head[1:], row[1:], strict=True):
                yield pytest.param(journey, row[0], state, cell, id=f"{journey}-{row[0]}-{state}")


_load_once = cache(load_scripts)


class ScriptRunner:
    """Runs a script on one record in a given state."""

    def __init__(self, client: redis.Redis, prefix: str, journey: str, **given: Any) -> None:
        self._client = client
        self._scripts = _load_once(client, **given)
        self._journey = journey
        self.key = f"{prefix}survey:{SURVEY}"
        self.due = f"{prefix}due:{journey}"
        self.restored = f"{prefix}restored_at"
        self.rounds = f"{prefix}rounds:{SURVEY}"
        self.terms = f"{prefix}terms:1f8b"
        self.decisions = f"{prefix}decisions:2026-11-20"
        self.queue = f"{prefix}tasks"
        self._due_sets = {name: f"{prefix}due:{name}" for name in Journey}

    def prepare(self, state: str) -> None:
        """Write a record in `state`, claimed by us and due; a `+` after the state is a call in flight."""
        if state == "none" and self._journey == "offer":
            return
        seconds, _ = self._client.time()
        fields: dict[Any, Any] = {
            "survey_id": SURVEY,
            "conversation_id": SURVEY,
            "accepted_at": "0",
            "close": '{"closed_at": 0}',
            "offer_state": "delivered",
        }
        ours = {"state": state.rstrip("+"), "fence": FENCE, "lease": f"{seconds + 60}000", "due": f"{seconds - 1}000"}
        if state == "none":
            ours = {}
        if state.endswith("+") or state == "unknown":
            ours |= {"call": "Csat", "sent_at": f"{seconds}000", "seen": "[]"}
        fields |= self._answer_of(state)
        if state == "editable":
            fields["first_answered_at"] = f"{seconds - 300}000"
        if state in ("offered", "delivering", "reminding", "delivered"):
            fields |= {"rating_id:Csat": "id-1", "delivered_at": "-200000"}
        if state == "submitted":
            fields["submitted:Csat"] = "1"
        fields |= {f"{self._journey}_{name}": value for name, value in ours.items()}
        self._client.hset(self.key, mapping=fields)
        if "due" in ours:
            self._client.zadd(self.due, {SURVEY: (seconds - 1) * 1000})

    def _answer_of(self, state: str) -> dict[str, str]:
        terms, old = {}, sha1(b"old").hexdigest()  # noqa: S324 - as Redis makes it
        if self._journey == "follow_up":
            terms = {"terms": '{"on_answer": [{"scores": [4], "note": true}]}'}
        if self._journey == "offer" or state == "none":
            return terms
        answer = {"answered_at": "0", "score:Csat": "2", "comment": "old", "comment_sha1": old}
        answer_state = "editable" if state == "following" else "submitted"
        return terms | answer | ({"answer_state": answer_state, "first_answered_at": "0"} if terms else {})

    def run(self, script: str, args: list[str]) -> str:
        name = script.split(" ", maxsplit=1)[0]
        further = {
            "save_answer": [
                *(self._due_sets[each] for each in (Journey.ANSWER, Journey.OFFER, Journey.FOLLOW_UP)),
                self.queue,
                self.terms,
            ],
            "erase": [*self._due_sets.values(), self.decisions, f"{self.decisions}-to-rewrite"],
            "claim": [self.due, self.restored, f"{self.restored}-draining", f"{self.restored}-paused"],
            "accept": [self.due, self.rounds, self.decisions, self.queue, self.terms],
            "fail": [self.due, self.decisions],
            "cancel": [self.due, self.rounds, self.decisions],
            "decide": [self.due, self.decisions, f"{self.decisions}-asks", self.terms, f"{self.decisions}-asked"],
        }
        found = self._scripts[name](keys=[self.key, *further.get(name, [self.due])], args=args)
        return str(found[0] if isinstance(found, list) else found)

    def state(self) -> str:
        fields = self._client.hgetall(self.key)
        state = str(fields.get(f"{self._journey}_state", "none"))
        in_flight = f"{self._journey}_call" in fields
        return f"{state}+" if in_flight and state != "unknown" else state


@pytest.fixture
def runner(redis_client: redis.Redis, prefix: str, request: pytest.FixtureRequest) -> ScriptRunner:
    return ScriptRunner(redis_client, prefix, request.node.callspec.params["journey"])


@pytest.mark.parametrize(("journey", "script", "state", "cell"), cells())
def test_a_script_run_twice_matches_its_cell_of_the_table(
    runner: ScriptRunner, journey: str, script: str, state: str, cell: str
) -> None:
    outcome, _, after = (part.strip() for part in cell.partition("→"))
    args = ARGS[script](journey)
    if script == "claim":
        # A claim needs an expired lease.
        runner.prepare(state)
        runner._client.hdel(runner.key, f"{journey}_lease")
    else:
        runner.prepare(state)
    assert runner.run(script, args) == outcome
    assert runner.state() == (after or state)
    # A script may have run before a timeout, so a second run must lead to the same state. A second claim is refused
    # because of the lease of the first: see test_claims.
    if script != "claim":
        runner.run(script, args)
        assert runner.state() == (after or state)


@pytest.mark.parametrize(("journey", "script", "state", "cell"), [each for each in cells() if each.values[1] in FENCED])
def test_a_stale_fence_changes_nothing(
    runner: ScriptRunner, redis_client: redis.Redis, journey: str, script: str, state: str, cell: str
) -> None:
    runner.prepare(state)
    if state != "none":
        redis_client.hset(runner.key, f"{journey}_fence", "8")
    before = redis_client.hgetall(runner.key)
    runner.run(script, ARGS[script](journey))
    assert redis_client.hgetall(runner.key) == before


def test_the_tables_contain_every_script() -> None:
    assert {each.values[1].split(" ")[0] for each in cells()} == set(SCRIPTS) - {"queue_due"}


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_has_a_header(script: str) -> None:
    header = (LUA / f"{script}.lua").read_text(encoding="utf-8").split("\n\n")[0]
    for heading in ("-- KEYS:", "-- ARGV:", "-- States:", "crash"):
        assert re.search(heading, header), heading
