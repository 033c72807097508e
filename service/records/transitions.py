"""Where surveys are kept: one Redis hash each, a due set for each journey, and one Lua script for every transition.

Redis is the truth and its clock the only one; docs/architecture/records.md has the transition table.
Every method raises RecordsUnavailable when Redis can't be asked: the script may have run all the same, and
calling it again is harmless.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import redis
from redis.commands.core import Script

from service.records.codec import (
    dump_close,
    from_ms,
    read_record,
    to_ms,
    write_candidates,
    write_decision,
    write_terms,
)
from service.records.queries import Overview
from service.records.redis import Breaker
from service.surveys.definition import OnReclose, Survey
from service.surveys.links import Link
from service.surveys.model import (
    ActionState,
    Change,
    Claim,
    Close,
    Decision,
    Journey,
    OfferState,
    Reason,
    Record,
    RuleMismatch,
)
from service.surveys.ratings import RatingType

LUA = Path(__file__).with_name("lua")
SCRIPTS = tuple(sorted(path.stem for path in LUA.glob("*.lua") if path.stem != "record"))


_CONSTANTS: Mapping[str, timedelta] = {
    "HINT_GRACE_MS": timedelta(seconds=1),
    "COUNTS_RETENTION_MS": timedelta(days=400),
    "ROUNDS_MARGIN_MS": timedelta(days=365),
}
"""Durations that several scripts use. Each script sees them as local variables."""
_SENT_COUNT_RETENTION = timedelta(days=2)
"""The count for `daily_cap` is needed until the day is over everywhere."""
_REOPEN_GRACE = timedelta(minutes=2)
"""A message of ours may reopen its conversation. Dixa reports that within this time."""
_DRAIN_RETRY = timedelta(seconds=1)
_PAUSE_RETRY = timedelta(seconds=10)

MAX_EXTENSION = timedelta(hours=1)
"""How long after the first answer its result may be put off by changes, and by the time that was given for them."""


class StaleClaim(Exception):
    """The journey has moved on without us: another claim, the customer's answer, or a lease nearly over."""


class Accepted(StrEnum):
    """What became of a close."""

    WAITING = "accepted"
    SKIPPED = "skipped"
    DUPLICATE = "duplicate"
    SPOOLED = "spooled"


class Saved(StrEnum):
    """What became of an answer. A suspect one is `ignored` while the record has one that isn't."""

    SAVED = "saved"
    SAME = "same"
    SUPERSEDED = "superseded"
    IGNORED = "ignored"
    NOT_CHANGED = "not_changed"
    CLOSED = "closed"
    SPOOLED = "spooled"


@dataclass(frozen=True, slots=True)
class Written:
    """What a write by the web came to, for which survey, and whether a task is due for it at once."""

    outcome: str
    is_due: bool
    survey_id: str = ""


def load_scripts(client: redis.Redis) -> dict[str, Script]:
    """Return every script by its name. Nothing is sent to Redis until one is called."""
    return {name: client.register_script(read_script(name)) for name in SCRIPTS}


def read_script(name: str) -> str:
    """Return the source of a script, with everything the scripts share in front of it."""
    files = (LUA / "record.lua", LUA / f"{name}.lua")
    return "\n".join((*_constants(), *(path.read_text(encoding="utf-8") for path in files)))


def _constants() -> Iterator[str]:
    """Return the facts that Python and Lua share as Lua."""
    yield "local RATING_TYPES = {" + ", ".join(f"'{rating}'" for rating in RatingType) + "}"
    for name, duration in _CONSTANTS.items():
        yield f"local {name} = {to_ms(duration)}"


