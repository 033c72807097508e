"""The size of the pages: the limits of docs/benchmarks.md, and the assumed lengths of an installation's texts.

Every page has the 30 languages and the longest token. The customer's text and a logo add to this.
"""

import gzip
import uuid
from dataclasses import dataclass, replace
from typing import Final

from markupsafe import escape

from service.preview.states import COMMENT
from service.surveys.language_codes import LANGUAGES
from service.surveys.model import Offer
from service.surveys.ratings import RatingType
from service.surveys.urls import MAX_LINK_BYTES
from service.surveys.words import NEUTRAL, Words
from service.texts.catalog import Language, load_language
from service.web.page_context import PageContext
from tests.web.states import CONTEXT, STATES
from tests.web.survey_client import LINK, sign

RAW_BYTES, GZIPPED_BYTES = 10_000, 4_000
LONGEST_TOKEN = sign(replace(LINK, offers=tuple(Offer(rating, str(uuid.uuid4())) for rating in RatingType)))

LONGEST_NAME = "n" * 20
"""A survey's."""


@dataclass(frozen=True)
class Assumed:
    """The longest texts of an installation that the limits allow for."""

    brand: str
    privacy_url: str
    words: Words

    def __str__(self) -> str:
        own = [f"own questions of {len(text)} letters" for text in dict.fromkeys(self.words.questions.values())]
        facts = (f"a brand name of {_length(self.brand)}", f"a privacy URL of {len(self.privacy_url)}", *own)
        return ", ".join(facts)


def _length(text: str) -> str:
    return f"{len(text)} letters ({len(text.encode())} bytes)"


def _url(length: int) -> str:
    return "https://northwind.example/".ljust(length, "p")


ONE: Final = Assumed(
    brand="Ñ" * 60, privacy_url=_url(MAX_LINK_BYTES), words=Words(questions=dict.fromkeys(RatingType, "Ω" * 160))
)
"""For a survey of one question: the longest texts that the settings allow, in letters of two bytes."""

SEVERAL: Final = Assumed(brand="N" * 32, privacy_url=_url(60), words=NEUTRAL)
"""For a survey of all three questions, in our own texts."""


def assumed(name: str) -> Assumed:
    """Return the assumed texts of a state."""
    return SEVERAL if name.startswith("all") else ONE


def weigh(name: str, spoken: Language, ctx: PageContext = CONTEXT) -> tuple[int, int]:
    """Return a page's bytes, raw and gzipped, in a language."""
    most = assumed(name)
    own = {"brand": most.brand, "privacy_url": most.privacy_url, "words": most.words, "survey": LONGEST_NAME}
    long = replace(ctx, language=spoken, **own)  # type: ignore[arg-type]
    logo = ctx.theme.logo.uri if ctx.theme.logo else COMMENT
    page = STATES[name](long).data.replace(str(escape(COMMENT)).encode(), b"").replace(logo.encode(), b"")
    page = page.replace(b"/s/token", f"/s/{LONGEST_TOKEN}".encode())
    return len(page), len(gzip.compress(page, 6))


def weigh_largest(name: str) -> tuple[int, int]:
    """Return a page's largest bytes, raw and gzipped, in any language."""
    weights = [weigh(name, load_language(code)) for code in LANGUAGES]
    return max(raw for raw, _ in weights), max(gzipped for _, gzipped in weights)
