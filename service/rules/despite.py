"""The rules that an operator may lift for one conversation, by changing its survey's terms."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from service.surveys.definition import OnReclose, Survey
from service.surveys.model import Close
from service.surveys.reasons import Reason

Lift = Callable[[Survey], Survey]


def _terms(**changed: Any) -> Lift:
    return lambda survey: replace(survey, **changed)


def _match(**changed: Any) -> Lift:
    return lambda survey: replace(survey, match=replace(survey.match, **changed))


DELAY, SEND_WINDOW = "delay", "send_window"
"""Two rules that only postpone a survey, so they are no reasons."""

_LIFTS: Final[Mapping[str, Lift]] = {
    DELAY: _terms(delay=timedelta(), delays={}),
    SEND_WINDOW: _terms(send_window=None),
    Reason.ASKED_RECENTLY: _terms(cooldown=timedelta()),
    Reason.DAILY_CAP: _terms(daily_cap=0),
    Reason.CLOSED_AGAIN: _terms(on_reclose=OnReclose.ALWAYS),
    Reason.BEFORE_START: _terms(not_before=None),
    Reason.CHANNEL: _match(channels=()),
    Reason.QUEUE: _match(queues=()),
    Reason.CONTACT_POINT: _match(contact_points=()),
    Reason.DIRECTION: _match(directions=()),
    Reason.USER_TYPE: _match(user_types=()),
    Reason.ASSIGNEE_TYPE: _match(assignee_types=()),
    Reason.LANGUAGE: _match(languages=()),
    Reason.TAG_EXCLUDED: _match(without_tags=()),
    Reason.TAG_MISSING: _match(with_tags=()),
    Reason.ADDRESS: _match(addresses=(), without_addresses=()),
    Reason.UNASSIGNED: _match(assigned=False),
    Reason.NOT_SAMPLED: _match(sample=1.0),
    Reason.FEW_CUSTOMER_MESSAGES: _match(min_customer_messages=0),
    Reason.FEW_AGENT_MESSAGES: _match(min_agent_messages=0),
}

RULES: Final = (*map(str, _LIFTS), str(Reason.TOO_LATE))
"""Never lifted: an opt-out, a rating in Dixa, members and machines, and whatever makes a survey impossible."""


def lift(surveys: Sequence[Survey], rules: Iterable[str], close: Close, now: datetime) -> tuple[Survey, ...]:
    """Return the surveys without these rules, for this close."""
    lifted = tuple(surveys)
    # A survey is too late by the time since its delay was over. With this delay, it is over now.
    over_now = _terms(delay=max(now - close.closed_at, timedelta()), delays={})
    for rule in sorted(rules, key=str(Reason.TOO_LATE).__eq__):
        lifted = tuple(map(_LIFTS.get(rule, over_now), lifted))
    return lifted
