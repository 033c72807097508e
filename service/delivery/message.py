"""The message channel: an outbound message with the link, in the conversation itself.

The supported channels and their content types are those of Dixa's OpenAPI description, "Add message".
"""

import html
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from service.delivery.short_text import SHORT_CHANNELS, write_short_text
from service.surveys.definition import Survey
from service.surveys.errors import CallError, DeliveryRefused, OutcomeUnknown, Refused
from service.surveys.language_codes import find_language
from service.surveys.model import Record
from service.surveys.ports import Conversation, Deadline, Delivery, Dixa, Message
from service.surveys.ratings import RatingType
from service.surveys.states import OfferState
from service.texts.catalog import DEFAULT, N_, Language, load_language
from service.texts.questions import question_text

log = structlog.get_logger()

_KINDS = {
    "WidgetChat": "Text",
    "Messenger": "Text",
    "ContactForm": "Html",
    "Email": "Html",
    "Sms": "Text",
    "WhatsApp": "Markdown",
}
_CSAT = N_("How satisfied are you with the help you got? It takes less than a minute to tell us:")
"""Other ratings use the question of the page."""

_SEVERAL = N_("How was the help you got?")
_LINK = N_("Rate your support")
_EXPIRES = {"WhatsApp"}
"""Channels that accept messages only for a limited time after the customer's last one: 24 hours on WhatsApp."""

_MAX_WAIT = timedelta(milliseconds=750)
"""A delivery that has begun goes before new offers, and after answers."""

_RECLOSE_WITHIN = timedelta(hours=1)
"""For how long closing again is retried. The delivery stays unfinished meanwhile."""

_OPENS_WITHIN = timedelta(seconds=10)
"""A message opens its conversation at once. If it opened later, somebody else has opened it."""

_DUPLICATE_OR_WORSE = 400


Shorten = Callable[[Record, str], str]


