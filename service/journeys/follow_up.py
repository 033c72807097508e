"""What follows an answer: alerts at once; notes, tags and webhooks once it can't be changed any more.

An alert that told other scores than the final ones is corrected then, and a comment that was written after it is told.
Nothing follows a suspect answer before then, and nothing at all if the conversation was anonymised, as far as that is
known: it is looked at before anything is written into it, and before an answer with a comment is told.

A journey of its own, so that nothing in here delays a result. Each action is marked before it is done, and keeps to its
own rule of repeating: one that can be lost, or doubled, can't be both.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

import structlog

from config.settings import Timings
from service.journeys.runner import Traveller, Turn
from service.records.channels import Channels
from service.records.transitions import MAX_EXTENSION, Records
from service.surveys.definition import Survey
from service.surveys.errors import ChannelDown, Forbidden, NotNow, OutcomeUnknown, Refused, RetryLater
from service.surveys.model import ActionState, AnswerProgress, AnswerState, FollowUp, Journey, Reason, Record
from service.surveys.ports import Action, Dixa, Told
from service.surveys.ratings import RatingType

log = structlog.get_logger()

NOBODY_KNOWS = "nobody knows whether it arrived"
TOO_LONG = "tried for too long"
NOT_SET_UP = "not set up any more"
IN_THE_ALERT = "part of the alert"
IN_THE_CORRECTION = "part of the correction"

_ALERT = "slack"
_COMMENT = "comment"
"""The subject of what is told after an alert that went out before the customer had written."""
_CORRECTION = "correction"
"""The subject of what is told after an alert whose scores the customer has changed since."""

_IN_DIXA = ("note", "tag")
"""What is written into the conversation."""

_SHORT = timedelta(seconds=1)
"""How long a turn waits that could not begin, or that came before the answer was final."""

_LONG = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing to be done about an answer."""

    kind: str
    subject: str = ""
    shows_comment: bool = False

    @property
    def name(self) -> str:
        """Its name in the record."""
        return f"{self.kind}:{self.subject}" if self.subject else self.kind


def find_actions(terms: Survey, scores: Mapping[RatingType, int]) -> Iterator[Wanted]:
    """Say what is to follow an answer with these scores, each thing once."""
    found = [each for each in terms.after if each.is_for(scores)]
    for kind in (_ALERT, "note", "webhook"):
        those = [each for each in found if getattr(each, kind)]
        if those:
            # The webhook's receiver is the team's own, and gets the whole answer.
            yield Wanted(kind, shows_comment=kind == "webhook" or any(each.comment for each in those))
    yield from (Wanted("tag", tag) for tag in dict.fromkeys(each.tag for each in found if each.tag))


def find_late(wanted: Collection[Wanted], answer: AnswerProgress, progress: FollowUp) -> Iterator[Wanted]:
    """Say what is to be told after an alert that is out: other scores, a comment, or both in one."""
    alert = progress.actions.get(_ALERT)
    if alert is None or alert.state not in (ActionState.BEGUN, ActionState.DONE):
        return  # One that hasn't gone out yet will say it all.
    if all(each.kind != _ALERT for each in wanted):
        yield Wanted(_ALERT)  # Its worker may have died over it: then it ends here, and counts as sent.
    is_allowed = any(each.kind == _ALERT and each.shows_comment for each in wanted)
    shows_comment = is_allowed and answer.has_comment
    comment, correction = Wanted(_ALERT, _COMMENT, shows_comment=True), Wanted(_ALERT, _CORRECTION)
    # An older version kept no scores.
    if alert.told and alert.told != answer.answer.scores:
        told = progress.actions.get(comment.name)
        is_untold = told is None or told.problem == IN_THE_CORRECTION
        yield replace(correction, shows_comment=shows_comment and is_untold)
        if is_untold:
            return
    if shows_comment:
        yield comment


class _Outcome(Enum):
    OVER = "over"
    LATER = "later"
    SETTLING = "settling"
    """Not before RECONCILE_AFTER: nobody knows whether it happened, or Dixa forbids it as yet."""
    NOT_BEGUN = "not begun"


