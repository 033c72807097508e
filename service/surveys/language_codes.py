"""The languages of the texts for customers. `service/texts/translations` has the texts."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Final

LANGUAGES: Final[Mapping[str, tuple[str, str]]] = {
    "cs": ("Čeština", "Czech"),
    "da": ("Dansk", "Danish"),
    "de": ("Deutsch", "German"),
    "et": ("Eesti", "Estonian"),
    "en": ("English", "English"),
    "es": ("Español", "Spanish"),
    "fr": ("Français", "French"),
    "ga": ("Gaeilge", "Irish"),
    "hr": ("Hrvatski", "Croatian"),
    "is": ("Íslenska", "Icelandic"),
    "it": ("Italiano", "Italian"),
    "lv": ("Latviešu", "Latvian"),
    "lt": ("Lietuvių", "Lithuanian"),
    "hu": ("Magyar", "Hungarian"),
    "mt": ("Malti", "Maltese"),
    "nl": ("Nederlands", "Dutch"),
    "nb": ("Norsk bokmål", "Norwegian"),
    "pl": ("Polski", "Polish"),
    "pt": ("Português", "Portuguese"),
    "ro": ("Română", "Romanian"),
    "sk": ("Slovenčina", "Slovak"),
    "sl": ("Slovenščina", "Slovenian"),
    "fi": ("Suomi", "Finnish"),
    "sv": ("Svenska", "Swedish"),
    "tr": ("Türkçe", "Turkish"),
    "el": ("Ελληνικά", "Greek"),
    "bg": ("Български", "Bulgarian"),
    "uk": ("Українська", "Ukrainian"),
    "he": ("עברית", "Hebrew"),
    "ar": ("العربية", "Arabic"),
}
"""Each language's name in itself and in English, in the order of the page's list."""

_OTHER_CODES = {"no": "nb", "nn": "nb", "iw": "he", "mo": "ro"}
"""Norwegian as a whole, Nynorsk, and two old codes."""

_OTHER_NAMES = {
    "bokmal": "nb",
    "castellano": "es",
    "castilian": "es",
    "flemish": "nl",
    "moldavian": "ro",
    "moldovan": "ro",
    "norsk": "nb",
    "nynorsk": "nb",
    "slovene": "sl",
}
"""Further names of these languages, without accents."""


@lru_cache(256)
def find_language(text: str) -> str | None:
    """Return the code for a language's code or name, or None for a language without texts.

    Regions are ignored: `pt-BR`, `pt_BR`, `Portuguese (Brazil)`, `Brazilian Portuguese` and `Português` are the same.
    """
    folded = _fold(text)
    code = re.split(r"[-_]|\s*\(", folded)[0]
    code = _OTHER_CODES.get(code, code)
    if code in LANGUAGES:
        return code
    return next((_codes_by_name()[name] for name in _possible_names(folded) if name in _codes_by_name()), None)


def _possible_names(folded: str) -> Iterator[str]:
    """Yield possible names in a text: all of it, then parts without a region before or after the name.

    The last word comes before the first: Irish English is English.
    """
    yield folded
    name = re.split(r"[(\[,;:/]", folded)[0].strip()
    yield name
    words = name.split()
    if words:
        yield words[-1]
        yield words[0].partition("-")[0]


def _fold(text: str) -> str:
    """Remove capitals and accents."""
    letters = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


@cache
def _codes_by_name() -> Mapping[str, str]:
    return _OTHER_NAMES | {_fold(name): code for code, names in LANGUAGES.items() for name in names}
