"""Writes the text for SMS and WhatsApp: a few words, the link, and an opt-out line if configured."""

import uuid
from collections.abc import Mapping
from functools import cache
from typing import Final

from config.settings import Settings
from service.delivery.segments import Size, measure, to_gsm7
from service.records.short_links import LENGTH
from service.surveys.definition import Survey
from service.surveys.language_codes import LANGUAGES
from service.surveys.links import Link, Links
from service.surveys.model import Offer
from service.surveys.ratings import RatingType
from service.texts.catalog import N_, Language, load_language

SHORT_CHANNELS: Final = frozenset({"Sms", "WhatsApp"})

# Translators: an SMS that costs by its length, followed by a link. At most 40 characters, and no question: people would
# answer it by SMS. Where it sounds as well, take words whose letters are all in GSM-7 (ASCII, àèéùìòÇØøÅåÆæßÉÄÖÑÜäöñü):
# then it costs half. Otherwise at most 40 characters together with "Opt out:".
INVITATION: Final = N_("Please rate your support here:")

# Translators: the second line of an SMS, followed by the link with which to stop being asked. At most 16 characters.
STOP: Final = N_("Opt out:")


def write_short_text(terms: Survey, spoken: Language, link: str, *, channel: str) -> str:
    """Write the text. Of the survey's own words only `message` is used: customers answer a question by SMS."""
    lines = [f"{terms.words_in(spoken.code).message or spoken.translate(INVITATION)} {link}"]
    if terms.stop_line:
        lines.append(f"{spoken.translate(STOP)} {link}/stop")
    text = "\n".join(lines)
    return to_gsm7(text) if channel == "Sms" else text


def sample_link(settings: Settings, survey: Survey) -> str:
    """Return an invalid link of the same length as this survey's links."""
    if settings.short_links:
        return f"{settings.public_url}/s/{'A1b2C3d4E5f6G7h8'[:LENGTH]}"
    return _sample_link(settings.public_url, survey.name, survey.ratings)


@cache
def _sample_link(public_url: str, survey: str, ratings: tuple[RatingType, ...]) -> str:
    """Return the same sample each time. A preview writes it twice and needs equal line breaks."""
    # Real ids are random and do not compress, so the sample needs such ids for its length.
    offers = tuple(Offer(rating, str(uuid.uuid5(uuid.NAMESPACE_URL, rating))) for rating in ratings)
    return Links(["no key of anybody's"], public_url).url(Link("4820300", 4820300, survey, offers))


def write_sample(settings: Settings, survey: Survey, spoken: Language) -> str:
    """Write a survey's SMS with a sample link."""
    return write_short_text(survey, spoken, sample_link(settings, survey), channel="Sms")


def measure_texts(settings: Settings, survey: Survey) -> Mapping[str, Size]:
    """Return the size of a survey's SMS in each language."""
    return {code: measure(write_sample(settings, survey, load_language(code))) for code in LANGUAGES}
