"""The languages that customers are spoken to in. What is said in them is in `service/translations`."""

from collections.abc import Mapping
from functools import cache
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
"""A macrolanguage, its other written form, and two codes that older systems still send."""


def find_language(text: str) -> str | None:
    """Find the one of our languages that `da`, `da-DK`, `da_DK`, `Danish` or `Dansk` means; None when it is none."""
    asked = text.strip().lower()
    code = asked.replace("_", "-").partition("-")[0]
    code = _OTHER_CODES.get(code, code)
    return code if code in LANGUAGES else _codes_by_name().get(asked)


@cache
def _codes_by_name() -> Mapping[str, str]:
    return {name.lower(): code for code, names in LANGUAGES.items() for name in names}