class MessageDelivery(Delivery):
    """Sends the link as the assignee. The message's `externalId` makes the call idempotent.

    `shorten` makes the signed link of a record short, for SMS and WhatsApp.
    """

    name = "message"
    sends_reminders = True

    def __init__(
        self,
        dixa: Dixa,
        *,
        brand: str = "Support",
        default_language: str = DEFAULT,
        shorten: Shorten | None = None,
    ) -> None:
        self._dixa = dixa
        self._shorten = shorten
        self._brand = brand
        self._default_language = default_language

    def can_reach(self, record: Record) -> bool:
        """Return whether the channel accepts a message now, and there is an agent to send it."""
        close = record.close
        if close is None or close.channel not in _KINDS or self._agent(record) is None:
            return False
        is_expired = record.open_until is not None and record.open_until <= datetime.now(UTC)
        return not (close.channel in _EXPIRES and is_expired)

    def reconcile(self, record: Record, deadline: Deadline) -> bool:
        """Return whether the message is in the conversation. If so, close the conversation again if necessary.

        Raises a CallError: OutcomeUnknown if the conversation has yet to be closed.
        """
        messages = self._dixa.messages(self._dixa.take_slot(deadline, _MAX_WAIT), record.conversation_id)
        ours = next((each for each in messages if each.external_id == external_id(record)), None)
        if ours and not _has_reply(messages, ours):
            self._reclose(record, deadline, ours.created_at)
        return ours is not None

    def deliver(self, record: Record, link: str, deadline: Deadline) -> None:
        """Send the message. Dixa refuses a duplicate."""
        close = record.close
        agent_id = self._agent(record)
        if close is None or close.channel is None or agent_id is None:
            raise DeliveryRefused("no agent to send the message")
        kind = _KINDS[close.channel]
        try:
            self._dixa.add_message(
                self._dixa.take_slot(deadline, _MAX_WAIT),
                record.conversation_id,
                agent_id=agent_id,
                kind=kind,
                text=self._write(record, kind, link),
                external_id=external_id(record),
            )
        except Refused as error:
            # Dixa returns 400 for a duplicate, and for five other mistakes, without a code to tell them apart.
            if error.status != _DUPLICATE_OR_WORSE or not self.reconcile(record, deadline):
                raise
        else:
            self._reclose(record, deadline)

    def _reclose(self, record: Record, deadline: Deadline, sent_at: datetime | None = None) -> None:
        """Close a conversation opened by our message, if configured. `sent_at` is None for a message just sent.

        Raises OutcomeUnknown on failure: the next claim then finds the message in `reconcile` and tries again.
        """
        agent_id = self._agent(record)
        if agent_id is None or not (record.terms and record.terms.reclose):
            return
        try:
            found = self._dixa.conversation(self._dixa.take_slot(deadline, _MAX_WAIT), record.conversation_id)
            if found.state == "Open" and _is_opened_by_us(found, sent_at):
                self._dixa.close(self._dixa.take_slot(deadline, _MAX_WAIT), record.conversation_id, user_id=agent_id)
                log.info("conversation.reclosed")
        except CallError as error:
            log.warning("conversation.not_reclosed", problem=str(error))
            # The customer has the link, so a refusal here must not move the survey to another channel.
            if isinstance(error, Refused) or (sent_at and datetime.now(UTC) > sent_at + _RECLOSE_WITHIN):
                return
            raise OutcomeUnknown(f"the message is there, but its conversation isn't closed again: {error}") from error

    def _agent(self, record: Record) -> str | None:
        """Return the survey's agent for the language or for all languages, else the assignee."""
        own = record.terms.sender_in(self._language(record)).agent if record.terms else None
        return own or (record.close.agent_id if record.close else None)

    def _language(self, record: Record) -> str:
        """Return the conversation's language if there is a translation, else the default."""
        return find_language(record.offer.language) or self._default_language

    def _write(self, record: Record, kind: str, link: str) -> str:
        spoken, terms = load_language(self._language(record)), record.terms or Survey()
        channel = record.close.channel if record.close else None
        if channel in SHORT_CHANNELS:
            short = self._shorten(record, link) if self._shorten else link
            return write_short_text(terms, spoken, short, channel=channel)
        words = invitation(terms, spoken, terms.brand.name or self._brand)
        return write_message(kind, words, link, spoken)


def _has_reply(messages: Sequence[Message], ours: Message) -> bool:
    """Return whether a person has written since: then the conversation stays open. Messages are oldest first."""
    return any(not each.is_automated for each in messages[messages.index(ours) + 1 :])


def _is_opened_by_us(found: Conversation, sent_at: datetime | None) -> bool:
    return sent_at is None or found.changed_at is None or found.changed_at <= sent_at + _OPENS_WITHIN


def external_id(record: Record) -> str:
    """Return the `externalId` of a survey's message. The reminder has its own."""
    suffix = "-reminder" if record.offer.state is OfferState.REMINDING else ""
    return f"afterword-{record.survey_id}{suffix}"


def invitation(terms: Survey, spoken: Language, brand: str) -> str:
    """Return the text before the link, in the survey's own words if it has some in this language.

    For NPS and thumbs it is the question of the page. CSAT and several ratings have a text of their own.
    """
    own = terms.words_in(spoken.code)
    if own.message:
        return own.message
    if len(terms.ratings) > 1:
        return spoken.translate(_SEVERAL)
    (rating,) = terms.ratings
    if rating in own.questions:
        return own.questions[rating]
    return spoken.translate(_CSAT) if rating is RatingType.CSAT else question_text(spoken, rating, brand)


def write_message(kind: str, invitation: str, link: str, spoken: Language) -> str:
    """Write the message. White space or a quote follows the link: mail programs make a full stop part of it."""
    if kind != "Html":
        return f"{invitation} {link}"
    start = f'<p dir="{spoken.direction}">'
    words, name = html.escape(invitation, quote=False), html.escape(spoken.translate(_LINK), quote=False)
    return f'{start}{words}</p>{start}<a href="{html.escape(link)}">{name}</a></p>'
