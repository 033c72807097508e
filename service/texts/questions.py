"""Questions and answer options in English. Pages, e-mails and messages share them.

The catalogs in `service/texts/translations` translate them. Each is a whole sentence with named placeholders, without
markup.
"""

from collections.abc import Mapping
from datetime import date
from typing import Final

from service.surveys.ratings import RatingType
from service.texts.catalog import N_, Language

QUESTION: Final[Mapping[RatingType, str]] = {
    RatingType.CSAT: N_("How satisfied are you with the help you got?"),
    RatingType.NPS: N_("How likely are you to recommend %(brand)s to a friend?"),
    RatingType.THUMBS: N_("Did we solve your problem?"),
}
SCALE_HINT: Final[Mapping[RatingType, str]] = {
    RatingType.NPS: N_("0 means not at all likely, 10 means extremely likely"),
}
OPTIONS: Final[Mapping[RatingType, Mapping[int, str]]] = {
    RatingType.CSAT: {
        1: N_("Very dissatisfied"),
        2: N_("Dissatisfied"),
        3: N_("Neutral"),
        4: N_("Satisfied"),
        5: N_("Very satisfied"),
    },
    RatingType.NPS: {score: str(score) for score in RatingType.NPS.scores},
    RatingType.THUMBS: {1: N_("Yes"), 0: N_("No")},
}
"""Answer options in display order."""

_ABOUT_DATED: Final[Mapping[str, str]] = {
    "chat": N_("Your chat with support on %(date)s"),
    "e-mail": N_("Your e-mail conversation with support on %(date)s"),
    "call": N_("Your call with support on %(date)s"),
    "message": N_("Your messages with support on %(date)s"),
    "conversation": N_("Your conversation with support on %(date)s"),
}
_ABOUT: Final[Mapping[str, str]] = {
    "chat": N_("Your chat with support"),
    "e-mail": N_("Your e-mail conversation with support"),
    "call": N_("Your call with support"),
    "message": N_("Your messages with support"),
    "conversation": N_("Your conversation with support"),
}
_CHANNEL_KIND: Final[Mapping[str, str]] = {
    "WidgetChat": "chat",
    "Chat": "chat",
    "Email": "e-mail",
    "ContactForm": "e-mail",
    "PstnPhone": "call",
    "Phone": "call",
    "Messenger": "message",
    "FacebookMessenger": "message",
    "WhatsApp": "message",
    "Sms": "message",
}
"""Customers' words for Dixa's channels (in its API's spelling). Any other channel is a conversation."""


def question_text(language: Language, rating: RatingType, brand: str) -> str:
    """Return the question of a rating type."""
    return language.translate(QUESTION[rating], brand=brand)


def option_texts(language: Language, rating: RatingType) -> dict[int, str]:
    """Return the answer options by score."""
    return {score: language.translate(text) for score, text in OPTIONS[rating].items()}


def conversation_text(language: Language, channel: str | None, closed_on: date | None) -> str:
    """Return a line about the conversation, without names or quotes. `channel` is in Dixa's API spelling."""
    kind = _CHANNEL_KIND.get(channel or "", "conversation")
    if closed_on is None:
        return language.translate(_ABOUT[kind])
    return language.translate(_ABOUT_DATED[kind], date=language.format_date(closed_on))
