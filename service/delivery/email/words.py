"""The texts of the survey e-mail, in English, as catalog entries of `service/texts/translations`.

Each text is a whole sentence with named placeholders and without markup: the template escapes all of it. The texts
shared with the page are in `service.texts.questions`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from service.surveys.ratings import RatingType
from service.surveys.words import NEUTRAL
from service.surveys.words import Words as OwnWords
from service.texts.catalog import N_, Language
from service.texts.questions import SCALE_HINT, conversation_text, option_texts, question_text

SUBJECT: Final = N_("How was the help you got?")
# Translators: shown by mail programs in the list of e-mails, after the subject.
PREVIEW: Final = N_("It takes two taps and less than a minute.")

GREETING: Final = N_("Hello,")
NEXT: Final = N_("Confirm on the next page. You can add a comment there.")
WHY: Final = N_("You get this e-mail because you were in touch with %(brand)s.")
STOP: Final = N_("Stop these survey e-mails")
PRIVACY: Final = N_("Privacy notice")


@dataclass(frozen=True, slots=True)
class Words:
    """All texts of one e-mail, in one language."""

    language: Language
    title: str
    subject: str
    preview: str
    greeting: str
    question: str
    hint: str
    options: Mapping[int, str]
    about: str
    next: str
    why: str
    stop: str
    privacy: str


def write_words(
    language: Language, rating: RatingType, *, brand: str, channel: str | None, closed_on: date, own: OwnWords = NEUTRAL
) -> Words:
    """Return all texts in a language. The survey's own words come first."""
    say = language.translate
    hint = SCALE_HINT.get(rating)
    return Words(
        language=language,
        title=say(SUBJECT),
        subject=own.subject or say(SUBJECT),
        preview=say(PREVIEW),
        greeting=say(GREETING),
        question=own.questions.get(rating) or question_text(language, rating, brand),
        hint=say(hint) if hint else "",
        options=option_texts(language, rating),
        about=conversation_text(language, channel, closed_on),
        next=say(NEXT),
        why=say(WHY, brand=brand),
        stop=say(STOP),
        privacy=say(PRIVACY),
    )
