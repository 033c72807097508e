"""Every word that a customer reads, in English: the one place to look at when the page is to speak more languages.

Whole sentences with named places, never pieces to be joined, so that each can become a gettext message as it stands.
Only `date_text` is more than a constant. Nothing in here is markup: the templates escape it all.
"""

from collections.abc import Mapping
from datetime import date
from typing import Final

from config.surveys import RatingType

LANGUAGE: Final = "en"
MOST_CHARACTERS: Final = 2000

TITLE: Final = "Rate your support"
TITLE_WITH_ERROR: Final = "Error: Rate your support"

QUESTION: Final[Mapping[RatingType, str]] = {
    RatingType.CSAT: "How satisfied are you with the help you got?",
    RatingType.NPS: "How likely are you to recommend {brand} to a friend?",
    RatingType.THUMBS: "Did we solve your problem?",
}
SCALE_HINT: Final[Mapping[RatingType, str]] = {
    RatingType.NPS: "0 means not at all likely, 10 means extremely likely",
}
OPTIONS: Final[Mapping[RatingType, Mapping[int, str]]] = {
    RatingType.CSAT: {1: "Very dissatisfied", 2: "Dissatisfied", 3: "Neutral", 4: "Satisfied", 5: "Very satisfied"},
    RatingType.NPS: {score: str(score) for score in RatingType.NPS.scores},
    RatingType.THUMBS: {1: "Yes", 0: "No"},
}
"""The answers to choose from, in the order shown."""

CONTEXT: Final[Mapping[str, str]] = {
    "chat": "Your chat with support on {date}",
    "e-mail": "Your e-mail conversation with support on {date}",
    "call": "Your call with support on {date}",
    "message": "Your messages with support on {date}",
    "conversation": "Your conversation with support on {date}",
}
CONTEXT_WITHOUT_DATE: Final[Mapping[str, str]] = {
    "chat": "Your chat with support",
    "e-mail": "Your e-mail conversation with support",
    "call": "Your call with support",
    "message": "Your messages with support",
    "conversation": "Your conversation with support",
}
CHANNEL_KIND: Final[Mapping[str, str]] = {
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

SEVERAL: Final = "Answer at least one question. You can leave the others out."
COMMENT_LABEL: Final = "What is the main reason for your rating? (optional)"
COMMENT_LABEL_AFTER: Final = "Anything you would like to add? (optional)"
COMMENT_HINT: Final = "Please leave out card numbers and passwords. Up to 2,000 characters."
COMMENT_KEPT: Final = "Leave this empty to keep the comment you already sent."
SEND: Final = "Send feedback"
ADD_COMMENT: Final = "Add comment"
NOT_SAVED_YET: Final = "You chose “{answer}”. It is not saved yet."
CONFIRM: Final = "Confirm rating"
HONEYPOT: Final = "Leave this field empty"

PROBLEM: Final = "There is a problem"
ERROR_PREFIX: Final = "Error:"
NOT_CHOSEN: Final[Mapping[RatingType, str]] = {
    RatingType.CSAT: "Choose how satisfied you are",
    RatingType.NPS: "Choose how likely you are to recommend us",
    RatingType.THUMBS: "Choose whether we solved your problem",
}
NOTHING_CHOSEN: Final = "Answer at least one question"
COMMENT_TOO_LONG: Final = "Your comment must be 2,000 characters or fewer"
NOT_SAVED: Final = "Your answer is not saved. Please try again."

THANKS: Final = "Thank you for your feedback"
ANSWER_SAVED: Final = "Your answer “{answer}” is saved."
ANSWERS_SAVED: Final = "Your answers are saved."
COMMENT_SAVED: Final = "Your comment is saved too. You can close this page."
CHANGE: Final = "Change your answer"
RECORDED: Final = "Your answer is recorded. It can no longer be changed."
NOT_CHANGED: Final = "Your earlier answer was already recorded, so it was not changed."
CLOSE_PAGE: Final = "You can close this page."

CLOSED: Final = "This survey has closed"
CLOSED_WHY: Final[Mapping[str, str]] = {
    "expired": "The link to this survey has expired.",
    "cancelled": "This survey was withdrawn, so there is nothing you need to do.",
    "erased": "What we kept for this survey has been deleted.",
}
NOT_FOUND: Final = "This link does not work"
NOT_FOUND_WHY: Final = "Please check that you opened the whole link, exactly as you received it."
STILL_NEED_HELP: Final = "If you still need help, we would like to hear from you."
REACH_US_AS_BEFORE: Final = "If you still need help, please contact us the way you did before."
CONTACT: Final = "Contact our support team"

PRIVACY: Final = (
    "Taking part is up to you. {brand} uses your answer to improve its support. Your answer is linked to this "
    "conversation and the support team can see it. No cookies, no tracking."
)
PRIVACY_LINK: Final = "Privacy notice"


def date_text(day: date) -> str:
    """Write a date as "12 May 2026"."""
    return f"{day.day} {day:%B %Y}"
