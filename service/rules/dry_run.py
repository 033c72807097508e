"""A dry run of the rules on closed conversations. Writes nothing.

The decision is the journey's own. Its facts come from Dixa's API, with fewer facts than a webhook.
A rule without its fact counts as met, and the result names it in `unknown`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from service.rules.decision import DecisionInput, Lookups, decide
from service.rules.looked_up import close_of
from service.rules.matching import Choice, choose_at_close, find_exclusion
from service.surveys.definition import Survey
from service.surveys.match import Match
from service.surveys.model import Close, OfferProgress, Record
from service.surveys.ports import Conversation, Rating
from service.surveys.reasons import Reason
from service.surveys.states import OfferState


@dataclass(frozen=True, slots=True)
class DryRunResult:
    """The decision on one conversation: `reason` is None if its survey would be sent.

    `unknown` names those of its rules without a fact in the API. The decision holds if they are met.
    `identities` are those of the requester.
    """

    closed_at: datetime
    due_at: datetime
    identities: tuple[str, ...]
    survey: Survey | None = None
    reason: Reason | None = None
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DryRun:
    """The surveys to try. `queue_names` are by id, `own_addresses` are those of our own mailboxes."""

    surveys: Sequence[Survey]
    queue_names: Mapping[str, str]
    own_addresses: Collection[str]

    def judge(
        self, conversation: Conversation, lookups: Lookups, ratings: Callable[[], Sequence[Rating]], ours: Sequence[str]
    ) -> DryRunResult | None:
        """Decide as if the conversation had just closed. Return None if the API has no time of the close.

        `ours` are Afterword's own rating ids. `ratings` queries Dixa, so it is called only if needed.
        """
        if conversation.changed_at is None:
            return None
        close = close_of(conversation, self.queue_names.get(conversation.queue_id or ""), conversation.changed_at)
        unknown = {survey.name: _unknown_rules(survey.match, close) for survey in self.surveys}
        # `not_before` is left out: a dry run is about conversations to come.
        supposed = [replace(_as_if_met(survey, unknown[survey.name]), not_before=None) for survey in self.surveys]
        identities = tuple(filter(None, (close.requester_id, close.email and close.email.casefold())))
        choice = choose_at_close(close, supposed, self.own_addresses)
        exclusion = find_exclusion(conversation)
        if exclusion or not choice.candidates:
            # An anonymised conversation has lost the facts for the rules.
            reason = exclusion if conversation.is_erased else choice.reason or exclusion
            return DryRunResult(close.closed_at, close.closed_at, identities, reason=reason)
        record = _record_of(close, conversation, choice)
        due_at = close.closed_at + min(survey.delay for survey in record.candidates)
        decision = decide(DecisionInput(record, close, conversation, ratings(), ours, due_at), lookups)
        survey, reason = decision.survey, decision.reason
        rules = unknown[survey.name] if survey else ()
        if survey and reason is Reason.UNREACHABLE and close.email is None and "email" in survey.deliver:
            rules = (*rules, "deliver")
        return DryRunResult(close.closed_at, max(due_at, decision.due_at or due_at), identities, survey, reason, rules)


def _unknown_rules(match: Match, close: Close) -> tuple[str, ...]:
    """Return the rules with a fact in webhooks only. Without an agent there is no assignee of any type."""
    is_known = {
        "contact_points": close.contact_point is not None,
        "user_types": False,
        "assignee_types": close.agent_id is None,
        "addresses": close.email is not None,
    }
    return tuple(rule for rule, known in is_known.items() if not known and getattr(match, rule))


def _as_if_met(survey: Survey, rules: Sequence[str]) -> Survey:
    no_rule: Any = dict.fromkeys(rules, ())
    return replace(survey, match=replace(survey.match, **no_rule))


def _record_of(close: Close, conversation: Conversation, choice: Choice) -> Record:
    candidates = tuple(survey.for_channel(close.channel) for survey in choice.candidates)
    return Record(
        survey_id=str(close.conversation_id),
        conversation_id=close.conversation_id,
        accepted_at=close.closed_at,
        close=close,
        terms=None,
        offer=OfferProgress(OfferState.DECIDING, language=conversation.language or ""),
        candidates=candidates,
        mismatches=choice.mismatches,
    )
