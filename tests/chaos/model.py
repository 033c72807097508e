"""Row 12: the real journeys and Lua scripts, interleaved and crashed at random by hypothesis.

`tests.chaos.modelled` has the workers, which pause before every script and call, and their Dixa. This module has the
events and the invariants. Time passes by moving all times of the record back: Redis' clock is not changed.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import structlog
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis import seed as seeded
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, get_state_machine_test, initialize, invariant, precondition, rule

from service.records.scripts import read_script
from service.surveys.definition import Survey
from service.surveys.model import Close
from service.surveys.ratings import RatingType
from service.surveys.states import Journey
from tests.chaos.modelled import SURVEY, Worker, World
from tests.chaos.modelled_dixa import Fate, Violation, require
from tests.chaos.rows import Row, commit
from tests.processes import RedisServer, patient
from tests.tasks import take_due

CSAT, NPS, _ = RatingType
SEQUENCES = {"short": 150, "long": 10_000}
CHUNK = 500
CONTROLS = 10_000
"""A maximum: each control ends at its first violation, after some 700 sequences on average."""
STEPS = 25
HOLD = timedelta(seconds=30)
MOST_WORKERS = 4
OVER = {"delivered", "skipped", "cancelled", "failed", "submitted", None}
PLAYED = (Journey.OFFER, Journey.ANSWER)
"""Follow-ups make no calls to the model, and have their own tests."""
WRITES_THE_CALL = "put(journey .. '_state', to, journey .. '_call', "

FATES = st.sampled_from([Fate.DONE] * 5 + list(Fate))
DISTANCES = st.integers(1, 16)
MANY_STEPS = 30
"""More than a worker makes for one journey."""
DISTANCES_TO_PROVOKE = range(1, MANY_STEPS)
# No sum of these comes near LEASE, RECONCILE_AFTER or STEP_BUDGET, so a slow machine changes nothing.
SECONDS = st.sampled_from([0, 0, 0, 0, 7, 14, 35, 63, 133])
LATE = st.sampled_from([None, None, 7, 63])
COMMENTS = st.sampled_from(["", "a", "b"])


class Event(StrEnum):
    """Events beside the workers and the customer."""

    WEBHOOK = "the webhook again"
    RELAY = "the relay takes what is due"
    RETRY = "an operator retries a failed journey"
    REOPENING = "the conversation is reopened, or closed"
    BACKUP = "a backup"
    RESTORE = "a restore"
    LOSS = "Redis is emptied"


class Model(RuleBasedStateMachine):
    """One survey and all its events. Subclasses define `make_world`."""

    make_world: Callable[[], World]
    told = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).told += 1
        self.world = self.make_world()
        self.before: dict[str, str] = {}
        self.snapshot: dict[str, Any] | None = None
        self.is_pardoned = False

    @initialize(two=st.booleans())
    def begin(self, two: bool) -> None:  # noqa: FBT001
        held = Survey(editable_for=HOLD, extend=2 * HOLD, suspect_editable_for=4 * HOLD)
        self.terms = replace(held, delay=timedelta(), ratings=(NPS, CSAT)[: 1 + two])
        self.accept()

    def accept(self) -> None:
        """The webhook comes, perhaps again."""
        close = Close(int(SURVEY), datetime.now(UTC), channel="Email", requester_id="customer", agent_id="agent")
        waits = not self.world.is_accepted or self.world.read()[0].get("offer_state") == "waiting"
        outcome = self.world.records.accept(close, [self.terms])[0]
        # What waits is about the later close then.
        require(outcome == "duplicate" or waits, f"a close was {outcome}")
        require(outcome == "accepted" or self.world.is_accepted, f"a first close was {outcome}")
        self.world.is_accepted = True

    @rule(seconds=SECONDS, is_answer=st.booleans(), far=DISTANCES, fate=FATES)
    def start(self, seconds: int, is_answer: bool, far: int, fate: Fate) -> None:  # noqa: FBT001
        """Later, a worker starts a task and makes some steps."""
        self.world.time_passes(seconds, self.snapshot)
        if len(self.world.workers) < MOST_WORKERS:
            has_answer = "answer_state" in self.before
            self.world.start(Journey.ANSWER if is_answer and has_answer else Journey.OFFER).go(far, fate)

    @precondition(lambda self: self.world.workers)
    @rule(which=st.integers(0, MOST_WORKERS - 1), far=DISTANCES, fate=FATES)
    def go_on(self, which: int, far: int, fate: Fate) -> None:
        """A paused worker continues."""
        workers = self.world.workers
        workers[which % len(workers)].go(far, fate)

    @precondition(lambda self: self.world.links)
    @rule(
        scores=st.sampled_from([(4, 3), (9, 5), (2, 1)]),
        comment=COMMENTS,
        both=st.booleans(),
        late=LATE,
        suspect=st.sampled_from([False, False, True]),
    )
    def answer(
        self,
        scores: tuple[int, int],
        comment: str,
        both: bool,  # noqa: FBT001
        late: int | None,
        suspect: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """A customer or a machine answers, or the spool brings an earlier answer."""
        link = self.world.links[-1]
        asked = [offer.rating for offer in link.offers]
        given = {
            rating: min(score, max(rating.scores)) for rating, score in zip(asked[: 1 + both], scores, strict=False)
        }
        self.world.answer(link, given, comment, late, is_suspect=suspect)
        if comment == "b":
            # Who writes wants more time for it.
            self.world.extend(self.terms)

    @rule(what=st.sampled_from(list(Event)), journey=st.sampled_from(PLAYED))
    def disturb(self, what: Event, journey: Journey) -> None:
        """An event outside the workers happens."""
        match what:
            case Event.WEBHOOK:
                self.accept()
            case Event.RELAY:
                take_due(self.world.records, journey, 5, timedelta(seconds=60))
            case Event.RETRY:
                self.is_pardoned = self.world.records.retry(journey, SURVEY) == "retried"
            case Event.REOPENING:
                self.world.is_reopened = not self.world.is_reopened
            case Event.BACKUP if self.before:
                self.snapshot = self.world.dump()
            case Event.RESTORE if self.snapshot:
                self.restore(self.snapshot)
                self.world.records.mark_restored()
            case Event.LOSS if self.world.links:
                # Redis comes back empty; the customer's link is enough to go on.
                self.restore({})

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Restore a backup of Redis, after a stop longer than RECONCILE_AFTER."""
        self.world.stop_all()
        self.world.time_passes(63, self.snapshot)
        self.world.restore(snapshot)
        self.is_pardoned = True

    @invariant()
    def holds(self) -> None:
        """Check the record against its previous state."""
        found, due = self.world.read()
        require(bool(found) or not self.world.is_accepted, "an accepted record is gone")
        for journey in PLAYED:
            was, now = self.before.get(f"{journey}_state"), found.get(f"{journey}_state")
            if was is not None and was in OVER and not self.is_pardoned:
                require(now in OVER, f"{journey}: {now} after {was}")
                require(was != "submitted" or now == was, f"{journey}: {now} after {was}")
            require(now in OVER or journey in due, f"{journey}: {now}, and due never")
        for name, value in self.before.items():
            if name.startswith(("rating_id:", "submitted:")) and not self.is_pardoned:
                require(found.get(name) == value, f"{name} was {value} and is {found.get(name)}")
        self.world.compare(found)
        self.before, self.is_pardoned = found, False

    def teardown(self) -> None:
        """At the end all journeys have ended, and Dixa has the customer's last answer."""
        try:
            self._end()
        finally:
            self.world.close()

    def _end(self) -> None:
        self.world.stop_all()
        for _ in range(25):
            found, _due = self.world.read()
            if all(found.get(f"{journey}_state") in OVER for journey in PLAYED):
                break
            self.world.time_passes(63, None)
            for journey in PLAYED:
                self.world.start(journey).go(100, Fate.DONE)
            self.world.stop_all()
        found, _due = self.world.read()
        for journey in PLAYED:
            require(found.get(f"{journey}_state") in OVER, f"{journey} never ends: {found.get(f'{journey}_state')}")
        if found.get("answer_state") == "submitted":
            self.world.assert_submitted()
        elif self.world.expected:
            require(found.get("answer_state") == "failed", f"an answer is gone: {found.get('answer_state')}")


