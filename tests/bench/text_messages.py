"""The segments of an SMS for docs/benchmarks.md: the neutral words in all languages. `make figures` prints it too."""

import sys
from collections import Counter
from collections.abc import Iterator
from typing import Final

from service.delivery.segments import measure
from service.delivery.short_text import write_sample
from service.surveys.definition import Survey
from service.surveys.language_codes import LANGUAGES
from service.texts.catalog import load_language
from tests.processes import settings_for

PUBLIC_URL: Final = "https://feedback.example.com"


def rows() -> Iterator[str]:
    """Yield a row for each kind of link, with and without the stop line."""
    yield f"The neutral SMS in {len(LANGUAGES)} languages at {PUBLIC_URL}:"
    for short_links in ("on", "off"):
        for stop_line in (False, True):
            name = f"SHORT_LINKS={short_links}{', stop_line' if stop_line else ''}"
            yield f"{name}: {_count(short_links, Survey(stop_line=stop_line))}"


def _count(short_links: str, survey: Survey) -> str:
    settings = settings_for("redis://127.0.0.1:1/0", PUBLIC_URL=PUBLIC_URL, SHORT_LINKS=short_links)
    sizes = [measure(write_sample(settings, survey, load_language(code))) for code in LANGUAGES]
    return "; ".join(
        _count_encoding(encoding, [each.segments for each in sizes if each.encoding == encoding])
        for encoding in ("GSM-7", "UCS-2")
    )


def _count_encoding(encoding: str, segments: list[int]) -> str:
    counts = sorted(Counter(segments).items())
    return f"{len(segments)} in {encoding}: " + (", ".join(f"{count} × {each}" for each, count in counts) or "none")


if __name__ == "__main__":
    sys.stdout.write("\n".join(rows()) + "\n")