class FollowUpJourney(Traveller):
    """Does each action once, or as near to that as its receiver allows."""

    journey = Journey.FOLLOW_UP
    max_wait = timedelta(seconds=1)
    _call_name = "follow_up"

    def __init__(
        self, records: Records, dixa: Dixa, timings: Timings, *, actions: Sequence[Action], channels: Channels
    ) -> None:
        super().__init__(records, dixa, timings)
        self._channels = channels
        self._actions = {action.kind: action for action in actions}

    def _advance(self, turn: Turn) -> None:
        answer, progress, terms = turn.record.answer, turn.record.follow_up, turn.record.terms
        if answer is None or progress is None or terms is None:
            return  # It begins with an answer, whose record has terms.
        is_final = answer.state is not AnswerState.HELD
        wanted = list(find_actions(terms, answer.answer.scores))
        if is_final:
            due = [*wanted, *find_late(wanted, answer, progress)]
        elif answer.is_provisional:
            due = []
        else:
            due = [each for each in wanted if self._is_at_once(each)]
        # What was tried before comes last: a slow receiver must not keep the others from their turn.
        due.sort(key=lambda each: each.name in progress.actions)
        held_for = max(terms.held_for(is_suspect=answer.is_suspect), MAX_EXTENSION)
        final_at = answer.answer.answered_at + held_for
        since = max(final_at, progress.revived_at or final_at)
        found = [(each, self._settle(turn, progress, each, since)) for each in due]
        left = [each for each, outcome in found if outcome is None]
        if _looks_first(answer, left) and self._is_erased(turn):
            self._erase(turn)
            return
        outcomes = {outcome for _, outcome in found if outcome} | {self._begin(turn, each) for each in left}
        if outcomes - {_Outcome.OVER}:
            self._come_back(turn, outcomes)
        elif is_final:
            self._finish(turn)
        else:
            self._records.reschedule(turn.claim, _until_final(turn, answer), failed=False)

    def _is_at_once(self, wanted: Wanted) -> bool:
        action = self._actions.get(wanted.kind)
        return action is not None and action.is_at_once

    def _settle(self, turn: Turn, progress: FollowUp, wanted: Wanted, since: datetime) -> _Outcome | None:
        """Return what becomes of an action that isn't to be tried now, and write it; None if it is to be."""
        before = progress.actions.get(wanted.name)
        if before and before.is_over:
            return _Outcome.OVER
        action = self._actions.get(wanted.kind)
        if action is None:
            return self._fail(turn, wanted, NOT_SET_UP)
        if before and before.state is ActionState.BEGUN and not action.is_repeatable:
            return self._end(turn, wanted, NOBODY_KNOWS)
        # What hasn't been tried yet is, however late it has become.
        within = action.within or self._timings.answer_max_age
        if before and self._is_late(turn, within, lambda longest: turn.claim.at > since + longest):
            return self._fail(turn, wanted, TOO_LONG)
        is_down = self._channels.wait(_name_channel(wanted), turn.record.survey_id) is not None
        return _Outcome.LATER if is_down else None

    def _begin(self, turn: Turn, wanted: Wanted) -> _Outcome:
        """Mark an action, and do it, unless there is no time left, or its receiver is down."""
        if not self._has_time(turn):
            return _Outcome.NOT_BEGUN
        if self._channels.begin(_name_channel(wanted), turn.record.survey_id):
            return _Outcome.LATER
        told = turn.record.answered.scores if wanted.name == _ALERT else None
        is_new = self._records.act(turn.claim, wanted.name, ActionState.BEGUN, told=told)
        return self._act(turn, self._actions[wanted.kind], wanted, is_new=is_new)

    def _act(self, turn: Turn, action: Action, wanted: Wanted, *, is_new: bool) -> _Outcome:
        told = Told(turn.record, wanted.subject, wanted.shows_comment, _told_before(turn.record))
        if wanted.kind == _ALERT and wanted.subject != _COMMENT and told.comment:
            # Before it is sent, like its own mark: it must not be told a second time, whatever comes of this one.
            where = IN_THE_CORRECTION if wanted.subject else IN_THE_ALERT
            self._records.act(turn.claim, Wanted(_ALERT, _COMMENT).name, ActionState.DONE, where)
        try:
            action.act(told, turn.deadline, again=not is_new or turn.record.looks_first)
        except RetryLater as error:
            if is_new:
                self._records.act(turn.claim, wanted.name, ActionState.WAITING)
            if isinstance(error, NotNow):
                return _Outcome.NOT_BEGUN
            log.warning("action.unavailable", action=wanted.name, problem=str(error))
            if isinstance(error, ChannelDown):
                self._channels.failed(_name_channel(wanted), turn.record.survey_id, str(error))
            return _Outcome.LATER
        except OutcomeUnknown as error:
            log.warning("action.unknown", action=wanted.name, problem=str(error))
            return _Outcome.SETTLING if action.is_repeatable else self._end(turn, wanted, NOBODY_KNOWS)
        except Refused as error:
            return self._refused(turn, wanted, error, is_new=is_new)
        self._end(turn, wanted)
        self._channels.works(_name_channel(wanted), turn.record.survey_id)
        return _Outcome.OVER

    def _refused(self, turn: Turn, wanted: Wanted, error: Refused, *, is_new: bool) -> _Outcome:
        if not isinstance(error, Forbidden) or not self._may_be_allowed(turn):
            return self._fail(turn, wanted, str(error))
        if is_new:
            self._records.act(turn.claim, wanted.name, ActionState.WAITING)
        log.warning("dixa.forbidden", action=wanted.name, problem=str(error))
        return _Outcome.SETTLING

    def _end(self, turn: Turn, wanted: Wanted, problem: str = "") -> _Outcome:
        self._records.act(turn.claim, wanted.name, ActionState.DONE, problem)
        log.info("action.done", action=wanted.name, problem=problem or None)
        return _Outcome.OVER

    def _fail(self, turn: Turn, wanted: Wanted, problem: str) -> _Outcome:
        self._records.act(turn.claim, wanted.name, ActionState.FAILED, problem)
        log.error("action.failed", action=wanted.name, problem=problem)
        return _Outcome.OVER

    def _come_back(self, turn: Turn, outcomes: set[_Outcome]) -> None:
        """Give the lease back with something left to do."""
        if not outcomes & {_Outcome.LATER, _Outcome.SETTLING}:
            self._records.reschedule(turn.claim, _SHORT, failed=False)
            return
        # What may have happened is looked for, which needs a list that has settled.
        delay = self._timings.reconcile_after if _Outcome.SETTLING in outcomes else timedelta()
        self._records.reschedule(turn.claim, max(delay, self._pause(turn)), failed=True)

    def _finish(self, turn: Turn) -> None:
        now = self._records.load(turn.record.survey_id)
        actions = now.follow_up.actions if now and now.follow_up else {}
        failed = [name for name, each in actions.items() if each.state is ActionState.FAILED]
        if failed:
            self._die(turn, Reason.REFUSED, problem=f"failed: {', '.join(failed)}")
        else:
            self._records.followed(turn.claim)


def _looks_first(answer: AnswerProgress, left: Collection[Wanted]) -> bool:
    """Say whether anything is to be written into the conversation, or told of an answer with a comment."""
    return any(answer.has_comment or each.kind in _IN_DIXA for each in left)


def _name_channel(wanted: Wanted) -> str:
    """Name what may be down: a receiver of answers isn't that of links."""
    return f"{wanted.kind} of answers"


def _until_final(turn: Turn, answer: AnswerProgress) -> timedelta:
    """How long the answer can still be changed. The later its result is, the longer until the next look."""
    early = (answer.due_at or turn.claim.at) - turn.claim.at
    return max(_SHORT, early, min(-early, _LONG))


def _told_before(record: Record) -> Mapping[RatingType, int]:
    """Return the scores that the alert told."""
    alert = record.follow_up.actions.get(_ALERT) if record.follow_up else None
    return alert.told if alert else {}
