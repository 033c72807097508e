"""Where surveys are kept: one Redis hash each, two due sets, and one Lua script for every transition.

Redis is the truth and its clock the only one; ARCHITECTURE.md has the table of scripts, states and outcomes.
Every method raises RecordsUnavailable when Redis can't be asked: the script may have run all the same, and
calling it again is harmless.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import Any

import redis
import structlog
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from config.surveys import RatingType, Survey
from service.surveys.durability import find_problems
from service.surveys.fields import dump_close, from_ms, read_record, to_ms, write_terms
from service.surveys.links import Link
from service.surveys.model import Claim, Close, Journey, OfferState, Reason, Record

log = structlog.get_logger()

LUA = Path(__file__).with_name("lua")
SCRIPTS = tuple(sorted(path.stem for path in LUA.glob("*.lua") if path.stem != "record"))


class RecordsUnavailable(Exception):
    """Redis didn't answer in time, or refused to write."""


class Breaker:
    """Open after a failure: Redis isn't asked again until `Records.ping` has seen it answer."""

    def __init__(self) -> None:
        self.is_open = False


class StaleClaim(Exception):
    """The journey has moved on without us: another claim, the customer's answer, or a lease nearly over."""


class Accepted(StrEnum):
    """What became of a close."""

    WAITING = "accepted"
    SKIPPED = "skipped"
    DUPLICATE = "duplicate"
    SPOOLED = "spooled"


class Saved(StrEnum):
    """What became of an answer."""

    SAVED = "saved"
    SAME = "same"
    SUPERSEDED = "superseded"
    NOT_CHANGED = "not_changed"
    CLOSED = "closed"
    SPOOLED = "spooled"


@dataclass(frozen=True, slots=True)
class Written:
    """What a write by the web came to, and whether a task is due for it at once."""

    outcome: str
    is_due: bool


def connect(url: str) -> redis.Redis:
    """Open a client that fails fast and never repeats a command by itself: every caller has a plan for that."""
    return redis.Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=1,
        socket_connect_timeout=0.5,
        health_check_interval=10,
        retry=Retry(NoBackoff(), 0),
    )


def load_scripts(client: redis.Redis) -> dict[str, Script]:
    """Make every transition callable by its name; Redis is asked for nothing yet."""
    shared = (LUA / "record.lua").read_text(encoding="utf-8")
    return {
        name: client.register_script(shared + (LUA / f"{name}.lua").read_text(encoding="utf-8")) for name in SCRIPTS
    }