def run(seed: int, scale: Literal["short", "long"]) -> Row:
    """Play the sequences, then two controls. Both must fail."""
    wanted = SEQUENCES[scale]
    with TemporaryDirectory() as name, _quiet():
        server = RedisServer(Path(name))
        server.start()
        unsynced(server.url)
        try:
            told, steps, problem = play(lambda: World(server.url), seed, wanted)
            forgetful, hasty = (
                provoke(make_world) if scale == "short" else play(make_world, seed, CONTROLS)
                for make_world in (
                    lambda: World(server.url, weaken=weaken),
                    lambda: World(server.url, reconcile_after=timedelta(seconds=5)),
                )
            )
        finally:
            server.stop()
    shown = f"{told:,} sequences, {steps:,} steps of workers: {problem or 'no violation'}"
    controls = {"a begin_call.lua that forgets the call": forgetful, "RECONCILE_AFTER of 5 s": hasty}
    control = "; ".join(
        f"{name}: {found[2] or 'not found out'} (sequence {found[0]:,})" for name, found in controls.items()
    )
    passed = not problem and told >= wanted and all(found[2] for found in controls.values())
    return Row(12, "any sequence of transitions", seed, commit(), shown, control, passed)


def play(make_world: Callable[[], World], seed: int, sequences: int) -> tuple[int, int, str]:
    """Play sequences until a violation. Return the number of sequences and of steps, and the violation."""
    machine: Any = type("Sequence", (Model,), {"make_world": staticmethod(make_world), "told": 0})
    Worker.steps = 0
    try:
        for chunk in range(0, sequences, CHUNK):
            test: Any = get_state_machine_test(machine, settings=_settings(min(CHUNK, sequences - chunk)))
            seeded(seed * 1_000_003 + chunk)(test)()
    except Violation as violation:
        return machine.told, Worker.steps, str(violation)
    return machine.told, Worker.steps, ""


