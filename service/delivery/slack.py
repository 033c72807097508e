"""Alerts for Slack, and for programs with the same incoming webhooks (Mattermost, Rocket.Chat, Zulip …).

These webhooks are not idempotent, so an alert is sent at most once, even if the response is lost.
"""

import json
import re
from datetime import timedelta

from service.delivery.answer_text import describe, describe_scores, quote
from service.delivery.outbound import Outbound
from service.surveys.ports import Action, Deadline, FollowUpContext

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "@\u200b", "]": "]\u200b"})

_MAX_LENGTH = 4000
"""In characters, escapes included. Slack splits or refuses a longer message."""

_CUT = "…\nThe comment is longer: see the rating in Dixa."


def escape(text: str) -> str:
    """Return text in which nothing mentions anybody or hides a link, cut to what Slack takes."""
    escaped = text.translate(_ESCAPES)
    return escaped if len(escaped) <= _MAX_LENGTH else re.sub("&[a-z]*$", "", escaped[: _MAX_LENGTH - 1]) + "…"


class SlackAlert(Action):
    """Reports an answer at once, while the customer can still change it."""

    kind = "slack"
    is_immediate = True
    is_repeatable = False
    max_age = timedelta(days=1)

    def __init__(self, url: str) -> None:
        self._outbound = Outbound(url)

    def act(self, context: FollowUpContext, deadline: Deadline, *, is_retry: bool) -> None:
        """Post the alert, its correction, or a later comment."""
        text = _WRITERS[context.subject](context)
        self._outbound.post(json.dumps({"text": text}).encode(), {}, deadline)


def write_alert(context: FollowUpContext) -> str:
    """Return the scores, and the comment or a hint at it."""
    return _write(describe(context), context)


def write_comment(context: FollowUpContext) -> str:
    """Return a later comment. Before a retry it may be deleted here, and be only in Dixa."""
    return _write(f"A comment was added{'.' if context.comment else ': see the rating in Dixa.'}", context)


def write_correction(context: FollowUpContext) -> str:
    """Return the final scores, those of the alert, and a later comment."""
    now, before = describe_scores(context.record.answered.scores), describe_scores(context.before)
    return _write(f"The customer changed the answer. Now: {now}. The alert said: {before}.", context)


_WRITERS = {"": write_alert, "comment": write_comment, "correction": write_correction}
"""By subject."""


def _write(said: str, context: FollowUpContext) -> str:
    """Return our own words, then the comment, so that a comment mentions nobody and hides no link.

    Slack needs its three control characters escaped. Other programs mention a name after @ and hide links in
    [words](link), so a zero-width space follows @ and ].
    """
    record = context.record
    agent = record.close.agent_id if record.close else None
    facts = (
        f"conversation {record.conversation_id}",
        *((f"survey {record.terms.name}",) if record.terms else ()),
        *((f"agent {agent}",) if agent else ()),
    )
    text = f"{said}\n{', '.join(facts)}{quote(context.comment)}".translate(_ESCAPES)
    return _cut(re.sub("(?m)^&gt; ", "> ", text))  # Our own quote marks.


def _cut(text: str) -> str:
    """Cut a long text, but never inside an escape. The comment comes last, so only the comment is cut."""
    if len(text) <= _MAX_LENGTH:
        return text
    return re.sub("&[a-z]*$", "", text[: _MAX_LENGTH - len(_CUT)]) + _CUT
