"""The workers of row 12's model, which pause before every script and call, and their world.

A worker is the real journey in a greenlet of its own: the model decides how far it goes, what becomes of its next
call, and when it dies.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any, cast

from greenlet import GreenletExit, getcurrent, greenlet  # type: ignore[import-untyped]

from service.journeys.answer import AnswerJourney
from service.journeys.delivery import LinkSender
from service.journeys.offer import OfferJourney
from service.journeys.runner import JourneyRunner
from service.records.answer_transitions import GivenAnswer
from service.records.channels import Channels
from service.records.opt_outs import HashedOptOuts
from service.records.records import Records
from service.records.redis import RecordsUnavailable
from service.rules.identity import Identities
from service.rules.suppression import SuppressionPolicy
from service.surveys.definition import Survey
from service.surveys.links import Link, Links
from service.surveys.model import Claim
from service.surveys.ports import Delivery, Dixa
from service.surveys.ratings import RatingType
from service.surveys.states import Journey
from tests.chaos.modelled_dixa import TIMINGS, Fate, ModelledDelivery, ModelledDixa, pause, require
from tests.processes import patient

SURVEY = "48213"
PREFIX = "model:"
TIMES = [f"{journey}_{name}" for journey in Journey for name in ("lease", "due", "sent_at", "retried_at")]
TIMES += ["accepted_at", "answered_at", "commented_at", "first_answered_at"]
RECORD, RESTORED = f"{PREFIX}survey:{SURVEY}", f"{PREFIX}restored_at"
DUE = {journey: f"{PREFIX}due:{journey}" for journey in Journey}


class Worker:
    """A running task: the real journey, paused before each external effect."""

    steps = 0

    def __init__(self, world: "World", journey: Journey) -> None:
        self.began: float = world.now
        self._world = world
        self._journey = journey
        self._greenlet = greenlet(self._run)
        self._greenlet.worker = self
        self._greenlet.switch()

    def go(self, far: int, fate: Fate) -> None:
        """Make `far` steps; the last one has the given fate."""
        for left in range(far, 0, -1):
            if self._greenlet.dead:
                break
            if left == 1 and fate is Fate.CRASH:
                self.stop()
                break
            Worker.steps += 1
            self._greenlet.switch(fate if left == 1 else Fate.DONE)
        if self._greenlet.dead and self in self._world.workers:
            self._world.workers.remove(self)

    def begin(self) -> None:
        """Restart the claim's time."""
        self.began = self._world.now

    def stop(self) -> None:
        self._greenlet.throw(GreenletExit)

    def _run(self) -> None:
        try:
            self._world.runners[self._journey].run(SURVEY)
        except RecordsUnavailable:
            return  # As the task does: the record comes due again.


class PausingRecords(Records):
    """The records, with a pause before each script of a worker, and lost responses if that is its fate."""

    def claim(self, journey: Journey, survey_id: str) -> Claim | None:
        claim = super().claim(journey, survey_id)
        getcurrent().worker.begin()
        return claim

    def _run_command(self, command: Any) -> Any:
        fate = pause()
        if fate in (Fate.LOST_BEFORE, Fate.UNAVAILABLE):
            raise RecordsUnavailable("lost before")
        found = super()._run_command(command)
        if fate is Fate.LOST_AFTER:
            raise RecordsUnavailable("lost after")
        return found


