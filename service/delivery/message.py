"""The message channel: an outbound message with the link, in the conversation itself.

Channels that take one and the content types they take are those of Dixa's OpenAPI description, "Add message".
"""

import html
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from service.delivery.short_text import SHORT_CHANNELS, write_short_text
from service.surveys.definition import Survey
from service.surveys.errors import CallError, DeliveryRefused, OutcomeUnknown, Refused
from service.surveys.language_codes import find_language
from service.surveys.model import OfferState, Record
from service.surveys.ports import Conversation, Deadline, Message, Slot
from service.surveys.ratings import RatingType
from service.texts.catalog import DEFAULT, N_, Language, language
from service.texts.questions import say_question

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
"""What else is asked is asked as on the page."""

_SEVERAL = N_("How was the help you got?")
_LINK = N_("Rate your support")
_CLOSES = {"WhatsApp"}
"""These take messages for some time only after the customer's last one: 24 hours (WhatsApp)."""

_MAX_WAIT = timedelta(milliseconds=750)
"""A look at a delivery that was begun goes before new offers, and after answers."""

_CLOSE_WITHIN = timedelta(hours=1)
"""For how long closing again is tried; the delivery isn't over until then."""

_OPENS_WITHIN = timedelta(seconds=10)
"""What a message opens it opens at once; what was opened later, somebody else has opened."""

_DUPLICATE_OR_WORSE = 400


class Messages(Protocol):
    """What this channel needs of Dixa."""

    def take_slot(self, deadline: Deadline, max_wait: timedelta) -> Slot:
        """Take a turn of the shared pace."""

    def messages(self, slot: Slot, conversation_id: int) -> tuple[Message, ...]:
        """List a conversation's messages."""

    def add_message(
        self, slot: Slot, conversation_id: int, *, agent_id: str, kind: str, text: str, external_id: str
    ) -> None:
        """Add an outbound message, unless there is one with this `external_id`: that is refused with 400."""

    def conversation(self, slot: Slot, conversation_id: int) -> Conversation:
        """Look at a conversation."""

    def close(self, slot: Slot, conversation_id: int, *, user_id: str) -> None:
        """Close a conversation."""


Shorten = Callable[[Record, str], str]


class MessageDelivery:
    """Sends the link as the assignee; the message's `externalId` keeps it from being sent twice.

    `shorten` makes a record's signed link short, for texts; without it they have the signed one.
    """

    name = "message"
    reminds = True

    def __init__(
        self,
        dixa: Messages,
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
        """An outbound message needs a channel that takes one, and still does, and an agent to send it."""
        close = record.close
        if close is None or close.channel not in _KINDS or self._agent(record) is None:
            return False
        is_closed = record.open_until is not None and record.open_until <= datetime.now(UTC)
        return not (close.channel in _CLOSES and is_closed)

    def reconcile(self, record: Record, deadline: Deadline) -> bool:
        """Look for the message in the conversation, and close that again if it is still to be done.

        Raises a CallError, OutcomeUnknown when it could not be closed and is to be tried again.
        """
        messages = self._dixa.messages(self._dixa.take_slot(deadline, _MAX_WAIT), record.conversation_id)
        ours = next((each for each in messages if each.external_id == external_id(record)), None)
        if ours and not _is_followed(messages, ours):
            self._close_again(record, deadline, ours.created_at)
        return ours is not None

    def deliver(self, record: Record, link: str, deadline: Deadline) -> None:
        """Send the message. A second one Dixa refuses."""
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
            # A duplicate is a 400, and so are five other causes, with nothing to tell them apart.
            if error.status != _DUPLICATE_OR_WORSE or not self.reconcile(record, deadline):
                raise
        else:
            self._close_again(record, deadline)

    def _close_again(self, record: Record, deadline: Deadline, sent_at: datetime | None = None) -> None:
        """Close a conversation that our message has opened, if that is wanted; a message just sent has no `sent_at`.

        Raises OutcomeUnknown when that is to be tried again: the next claim finds the message, and comes here.
        """
        agent_id = self._agent(record)
        if agent_id is None or not (record.terms and record.terms.close_again):
            return
        try:
            found = self._dixa.conversation(self._dixa.take_slot(deadline, _MAX_WAIT), record.conversation_id)
            if found.state == "Open" and _is_opened_by_us(found, sent_at):
                self._dixa.close(self._dixa.take_slot(deadline, _MAX_WAIT), record.conversation_id, user_id=agent_id)
                log.info("conversation.reclosed")
        except CallError as error:
            log.warning("conversation.not_reclosed", problem=str(error))
            # The link is with the customer: a refusal here must not send it by another channel.
            if isinstance(error, Refused) or (sent_at and datetime.now(UTC) > sent_at + _CLOSE_WITHIN):
                return
            raise OutcomeUnknown(f"the message is there, but its conversation isn't closed again: {error}") from error

    def _agent(self, record: Record) -> str | None:
        """Say who sends it: the survey's agent for the language, or for all, else the assignee."""
        own = record.terms.sender_in(self._language(record)).agent if record.terms else None
        return own or (record.close.agent_id if record.close else None)

    def _language(self, record: Record) -> str:
        """Take the conversation's language, if it is one of ours."""
        return find_language(record.offer.language) or self._default_language

    def _write(self, record: Record, kind: str, link: str) -> str:
        spoken, terms = language(self._language(record)), record.terms or Survey()
        channel = record.close.channel if record.close else None
        if channel in SHORT_CHANNELS:
            short = self._shorten(record, link) if self._shorten else link
            return write_short_text(terms, spoken, short, channel=channel)
        words = invitation(terms, spoken, terms.brand.name or self._brand)
        return write_message(kind, words, link, spoken)


def _is_followed(messages: Sequence[Message], ours: Message) -> bool:
    """Say whether somebody has written after us: then the conversation is theirs. The oldest message comes first."""
    return any(not each.is_automated for each in messages[messages.index(ours) + 1 :])


def _is_opened_by_us(found: Conversation, sent_at: datetime | None) -> bool:
    return sent_at is None or found.changed_at is None or found.changed_at <= sent_at + _OPENS_WITHIN


def external_id(record: Record) -> str:
    """Name a survey's message in Dixa; its reminder is another one."""
    suffix = "-reminder" if record.offer.state is OfferState.REMINDING else ""
    return f"afterword-{record.survey_id}{suffix}"


def invitation(terms: Survey, spoken: Language, brand: str) -> str:
    """Ask what the page asks: in the survey's own words, if it has some in this language."""
    own = terms.words_in(spoken.code)
    if own.message:
        return own.message
    if len(terms.ratings) > 1:
        return spoken.say(_SEVERAL)
    (rating,) = terms.ratings
    if rating in own.questions:
        return own.questions[rating]
    return spoken.say(_CSAT) if rating is RatingType.CSAT else say_question(spoken, rating, brand)


def write_message(kind: str, invitation: str, link: str, spoken: Language) -> str:
    """Write the message. The link ends at white space or a quote, never at a full stop."""
    if kind != "Html":
        return f"{invitation} {link}"
    start = f'<p dir="{spoken.direction}">'
    words, name = html.escape(invitation, quote=False), html.escape(spoken.say(_LINK), quote=False)
    return f'{start}{words}</p>{start}<a href="{html.escape(link)}">{name}</a></p>'
