"""The follow-up of an answer: alerts at once; notes, tags and webhooks once it can't be changed any more.

    answered → alert → (editable time is over) → correction, note, tags, webhook → done

If scores or comment change after the alert, a second one follows. Before a suspect answer is final, nothing follows.
An anonymised conversation has no follow-up: it is fetched before an action writes into it or passes on a comment.

The follow-up is a journey of its own, so it delays no result. Each action is on record as begun before it is done.
After a lost response, an action with `is_repeatable` is repeated and may happen twice. Any other may be lost.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from service.journeys.answer import latest_final_at
from service.journeys.attempt import Attempt
from service.journeys.next_step import Done, Fail, Next, Wait
from service.records.channels import Channels, name_receiver
from service.records.outcomes import StaleClaim
from service.records.records import Records
from service.surveys.definition import Survey
from service.surveys.errors import ChannelDown, Forbidden, NotNow, OutcomeUnknown, Refused, RetryLater
from service.surveys.model import AnswerProgress, FollowUp, Record
from service.surveys.ports import Action, FollowUpContext
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import ActionState, AnswerState, Journey

log = structlog.get_logger()

OUTCOME_UNKNOWN = "outcome unknown"
TOO_LONG = "tried for too long"
NOT_SET_UP = "no longer set up"
IN_THE_ALERT = "part of the alert"
IN_THE_CORRECTION = "part of the correction"

_ALERT = "slack"
_COMMENT = "comment"
"""The subject of a second alert, for a later comment."""
_CORRECTION = "correction"
"""The subject of a second alert, for changed scores."""

_IN_DIXA = ("note", "tag")
"""Actions within the conversation."""

_MIN_WAIT = timedelta(seconds=1)
_MAX_WAIT = timedelta(minutes=5)
"""Limits of the wait for an answer to become final."""


@dataclass(frozen=True, slots=True)
class PlannedAction:
    """An action to be done. `subject` distinguishes actions of the same kind."""

    kind: str
    subject: str = ""
    shows_comment: bool = False

    @property
    def name(self) -> str:
        """The name of the action in the record."""
        return f"{self.kind}:{self.subject}" if self.subject else self.kind


_COMMENT_ALERT = PlannedAction(_ALERT, _COMMENT, shows_comment=True)


def plan_actions(terms: Survey, scores: Mapping[RatingType, int]) -> Iterator[PlannedAction]:
    """Yield the actions for these scores, each once."""
    found = [each for each in terms.on_answer if each.matches(scores)]
    for kind in (_ALERT, "note", "webhook"):
        those = [each for each in found if getattr(each, kind)]
        if those:
            # The webhook goes to the team's own receiver, so it always contains the comment.
            yield PlannedAction(kind, shows_comment=kind == "webhook" or any(each.comment for each in those))
    yield from (PlannedAction("tag", tag) for tag in dict.fromkeys(each.tag for each in found if each.tag))


def plan_corrections(
    planned: Collection[PlannedAction], answer: AnswerProgress, progress: FollowUp
) -> Iterator[PlannedAction]:
    """Yield the second alerts: for changed scores, a later comment, or both in one message."""
    alert = progress.actions.get(_ALERT)
    if alert is None or alert.state not in (ActionState.BEGUN, ActionState.DONE):
        return  # An alert that wasn't sent yet will contain all of it.
    if all(each.kind != _ALERT for each in planned):
        yield PlannedAction(_ALERT)  # Its worker may have ended while sending it. Then it ends here and counts as sent.
    shows_comment = answer.has_comment and any(each.kind == _ALERT and each.shows_comment for each in planned)
    has_changed = bool(alert.sent_scores) and alert.sent_scores != answer.answer.scores
    comment = progress.actions.get(_COMMENT_ALERT.name)
    is_comment_new = comment is None or comment.problem == IN_THE_CORRECTION
    if has_changed:
        yield PlannedAction(_ALERT, _CORRECTION, shows_comment=shows_comment and is_comment_new)
    if shows_comment and not (has_changed and is_comment_new):
        yield _COMMENT_ALERT


class FollowUpJourney:
    """Does each action once, as far as its receiver allows."""

    journey = Journey.FOLLOW_UP
    max_wait = timedelta(seconds=1)

    def __init__(self, records: Records, *, actions: Sequence[Action], channels: Channels) -> None:
        self._records = records
        self._channels = channels
        self._actions = {action.kind: action for action in actions}

    def advance(self, attempt: Attempt) -> Next:
        """Do all due actions."""
        record = attempt.record
        answer, progress, terms = record.answer, record.follow_up, record.terms
        if answer is None or progress is None or terms is None:
            # Redis may have lost the terms since the answer. The next close of this survey stores them again.
            raise StaleClaim("its answer or its terms are lost")
        final_at = latest_final_at(record, answer)
        since = max(final_at, progress.retried_at or final_at)
        due = self._find_due(terms, answer, progress)
        left = [each for each in due if self._end_if_over(attempt, progress, each, since) is None]
        ready = [each for each in left if self._channels.wait(name_receiver(each.kind), record.survey_id) is None]
        # An action of these writes into the conversation, or may pass on a comment.
        if any(answer.has_comment or each.kind in _IN_DIXA for each in ready):
            attempt.refuse_erased()
        steps = [self._begin(attempt, each) for each in ready]
        if len(ready) < len(left):
            steps.append(Wait(attempt.backoff(), is_failure=True))
        waits = [each for each in steps if isinstance(each, Wait)]
        if waits:
            # For all of them at once: whichever needs the longest decides.
            return Wait(max(each.delay for each in waits), any(each.is_failure for each in waits))
        if answer.state is AnswerState.EDITABLE:
            return Wait(_until_final(attempt, answer))
        return self._finish(attempt)

    def _find_due(self, terms: Survey, answer: AnswerProgress, progress: FollowUp) -> list[PlannedAction]:
        """Return the due actions. Retries come last.

        A slow receiver must not keep the others waiting.
        """
        planned = list(plan_actions(terms, answer.answer.scores))
        if answer.state is not AnswerState.EDITABLE:
            due = [*planned, *plan_corrections(planned, answer, progress)]
        elif answer.is_suspect:
            due = []
        else:
            immediate = {kind for kind, action in self._actions.items() if action.is_immediate}
            due = [each for each in planned if each.kind in immediate]
        return sorted(due, key=lambda each: each.name in progress.actions)

    def _end_if_over(
        self, attempt: Attempt, progress: FollowUp, planned: PlannedAction, since: datetime
    ) -> Done | None:
        """End an action that gets no further try. Return None if it gets one."""
        before, action = progress.actions.get(planned.name), self._actions.get(planned.kind)
        if before and before.is_over:
            return Done()
        if action is None:
            return self._fail(attempt, planned, NOT_SET_UP)
        if before and before.state is ActionState.BEGUN and not action.is_repeatable:
            return self._end(attempt, planned, OUTCOME_UNKNOWN)
        # An action gets its first try however late that is.
        within = action.max_age or attempt.timings.answer_max_age
        if before and attempt.is_late(within, lambda longest: attempt.at > since + longest):
            return self._fail(attempt, planned, TOO_LONG)
        return None

    def _begin(self, attempt: Attempt, planned: PlannedAction) -> Done | Wait:
        """Begin an action and do it, unless the claim has no time left or the receiver is down."""
        if not attempt.has_time():
            return Wait(_MIN_WAIT)
        if self._channels.begin(name_receiver(planned.kind), attempt.record.survey_id):
            return Wait(attempt.backoff(), is_failure=True)
        record = attempt.record
        context = FollowUpContext(record, planned.subject, planned.shows_comment, _sent_scores(record))
        if planned.kind == _ALERT and planned.subject != _COMMENT and context.comment:
            # Before the alert begins: the comment must not be sent twice, even if this alert's outcome stays unknown.
            where = IN_THE_CORRECTION if planned.subject else IN_THE_ALERT
            self._records.set_action(attempt.claim, _COMMENT_ALERT.name, ActionState.DONE, where)
        scores = record.answered.scores if planned.name == _ALERT else None
        is_new = self._records.set_action(attempt.claim, planned.name, ActionState.BEGUN, sent_scores=scores)
        return self._act(attempt, planned, context, is_new=is_new)

    def _act(self, attempt: Attempt, planned: PlannedAction, context: FollowUpContext, *, is_new: bool) -> Done | Wait:
        action, record = self._actions[planned.kind], attempt.record
        try:
            action.act(context, attempt.deadline, is_retry=not is_new or record.reconcile_first)
        except OutcomeUnknown as error:
            log.warning("action.unknown", action=planned.name, problem=str(error))
            if action.is_repeatable:
                return Wait(attempt.reconcile_backoff(), is_failure=True)
            return self._end(attempt, planned, OUTCOME_UNKNOWN)
        except (RetryLater, Refused) as error:
            return self._not_done(attempt, planned, error, is_new=is_new)
        done = self._end(attempt, planned)
        self._channels.works(name_receiver(planned.kind), record.survey_id)
        return done

    def _not_done(
        self, attempt: Attempt, planned: PlannedAction, error: RetryLater | Refused, *, is_new: bool
    ) -> Done | Wait:
        """Wait, or fail after a refusal. A call that was forbidden may be allowed soon."""
        if isinstance(error, Refused) and not (isinstance(error, Forbidden) and attempt.may_be_allowed()):
            return self._fail(attempt, planned, str(error))
        if is_new:
            self._records.set_action(attempt.claim, planned.name, ActionState.WAITING)
        match error:
            case NotNow():
                return Wait(_MIN_WAIT)
            case Forbidden():
                log.warning("call.forbidden", action=planned.name, problem=str(error))
                return Wait(attempt.reconcile_backoff(), is_failure=True)
            case ChannelDown():
                self._channels.failed(name_receiver(planned.kind), attempt.record.survey_id, str(error))
        log.warning("action.unavailable", action=planned.name, problem=str(error))
        return Wait(attempt.backoff(), is_failure=True)

    def _end(self, attempt: Attempt, planned: PlannedAction, problem: str = "") -> Done:
        self._records.set_action(attempt.claim, planned.name, ActionState.DONE, problem)
        log.info("action.done", action=planned.name, problem=problem or None)
        return Done()

    def _fail(self, attempt: Attempt, planned: PlannedAction, problem: str) -> Done:
        self._records.set_action(attempt.claim, planned.name, ActionState.FAILED, problem)
        log.error("action.failed", action=planned.name, problem=problem)
        return Done()

    def _finish(self, attempt: Attempt) -> Next:
        now = self._records.load(attempt.record.survey_id)
        actions = now.follow_up.actions if now and now.follow_up else {}
        failed = [name for name, each in actions.items() if each.state is ActionState.FAILED]
        if failed:
            return Fail(Reason.REFUSED, f"failed: {', '.join(failed)}")
        self._records.followed(attempt.claim)
        return Done()


def _until_final(attempt: Attempt, answer: AnswerProgress) -> timedelta:
    """Return how long the answer can still be changed. The longer its result is overdue, the longer the wait."""
    early = (answer.due_at or attempt.at) - attempt.at
    return max(_MIN_WAIT, early, min(-early, _MAX_WAIT))


def _sent_scores(record: Record) -> Mapping[RatingType, int]:
    """Return the scores of the first alert."""
    alert = record.follow_up.actions.get(_ALERT) if record.follow_up else None
    return alert.sent_scores if alert else {}