class World:
    """The survey's record, its workers, and the state of Dixa and the customer."""

    def __init__(
        self,
        redis_url: str,
        *,
        reconcile_after: timedelta | None = None,
        weaken: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self._client = patient(redis_url)
        self._client.delete(RECORD, RESTORED, *DUE.values())
        self.records = PausingRecords(self._client, lease=TIMINGS.lease, keep=TIMINGS.record_retention, prefix=PREFIX)
        if weaken:
            weaken(self.records._scripts)
        timings = replace(TIMINGS, reconcile_after=reconcile_after) if reconcile_after else TIMINGS
        links = Links(["k" * 32], "https://survey.example")
        self.dixa = ModelledDixa(self)
        suppression = SuppressionPolicy(HashedOptOuts(self._client, prefix=PREFIX), Identities(["k" * 32]))
        deliveries: dict[str, Delivery] = {"message": ModelledDelivery(self)}
        sender = LinkSender(self.records, links, deliveries, suppression, Channels(self._client, prefix=PREFIX))
        journeys = (
            OfferJourney(sender),
            AnswerJourney(self.records),
        )
        self.runners = {
            each.journey: JourneyRunner(each, self.records, cast("Dixa", self.dixa), timings) for each in journeys
        }
        self.workers: list[Worker] = []
        self.links: list[Link] = []
        self.now: float = 0.0
        self.is_accepted = False
        self.is_reopened = self.was_restored = False
        self.expected: dict[RatingType, int] = {}
        self.comment = ""
        self.answered_at = 0.0
        self.commented_at = -inf

    def close(self) -> None:
        self.stop_all()
        self._client.close()

    def start(self, journey: Journey) -> Worker:
        worker = Worker(self, journey)
        self.workers.append(worker)
        return worker

    def stop_all(self) -> None:
        """Kill all workers."""
        for worker in self.workers:
            worker.stop()
        self.workers.clear()

    def answer(
        self,
        link: Link,
        scores: Mapping[RatingType, int],
        comment: str,
        seconds_ago: int | None,
        *,
        is_suspect: bool = False,
    ) -> None:
        """A customer or a machine answers. The current record determines the expected outcome."""
        before = self.read()[0]
        at = self.now - (seconds_ago or 0)
        answered_at = None if seconds_ago is None else datetime.now(UTC) - timedelta(seconds=seconds_ago)
        hold = timedelta(seconds=30)
        terms = Survey(
            editable_for=hold, suspect_editable_for=4 * hold, ratings=tuple(offer.rating for offer in link.offers)
        )
        answer = GivenAnswer(link, terms, scores, comment, "en", is_suspect=is_suspect)
        outcome = self.records.save_answer(answer, answered_at)
        is_held = before.get("answer_state") == "editable"
        was_suspect = is_held and "suspect" in before
        is_first = was_suspect and not is_suspect
        require(not is_first or outcome == "saved", f"a customer's answer after a suspect one was {outcome}")
        if is_held and is_suspect and not was_suspect:
            require(outcome in ("ignored", "same"), f"a suspect answer after a customer's was {outcome}")
            return
        if outcome == "saved":
            require(is_held or "answer_state" not in before, "an answer was changed while it was submitted")
            require(is_first or not self.expected or at >= self.answered_at, "an older answer replaced a later one")
            self.expected, self.answered_at = dict(scores), at
            if is_first:
                self.comment, self.commented_at = "", -inf
            self.write_comment(comment, at)
            self.is_accepted = True
        elif outcome == "same" and is_held:
            self.answered_at = max(self.answered_at, at)
            self.write_comment(comment, at)
        elif outcome == "superseded":
            require(at < self.answered_at, "a later answer was taken for an older one")
            self.write_comment(comment, at)

    def write_comment(self, comment: str, at: float) -> None:
        """Expect the latest comment, independent of the scores."""
        if comment and at >= self.commented_at:
            self.comment, self.commented_at = comment, at

    def extend(self, terms: Survey) -> None:
        """The customer asks for more time. It never gets less, and never more than an hour."""
        before = self.read()[0]
        until = self.records.extend(SURVEY, terms)
        after = self.read()[0]
        require(until is None or before["answer_state"] == "editable", "more time for what is final")
        if until is not None:
            due, first = int(after["answer_due"]), int(before["first_answered_at"])
            require(due >= int(before["answer_due"]), "more time is less")
            require(due <= max(int(before["answer_due"]), first + 3_600_000), "more than an hour")

    def time_passes(self, seconds: int, snapshot: dict[str, Any] | None = None) -> None:
        """Move all times back, as if time had passed, and execute Dixa's late calls."""
        self.now += seconds
        past = -seconds * 1000
        fields = self._client.hgetall(RECORD)
        pipe = self._client.pipeline(transaction=False)
        for name in TIMES:
            if name in fields:
                pipe.hincrby(RECORD, name, past)
        for key in DUE.values():
            pipe.zadd(key, {SURVEY: past}, xx=True, incr=True)
        if self._client.exists(RESTORED):
            pipe.incrby(RESTORED, past)
        pipe.execute()
        if snapshot:
            snapshot["fields"] |= {
                name: str(int(snapshot["fields"][name]) + past) for name in TIMES if name in snapshot["fields"]
            }
            snapshot["due"] = {journey: score + past for journey, score in snapshot["due"].items()}
        self.dixa.catch_up()

    def read(self) -> tuple[dict[str, str], dict[Journey, float]]:
        """Return the record's fields, and the due time of each journey."""
        pipe = self._client.pipeline(transaction=False)
        pipe.hgetall(RECORD)
        for key in DUE.values():
            pipe.zscore(key, SURVEY)
        found, *scores = pipe.execute()
        return found, {journey: score for journey, score in zip(DUE, scores, strict=True) if score is not None}

    def dump(self) -> dict[str, Any]:
        """Return all data in Redis, with the customer's answer so far."""
        fields, due = self.read()
        return {
            "fields": fields,
            "due": due,
            "said": (self.expected, self.comment, self.answered_at, self.commented_at),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Restore a dump. An empty one is an empty Redis."""
        self._client.delete(RECORD, *DUE.values())
        if snapshot:
            self._client.hset(RECORD, mapping=snapshot["fields"])
            for journey, score in snapshot["due"].items():
                self._client.zadd(DUE[journey], {SURVEY: score})
        said = snapshot.get("said", ({}, "", 0.0, -inf))
        self.expected, self.comment, self.answered_at, self.commented_at = said
        self.is_accepted, self.was_restored = bool(snapshot), True

    def compare(self, found: Mapping[str, str]) -> None:
        """Check the record's facts about Dixa."""
        for rating in RatingType:
            rating_id = found.get(f"rating_id:{rating}")
            require(rating_id is None or rating_id in self.dixa.known, "an offer that Dixa doesn't have")
            if f"submitted:{rating}" in found:
                require(rating_id and self.dixa.known[rating_id].status == "Rated", "a result that Dixa doesn't have")

    def assert_submitted(self) -> None:
        """Check that Dixa has the customer's last answer."""
        for rating, score in self.expected.items():
            results = [value for (kind, value) in self.dixa.results if kind is rating]
            # What Dixa had before Redis was emptied or restored, it keeps.
            require(
                score in results or (self.was_restored and results),
                f"Dixa has {results} for {rating}, and the customer said {score}",
            )