class Records:
    """All surveys. `lease` is a claim's, `keep` how long a finished record prevents a second ask."""

    def __init__(
        self,
        client: redis.Redis,
        *,
        lease: timedelta,
        keep: timedelta,
        breaker: Breaker | None = None,
        prefix: str = "afterword:",
    ) -> None:
        self._redis = client
        self._lease = lease
        self._keep = keep
        self._prefix = prefix
        self._breaker = breaker
        self._failed_at = monotonic()
        self._restored_key = f"{prefix}restored_at"
        self._draining_key = f"{prefix}draining"
        self._scripts = load_scripts(client)

    def ping(self) -> None:
        """Raise RecordsUnavailable unless Redis answers, whatever the breaker says; it closes when Redis does."""
        try:
            self._redis.ping()
        except redis.RedisError as error:
            raise RecordsUnavailable(type(error).__name__) from error
        if self._breaker:
            self._breaker.is_open = False

    def is_recovering(self, wait: timedelta) -> bool:
        """Say whether Redis failed, or this process began, less than `wait` ago: spools may hold later answers."""
        return monotonic() - self._failed_at < wait.total_seconds()

    def problems(self) -> list[str]:
        """Name each setting of this Redis that can lose what it acknowledged. Raises RecordsUnavailable."""
        info = self._ask(self._redis.info)
        try:
            config = {str(name): str(value) for name, value in self._redis.config_get("*").items()}
        except redis.ResponseError:
            config = {}
        except redis.RedisError as error:
            raise RecordsUnavailable(type(error).__name__) from error
        return [*find_problems(info, config)]

    def report_problems(self) -> None:
        """Say loudly in the log what `problems` finds; to be called when a process starts."""
        try:
            for problem in self.problems():
                log.error("redis.unsafe", problem=problem)
        except RecordsUnavailable as error:
            log.error("redis.unavailable", problem=str(error))  # noqa: TRY400 - an outage needs no traceback

    def load(self, survey_id: str) -> Record | None:
        """Read a record as it is now."""
        fields: dict[str, str] = self._ask(lambda: self._redis.hgetall(self._key(survey_id)))
        return read_record(fields) if fields else None

    def accept(self, close: Close, terms: Survey | None, reason: Reason | None = None) -> Written:
        """Make the record of a close, waiting for its delay, or skipped when there is a reason."""
        outcome, due = self._run(
            "accept",
            Journey.OFFER,
            str(close.conversation_id),
            close.conversation_id,
            dump_close(close),
            write_terms(terms),
            to_ms(close.closed_at),
            to_ms(terms.delay) if terms else 0,
            reason or "",
            self._keep_ms(terms),
            takes_id=True,
        )
        return Written(outcome, bool(due))

    def answer(
        self,
        link: Link,
        terms: Survey,
        scores: Mapping[RatingType, int],
        comment: str,
        *,
        language: str,
        is_suspect: bool = False,
        answered_at: datetime | None = None,
    ) -> Written:
        """Hold a customer's answer for `terms.hold`; `answered_at` is now unless it waited elsewhere."""
        outcome, due = self._ask(
            lambda: self._scripts["answer"](
                keys=[self._key(link.survey_id), self._due(Journey.ANSWER), self._due(Journey.OFFER)],
                args=[
                    link.survey_id,
                    link.conversation_id,
                    write_terms(terms),
                    to_ms(terms.hold),
                    comment,
                    language,
                    to_ms(answered_at) if answered_at else "",
                    json.dumps({offer.rating: offer.rating_id for offer in link.offers}),
                    json.dumps(dict(scores)),
                    int(is_suspect),
                ],
            )
        )
        return Written(outcome, bool(due))

    def take(self, journey: Journey, most: int, again_after: timedelta) -> list[str]:
        """Take the ids of due surveys for queueing; each comes due again after `again_after` unless it is claimed."""
        taken: list[str] = self._ask(
            lambda: self._scripts["take"](keys=[self._due(journey)], args=[most, to_ms(again_after)])
        )
        return taken

    def claim(self, journey: Journey, survey_id: str) -> Claim | None:
        """Lease a due journey; None when it isn't due, is leased, is over or is not there."""
        outcome, *rest = self._ask(
            lambda: self._scripts["claim"](
                keys=[self._key(survey_id), self._due(journey), self._restored_key, self._draining_key],
                args=[survey_id, journey, to_ms(self._lease)],
            )
        )
        if outcome != "claimed":
            return None
        fence, moment, flat = rest
        return Claim(journey, int(fence), from_ms(moment), _record(flat))

    def revive(self, journey: Journey, survey_id: str) -> str:
        """Try a dead journey again, now; answers `revived`, `not_dead` or `missing`."""
        return str(self._run("revive", journey, survey_id, journey))

    def hold_answers(self, wait: timedelta) -> None:
        """Let no answer be claimed for so long: what waits in a spool may be later than what is here."""
        self._ask(lambda: self._redis.set(self._draining_key, 1, px=max(to_ms(wait), 1)))

    def restored(self) -> None:
        """Note that Redis was restored from a backup: for what it holds by now, look at Dixa before every call."""
        seconds, micros = self._ask(self._redis.time)
        self._ask(lambda: self._redis.set(self._restored_key, seconds * 1000 + micros // 1000))

    def reschedule(self, claim: Claim, delay: timedelta, *, failed: bool) -> None:
        """Give the lease back; the journey, with any call in flight, comes due again after `delay`."""
        self._run(
            "reschedule", claim.journey, claim.record.survey_id, claim.journey, claim.fence, to_ms(delay), int(failed)
        )

    def decide(self, claim: Claim, verdict: OfferState | None, reason: Reason | None, language: str) -> None:
        """Write the decision: `verdict` is None to ask, else skipped or cancelled with its reason."""
        self._step(
            "decide", claim, claim.fence, verdict or "ask", reason or "", language, self._keep_ms(claim.record.terms)
        )

    def mark(self, claim: Claim, rating: RatingType, seen: Sequence[str], least_left: timedelta) -> Record:
        """Write that a call is about to be made, and return the record as it is at that moment.

        Raises StaleClaim when the call must not be made: then there is nothing to undo.
        """
        outcome, *rest = self._run(
            "mark",
            claim.journey,
            claim.record.survey_id,
            claim.journey,
            claim.fence,
            rating,
            json.dumps(list(seen)),
            to_ms(least_left),
        )
        if outcome != "marked":
            raise StaleClaim(outcome)
        return _record(rest[0])

    def offered(self, claim: Claim, rating: RatingType, rating_id: str) -> None:
        """Keep the id of an offer that Dixa made."""
        asked = claim.record.terms.ratings if claim.record.terms else (rating,)
        self._step("offered", claim, claim.fence, rating, rating_id, *asked)

    def delivering(self, claim: Claim, channel: str) -> None:
        """Write that a channel begins."""
        self._step("delivering", claim, claim.fence, channel)

    def delivered(self, claim: Claim) -> None:
        """Write that the link is with the customer."""
        self._step("delivered", claim, claim.fence, self._keep_ms(claim.record.terms))

    def submitted(self, claim: Claim, rating: RatingType, answered: Sequence[RatingType]) -> None:
        """Write that Dixa has the result of one of the `answered` rating types."""
        self._step("submitted", claim, claim.fence, rating, self._keep_ms(claim.record.terms), *answered)

    def unknown(self, claim: Claim, settle: timedelta) -> None:
        """Write that a call's answer was lost; the journey looks again after `settle`."""
        self._step("unknown", claim, claim.journey, claim.fence, to_ms(settle))

    def again(self, claim: Claim, delay: timedelta) -> None:
        """Write that the marked call did not happen; it is tried again after `delay`."""
        self._step("again", claim, claim.journey, claim.fence, to_ms(delay))

    def die(self, claim: Claim, reason: Reason) -> None:
        """End a journey for good, keeping everything."""
        self._step("die", claim, claim.journey, claim.fence, reason, self._keep_ms(claim.record.terms))

    def _step(self, script: str, claim: Claim, *args: Any) -> None:
        outcome = self._run(script, claim.journey, claim.record.survey_id, *args)
        if outcome in ("stale", "wrong_state"):
            raise StaleClaim(outcome)

    def _run(self, script: str, journey: Journey, survey_id: str, *args: Any, takes_id: bool = False) -> Any:
        given = (survey_id, *args) if takes_id else args
        return self._ask(
            lambda: self._scripts[script](keys=[self._key(survey_id), self._due(journey)], args=[*map(str, given)])
        )

    def _ask(self, question: Any) -> Any:
        if self._breaker and self._breaker.is_open:
            raise RecordsUnavailable("not asked: it failed a moment ago")
        try:
            return question()
        except redis.RedisError as error:
            self._failed_at = monotonic()
            if self._breaker:
                self._breaker.is_open = True
            raise RecordsUnavailable(type(error).__name__) from error

    def _key(self, survey_id: str) -> str:
        return f"{self._prefix}survey:{survey_id}"

    def _due(self, journey: Journey) -> str:
        return f"{self._prefix}due:{journey}"

    def _keep_ms(self, terms: Survey | None) -> int:
        # A link must not outlive its record: the record is what keeps a late answer from being submitted twice.
        return to_ms(max(self._keep, terms.expires + timedelta(days=1) if terms else timedelta()))


def _record(flat: Sequence[str]) -> Record:
    return read_record(dict(zip(flat[::2], flat[1::2], strict=True)))
