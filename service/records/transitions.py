"""Transitions of all three journeys: claims, calls, and the end of a journey.

Each transition is one Lua script, timed by Redis's clock, and happens as a whole or not at all.
Every method raises RecordsUnavailable when Redis can't be reached. The script may still have run, and running it
again is harmless. Those that acknowledge a request, or announce a call, also raise it if the replicas don't confirm it.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import redis

from service.records.codec import from_ms, to_ms
from service.records.outcomes import Outcome, StaleClaim
from service.records.queries import Queries
from service.records.redis import Breaker, RecordsUnavailable, RecordsUnconfirmed
from service.records.scripts import load_scripts
from service.records.switches import Switches
from service.records.tasks import Quota, Relayed
from service.surveys.definition import Survey
from service.surveys.model import Claim, Record
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.retention import Retention
from service.surveys.states import Journey, SurveyEvent

_DRAIN_RETRY: Final = timedelta(seconds=1)
_PAUSE_RETRY: Final = timedelta(seconds=10)
"""How soon a survey is due again that can't be claimed while spools are drained, or while surveys are paused."""


class Transitions(Queries, Switches):
    """The transitions shared by all journeys."""

    def __init__(  # noqa: PLR0913 - each of them is a choice of the installation
        self,
        client: redis.Redis,
        *,
        lease: timedelta,
        keep: timedelta,
        retention: Retention | None = None,
        is_archived: bool = False,
        events: Collection[SurveyEvent] = (),
        mail_budget: timedelta = timedelta(),
        breaker: Breaker | None = None,
        prefix: str = "afterword:",
    ) -> None:
        super().__init__(client, breaker=breaker, prefix=prefix)
        self._lease = lease
        self._keep = keep
        self._retention = retention
        self._scripts = load_scripts(client, retention, is_archived=is_archived, events=events)
        self._max_lease = lease + mail_budget

    def queue_due(self, quotas: Sequence[Quota], room: int, requeue_after: timedelta) -> Relayed:
        """Queue a task for each due survey, until `room` tasks wait in the queue, in the order of the quotas.

        Each survey is due again after `requeue_after` unless it is claimed.
        """
        keys = (self._queue_key, *(self._due(each.journey) for each in quotas))
        given = (part for each in quotas for part in (each.journey, each.free, each.least, each.most))
        queued, waiting, is_more, next_ms = self._run_script("queue_due", keys, room, requeue_after, *given)
        return Relayed(queued, waiting, bool(is_more), None if next_ms < 0 else timedelta(milliseconds=next_ms))

    def claim(self, journey: Journey, survey_id: str) -> Claim | None:
        """Lease a due journey. Return None if it isn't due, is leased, has ended or doesn't exist."""
        keys = (self._key(survey_id), self._due(journey), self._restored_key, self._draining_key, self._paused_key)
        given = (survey_id, journey, self._lease, self._max_lease, _DRAIN_RETRY, _PAUSE_RETRY)
        # Without the claim, a new primary would give its fence a second time.
        outcome, *rest = self._run_script("claim", keys, *given, confirm=True)
        if outcome != Outcome.CLAIMED:
            return None
        fence, moment, flat = rest
        return Claim(journey, int(fence), from_ms(moment), self._read_flat(flat))

    def reschedule(self, claim: Claim, delay: timedelta, *, failed: bool) -> None:
        """Return the lease. The journey, with any call in flight, is due again after `delay`."""
        follow_up = claim.record.follow_up
        was_due = follow_up.due_at if follow_up else None
        given = (claim.journey, claim.fence, delay, failed, was_due)
        self._run("reschedule", claim.journey, claim.record.survey_id, *given)

    def end_backoff(self, conversation_ids: Collection[int]) -> None:
        """Make each journey of these conversations due now if it waits for another try."""
        for survey_id in (each for number in conversation_ids for each in self.list_rounds(number)):
            for journey in Journey:
                self._run("end_backoff", journey, survey_id, journey)

    def begin_call(self, claim: Claim, rating: RatingType, seen: Sequence[str], min_lease: timedelta) -> Record:
        """Record a call before it is sent. Return the record at that moment.

        Raises StaleClaim if the call must not be sent. Nothing was written then.
        """
        given = (claim.journey, claim.fence, rating, json.dumps(list(seen)), min_lease)
        outcome, *rest = self._run("begin_call", claim.journey, claim.record.survey_id, *given, confirm=True)
        if outcome != Outcome.BEGUN:
            raise StaleClaim(outcome)
        return self._read_flat(rest[0])

    def call_lost(self, claim: Claim, reconcile_after: timedelta) -> None:
        """Record a lost response to the call in flight. The journey is due again after `reconcile_after`."""
        self._step("call_lost", claim, claim.journey, claim.fence, reconcile_after)

    def call_failed(
        self, claim: Claim, delay: timedelta, *, may_still_happen: bool = False, failed: bool = True
    ) -> None:
        """Record a failed call: it did not happen. The journey is due again after `delay`.

        `may_still_happen`: Dixa got the call and may execute it later. `failed`: this counts as a try.
        """
        self._step("call_failed", claim, claim.journey, claim.fence, delay, may_still_happen, failed)

    def fail(self, claim: Claim, reason: Reason) -> None:
        """End a journey as failed. The address and the comment are kept for a retry."""
        survey_id, terms = claim.record.survey_id, claim.record.terms
        keys = (self._key(survey_id), self._due(claim.journey), self._decisions_key(claim.at.date()))
        given = (claim.journey, claim.fence, reason, self.lifetime(terms), self._retry_time(claim.journey, terms))
        refuse_stale(self._run_script("fail", keys, *given))

    def retry(self, journey: Journey, survey_id: str) -> Outcome:
        """Make a failed journey due now. Return RETRIED, NOT_FAILED or MISSING."""
        return Outcome(self._run("retry", journey, survey_id, journey, confirm=True))

    def erase(self, record: Record) -> Outcome:
        """End all journeys of a record and forget its customer. Return ERASED or MISSING.

        The record stays for as long as any other. It still prevents a second offer or result.
        """
        keys = [
            self._key(record.survey_id),
            *map(self._due, Journey),
            self._decisions_key(datetime.now(UTC).date()),
            f"{self._prefix}erased",
        ]
        return Outcome(self._run_script("erase", keys, self.lifetime(record.terms), confirm=True))

    def trim_ended(self, limit: int = 1000) -> int:
        """Delete the fields of ended records whose own retention is over. Return the number of records looked at."""
        key, now_ms = f"{self._prefix}due:trim", to_ms(self.read_clock())
        found: list[str] = self._run_command(lambda: self._redis.zrangebyscore(key, "-inf", now_ms, start=0, num=limit))
        for survey_id in found:
            self._run_script("trim", [self._key(survey_id), key], survey_id)
        return len(found)

    def lifetime(self, terms: Survey | None) -> timedelta:
        """Return how long a record is kept after its last journey ends."""
        # A link must not outlive its record: the record prevents a second result for a late answer.
        return max(self._keep, terms.expires + timedelta(days=1) if terms else timedelta())

    def link_lifetime(self, terms: Survey | None) -> timedelta:
        """Return how long a short link works after it is sent: for as long as its record may live.

        A survey answered on its last day stays open until its answer is final, and its record lives on from there.
        """
        return self.lifetime(terms) + (terms.editable_time(is_suspect=True) if terms else timedelta())

    @contextmanager
    def _undone_if_unconfirmed(self, undo: Callable[[], object]) -> Iterator[None]:
        """Undo a mark that the replicas don't confirm: what it announces is not done, and must not count as done."""
        try:
            yield
        except RecordsUnconfirmed as error:
            if error.response == Outcome.BEGUN:
                with suppress(RecordsUnavailable):
                    undo()
            raise

    def _step(self, script: str, claim: Claim, *args: object, confirm: bool = False) -> str:
        """Run a script for a claim. Return its outcome, most often the new state. Raises StaleClaim."""
        outcome: str = self._run(script, claim.journey, claim.record.survey_id, *args, confirm=confirm)
        refuse_stale(outcome)
        return outcome

    def _run(self, script: str, journey: Journey, survey_id: str, *args: object, confirm: bool = False) -> Any:
        return self._run_script(script, [self._key(survey_id), self._due(journey)], *args, confirm=confirm)

    def _run_for_conversation(self, script: str, conversation_id: int, more_keys: Iterable[str], *args: object) -> Any:
        """Run a script that picks the round of a conversation itself. The replicas have to confirm it."""
        keys = [
            self._key(str(conversation_id)),
            self._due(Journey.OFFER),
            self._rounds_key(conversation_id),
            self._decisions_key(datetime.now(UTC).date()),
            *more_keys,
        ]
        return self._run_script(script, keys, *args, confirm=True)

    def _retry_time(self, journey: Journey, terms: Survey | None) -> timedelta:
        """Return how long a failed offer keeps the address, or a failed follow-up the comment."""
        if not self._retention:
            return timedelta()
        kept_for = self._retention.address if journey is Journey.OFFER else self._retention.comment
        return min(kept_for, self.lifetime(terms))

    def _read_flat(self, flat: Sequence[str]) -> Record:
        return self._read(dict(zip(flat[::2], flat[1::2], strict=True)))


def refuse_stale(outcome: str) -> None:
    """Raise StaleClaim if a script has written nothing, since the claim isn't valid."""
    if outcome in (Outcome.STALE, Outcome.WRONG_STATE):
        raise StaleClaim(outcome)