def provoke(make_world: Callable[[], World]) -> tuple[int, int, str]:
    """Play sequences that fail the controls: a call executes late, and more workers follow soon.

    The short row plays these for its controls. Random sequences find them too, after some 700 on average.
    """
    machine: Any = type("Provoked", (Model,), {"make_world": staticmethod(make_world), "told": 0})
    Worker.steps = 0
    try:
        for far in DISTANCES_TO_PROVOKE:
            model: Model = machine()
            try:
                model.begin(two=False)
                model.start(seconds=0, is_answer=False, far=far, fate=Fate.LATE)
                for _ in range(2):
                    if model.world.workers:
                        model.go_on(which=0, far=MANY_STEPS, fate=Fate.DONE)
                    model.start(seconds=7, is_answer=False, far=MANY_STEPS, fate=Fate.DONE)
                    model.holds()
            finally:
                model.teardown()
    except Violation as violation:
        return machine.told, Worker.steps, str(violation)
    return machine.told, Worker.steps, ""


def _settings(examples: int) -> hypothesis_settings:
    return hypothesis_settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
    )


def weaken(scripts: dict[str, Any]) -> None:
    """The control: a begin_call that doesn't record the next call."""
    text = read_script("begin_call")
    assert WRITES_THE_CALL in text
    text = text.replace(WRITES_THE_CALL, "put(journey .. '_state', to, 'forgotten', ")
    scripts["begin_call"] = scripts["begin_call"].registered_client.register_script(text)


def unsynced(redis_url: str) -> None:
    """Turn off syncs to disk: other rows test crashes of Redis."""
    client = patient(redis_url)
    client.config_set("appendonly", "no")
    client.close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Mute the log: the failures are intended."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)