class Records(Overview):
    """All surveys. `lease` is a claim's, `keep` how long a finished record prevents a second ask.

    `retry_within` is how long an address and a comment are kept for a retry of a failed journey.
    `mail_budget` is what a lease may be longer by, for as long as a mail is handed over.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        lease: timedelta,
        keep: timedelta,
        retry_within: timedelta = timedelta(),
        mail_budget: timedelta = timedelta(),
        breaker: Breaker | None = None,
        prefix: str = "afterword:",
    ) -> None:
        super().__init__(client, breaker=breaker, prefix=prefix)
        self._lease = lease
        self._keep = keep
        self._retry_within = retry_within
        self._longest_lease = lease + mail_budget
        self._scripts = load_scripts(client)

    def accept(
        self,
        close: Close,
        candidates: Sequence[Survey],
        reason: Reason | None = None,
        mismatches: Sequence[RuleMismatch] = (),
    ) -> Written:
        """Make the record of a close, waiting for the shortest delay, or skipped when there is a reason."""
        terms = candidates[0] if candidates else None
        facts = {"closed_at": close.closed_at.isoformat(timespec="seconds")}
        outcome, due, survey_id = self._of_conversation(
            "accept",
            close.conversation_id,
            close.conversation_id,
            dump_close(close),
            write_terms(terms),
            write_candidates(candidates),
            to_ms(close.closed_at),
            to_ms(min((survey.delay for survey in candidates), default=timedelta())),
            reason or "",
            self._keep_ms(terms),
            close.email or "",
            write_decision(mismatches, facts),
            max((survey.on_reclose for survey in candidates), key=[*OnReclose].index, default=OnReclose.NEVER),
            close.event_id,
        )
        return Written(outcome, bool(due), survey_id)

    def cancel(self, change: Change, verdict: OfferState, reason: Reason) -> str:
        """End the survey of a conversation if it still waits, since it is no longer right; answers what came of it."""
        happened_at, keep = to_ms(change.happened_at), self._keep_ms(None)
        about = change.conversation_id
        return str(
            self._of_conversation("cancel", about, about, verdict, reason, happened_at, keep, to_ms(_REOPEN_GRACE))
        )

    def save_answer(
        self,
        link: Link,
        terms: Survey,
        scores: Mapping[RatingType, int],
        comment: str | None,
        *,
        language: str,
        is_suspect: bool = False,
        answered_at: datetime | None = None,
    ) -> Written:
        """Hold a customer's answer for as long as its terms say; `answered_at` is now unless it waited elsewhere.

        One that replaces another is held anew, but not for longer than MAX_EXTENSION after the first.
        A blank comment keeps the one before, None removes it.
        """
        hold = terms.editable_time(is_suspect=is_suspect)
        outcome, due = self._ask(
            lambda: self._scripts["save_answer"](
                keys=[
                    self._key(link.survey_id),
                    self._due(Journey.ANSWER),
                    self._due(Journey.OFFER),
                    self._due(Journey.FOLLOW_UP),
                ],
                args=[
                    link.survey_id,
                    link.conversation_id,
                    write_terms(terms),
                    to_ms(hold),
                    comment or "",
                    language,
                    to_ms(answered_at) if answered_at else "",
                    json.dumps({offer.rating: offer.rating_id for offer in link.offers}),
                    json.dumps(dict(scores)),
                    int(is_suspect),
                    to_ms(max(hold, MAX_EXTENSION)),
                    int(comment is None),
                    self._keep_ms(terms),
                ],
            )
        )
        return Written(outcome, bool(due))

    def extend(self, survey_id: str, terms: Survey) -> datetime | None:
        """Give a customer `terms.extend` from now on to change a held answer, up to MAX_EXTENSION after the first one.

        Return until when it can be changed; None when it can't be any more.
        """
        limits = (to_ms(terms.extend), to_ms(MAX_EXTENSION))
        outcome, until = self._run("extend", Journey.ANSWER, survey_id, *limits)
        return from_ms(until) if outcome == "extended" else None

    def take_due(self, journey: Journey, most: int, again_after: timedelta) -> list[str]:
        """Take the ids of due surveys for queueing; each comes due again after `again_after` unless it is claimed."""
        taken: list[str] = self._ask(
            lambda: self._scripts["take_due"](keys=[self._due(journey)], args=[most, to_ms(again_after)])
        )
        return taken

    def claim(self, journey: Journey, survey_id: str) -> Claim | None:
        """Lease a due journey; None when it isn't due, is leased, is over or is not there."""
        outcome, *rest = self._ask(
            lambda: self._scripts["claim"](
                keys=[
                    self._key(survey_id),
                    self._due(journey),
                    self._restored_key,
                    self._draining_key,
                    self._paused_key,
                ],
                args=[
                    survey_id,
                    journey,
                    to_ms(self._lease),
                    to_ms(self._longest_lease),
                    to_ms(_DRAIN_RETRY),
                    to_ms(_PAUSE_RETRY),
                ],
            )
        )
        if outcome != "claimed":
            return None
        fence, moment, flat = rest
        return Claim(journey, int(fence), from_ms(moment), _record(flat))

    def retry(self, journey: Journey, survey_id: str) -> str:
        """Make a failed journey due now. Return `retried`, `not_failed` or `missing`."""
        return str(self._run("retry", journey, survey_id, journey))

    def end_backoff(self, conversation_ids: Collection[int]) -> None:
        """Make each failed try of these conversations due for its next one now."""
        for survey_id in (each for number in conversation_ids for each in self.rounds(number)):
            for journey in Journey:
                self._run("end_backoff", journey, survey_id, journey)

    def reschedule(self, claim: Claim, delay: timedelta, *, failed: bool) -> None:
        """Give the lease back; the journey, with any call in flight, comes due again after `delay`."""
        follow_up = claim.record.follow_up
        was_due = to_ms(follow_up.due_at) if follow_up and follow_up.due_at else ""
        given = (claim.journey, claim.fence, to_ms(delay), int(failed), was_due)
        self._run("reschedule", claim.journey, claim.record.survey_id, *given)

    def decide(
        self,
        claim: Claim,
        decision: Decision,
        language: str = "",
        *,
        person: Sequence[str] = (),
        cooldown_retention: timedelta = timedelta(),
    ) -> tuple[str, str]:
        """Write the decision; to ask takes the person's turn, if it is free. Answers what it came to, and why."""
        terms = decision.survey or claim.record.terms or Survey()
        day = claim.at.date()
        verdict, reason = self._ask(
            lambda: self._scripts["decide"](
                keys=[
                    self._key(claim.record.survey_id),
                    self._due(Journey.OFFER),
                    self._decisions(day),
                    f"{self._prefix}asks:{day}:{terms.name}",
                    *(f"{self._prefix}asked:{trait}" for trait in person),
                ],
                args=[
                    claim.fence,
                    decision.verdict,
                    decision.reason or "",
                    language,
                    self._keep_ms(terms),
                    write_decision(decision.mismatches, decision.facts),
                    write_terms(decision.survey),
                    to_ms(decision.due_at) if decision.due_at else "",
                    to_ms(terms.cooldown),
                    max(to_ms(cooldown_retention), to_ms(terms.cooldown), 1),
                    terms.daily_cap,
                    to_ms(_SENT_COUNT_RETENTION),
                ],
            )
        )
        if verdict in ("stale", "wrong_state"):
            raise StaleClaim(verdict)
        return verdict, reason

    def begin_call(self, claim: Claim, rating: RatingType, seen: Sequence[str], least_left: timedelta) -> Record:
        """Write that a call is about to be made, and return the record as it is at that moment.

        Raises StaleClaim when the call must not be made: then there is nothing to undo.
        """
        outcome, *rest = self._run(
            "begin_call",
            claim.journey,
            claim.record.survey_id,
            claim.journey,
            claim.fence,
            rating,
            json.dumps(list(seen)),
            to_ms(least_left),
        )
        if outcome != "begun":
            raise StaleClaim(outcome)
        return _record(rest[0])

    def offered(self, claim: Claim, rating: RatingType, rating_id: str) -> None:
        """Keep the id of an offer that Dixa made."""
        asked = claim.record.terms.ratings if claim.record.terms else (rating,)
        self._step("offered", claim, claim.fence, rating, rating_id, *asked)

    def begin_delivery(self, claim: Claim, channel: str) -> None:
        """Write that a channel begins."""
        self._step("begin_delivery", claim, claim.fence, channel)

    def extend_lease(self, survey_id: str) -> bool:
        """Let the lease last for as long as a mail may take; False if nobody has claimed the survey any more."""
        outcome = self._run("extend_lease", Journey.OFFER, survey_id, to_ms(self._longest_lease))
        return bool(outcome == "extended")

    def begin_email(self, survey_id: str) -> bool:
        """Write that a mail is about to be handed over; False if it must not be: it may be out already."""
        return bool(self._run("begin_email", Journey.OFFER, survey_id) == "begun")

    def delivery_failed(self, claim: Claim, channel: str, *, for_good: bool) -> None:
        """Write that a channel certainly did not deliver; `for_good`: it isn't asked again."""
        self._step("delivery_failed", claim, claim.fence, channel, int(for_good))

    def delivered(self, claim: Claim, note: str = "") -> None:
        """Write that the link is with the customer, and perhaps what is to be said about it."""
        terms = claim.record.terms
        remind_after = to_ms(terms.reminder) if terms and terms.reminder else ""
        self._step("delivered", claim, claim.fence, self._keep_ms(terms), note, remind_after)

    def reminded(self, claim: Claim, note: str = "") -> None:
        """Write that the reminder is with the customer, or why nothing comes of it."""
        self._step("reminded", claim, claim.fence, self._keep_ms(claim.record.terms), note)

    def submitted(self, claim: Claim, rating: RatingType, answered: Sequence[RatingType]) -> None:
        """Write that Dixa has the result of one of the `answered` rating types."""
        terms = claim.record.terms
        self._step("submitted", claim, claim.fence, rating, self._keep_ms(terms), self._retry_ms(terms), *answered)

    def set_action(
        self,
        claim: Claim,
        action: str,
        becomes: ActionState,
        problem: str = "",
        sent_scores: Mapping[RatingType, int] | None = None,
    ) -> bool:
        """Write what becomes of an action. False if it was to begin and was begun before: it may have happened.

        `sent_scores` are those of an alert, kept for a correction.
        """
        scores = json.dumps(dict(sent_scores)) if sent_scores else ""
        return self._step("set_action", claim, claim.fence, action, becomes, problem, scores) != "begun_before"

    def followed(self, claim: Claim) -> None:
        """Write that all is done that was to follow an answer."""
        self._step("followed", claim, claim.fence, self._keep_ms(claim.record.terms))

    def call_lost(self, claim: Claim, reconcile_after: timedelta) -> None:
        """Write that a call's answer was lost; the journey looks again after `reconcile_after`."""
        self._step("call_lost", claim, claim.journey, claim.fence, to_ms(reconcile_after))

    def call_failed(self, claim: Claim, delay: timedelta, *, may_come: bool = False, failed: bool = True) -> None:
        """Write that the marked call did not happen, or `may_come` yet; it is tried again after `delay`."""
        self._step("call_failed", claim, claim.journey, claim.fence, to_ms(delay), int(may_come), int(failed))

    def fail(self, claim: Claim, reason: Reason) -> None:
        """End a journey for good, keeping everything; the address and the comment for as long as `retry_within`."""
        survey_id, terms = claim.record.survey_id, claim.record.terms
        outcome = self._ask(
            lambda: self._scripts["fail"](
                keys=[self._key(survey_id), self._due(claim.journey), self._decisions(claim.at.date())],
                args=[claim.journey, claim.fence, reason, self._keep_ms(terms), self._retry_ms(terms)],
            )
        )
        if outcome in ("stale", "wrong_state"):
            raise StaleClaim(outcome)

    def erase(self, record: Record) -> str:
        """End all journeys of a record, and forget all that is about its customer; answers `erased` or `missing`.

        What keeps anything from being asked or submitted a second time stays, for as long as any ended record does.
        """
        keys = [
            self._key(record.survey_id),
            *map(self._due, Journey),
            self._decisions(datetime.now(UTC).date()),
            f"{self._prefix}erased",
        ]
        return str(self._ask(lambda: self._scripts["erase"](keys=keys, args=[self._keep_ms(record.terms)])))

    def _step(self, script: str, claim: Claim, *args: Any) -> str:
        outcome = str(self._run(script, claim.journey, claim.record.survey_id, *args))
        if outcome in ("stale", "wrong_state"):
            raise StaleClaim(outcome)
        return outcome

    def _run(self, script: str, journey: Journey, survey_id: str, *args: Any) -> Any:
        return self._ask(
            lambda: self._scripts[script](keys=[self._key(survey_id), self._due(journey)], args=[*map(str, args)])
        )

    def _of_conversation(self, script: str, conversation_id: int, *args: Any) -> Any:
        """Run a script that finds out itself which of a conversation's surveys it is about."""
        keys = [
            self._key(str(conversation_id)),
            self._due(Journey.OFFER),
            self._rounds(conversation_id),
            self._decisions(datetime.now(UTC).date()),
        ]
        return self._ask(lambda: self._scripts[script](keys=keys, args=[*map(str, args)]))

    def lifetime(self, terms: Survey | None) -> timedelta:
        """Say how long a record is kept once all its journeys are over."""
        # A link must not outlive its record: the record is what keeps a late answer from being submitted twice.
        return max(self._keep, terms.expires + timedelta(days=1) if terms else timedelta())

    def link_lifetime(self, terms: Survey | None) -> timedelta:
        """Return how long a short link works, from when it is sent: until its record may be gone, and no sooner.

        The record of a survey that is answered on its last day lives on from the end of the time to change.
        """
        return self.lifetime(terms) + (terms.editable_time(is_suspect=True) if terms else timedelta())

    def _keep_ms(self, terms: Survey | None) -> int:
        return to_ms(self.lifetime(terms))

    def _retry_ms(self, terms: Survey | None) -> int:
        return to_ms(min(self._retry_within, self.lifetime(terms)))


def _record(flat: Sequence[str]) -> Record:
    return read_record(dict(zip(flat[::2], flat[1::2], strict=True)))
