"""What is asked, and what can be answered: the words that page, e-mail and message share, in English.

Texts of the catalogs in `service/texts/translations`: whole sentences with named places, and nothing in here is markup.
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
"""The answers to choose from, in the order shown."""

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
"""Dixa's channels, in its API's spelling, as a customer would call them; any other is a conversation."""


def say_question(language: Language, rating: RatingType, brand: str) -> str:
    """Ask it in a language."""
    return language.say(QUESTION[rating], brand=brand)


def say_options(language: Language, rating: RatingType) -> dict[int, str]:
    """Give the answers to choose from, by score."""
    return {score: language.say(text) for score, text in OPTIONS[rating].items()}


def say_about(language: Language, channel: str | None, closed_on: date | None) -> str:
    """Say which conversation this is about, naming nobody and quoting nothing. `channel` is in Dixa's API spelling."""
    kind = _CHANNEL_KIND.get(channel or "", "conversation")
    if closed_on is None:
        return language.say(_ABOUT[kind])
    return language.say(_ABOUT_DATED[kind], date=language.date(closed_on))
