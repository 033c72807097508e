"""The catalogs are complete, match the texts in the code, and keep all placeholders."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from service.surveys.language_codes import LANGUAGES, find_language
from service.texts.catalog import CATALOGS, Language, load_language
from tests.processes import ROOT

TEMPLATE = CATALOGS / "messages.pot"
PLACE = re.compile(r"%\(\w+\)s")
DAY = date(2026, 5, 12)


def read_catalog(code: str) -> Catalog:
    with (CATALOGS / code / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file)


def texts_of(catalog: Catalog) -> list[str]:
    return [str(message.id) for message in catalog if message.id]


def test_template_has_texts_of_code() -> None:
    """`make texts` updates the catalogs."""
    found = extract_from_dir(ROOT / "service", [("**.py", "python")], keywords={"N_": None}, strip_comment_tags=True)
    with TEMPLATE.open("rb") as file:
        assert texts_of(read_po(file)) == list(dict.fromkeys(str(text) for _, _, text, _, _ in found))


def test_each_language_has_a_catalog() -> None:
    assert len(LANGUAGES) == 30
    assert {path.name for path in CATALOGS.iterdir()} == {*LANGUAGES, TEMPLATE.name}


@pytest.mark.parametrize("code", LANGUAGES)
def test_catalog_is_complete(code: str) -> None:
    catalog = read_catalog(code)
    with TEMPLATE.open("rb") as file:
        assert texts_of(catalog) == texts_of(read_po(file))
    assert not catalog.obsolete
    assert [message.id for message in catalog if message.id and (message.fuzzy or not message.string)] == []


@pytest.mark.parametrize("code", LANGUAGES)
def test_translation_has_placeholders_of_its_text(code: str) -> None:
    catalog = read_catalog(code)
    for message in catalog:
        assert [*message.check(catalog)] == []
        assert sorted(PLACE.findall(str(message.string))) == sorted(PLACE.findall(str(message.id)))


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_translation_is_not_english(code: str) -> None:
    """Some single words are the same in two languages; a whole sentence never is."""
    same = {str(each.id) for each in read_catalog(code) if each.id and each.string == each.id}
    assert same <= {"Neutral", "No", "Error:"}


@pytest.mark.parametrize("code", LANGUAGES)
def test_translation_is_clean(code: str) -> None:
    """No space at an end, no straight quotes, and it ends like the English: a sentence stays one."""
    for message in read_catalog(code):
        text = str(message.string)
        if not message.id:
            continue
        assert text == text.strip()
        assert "  " not in text
        assert not re.search(r"[\"'<>&]", text), text
        if str(message.id).endswith("."):
            assert text.endswith("."), text
        if str(message.id).endswith(":"):
            assert text.endswith(":"), text


@pytest.mark.parametrize("code", LANGUAGES)
def test_header_of_catalog_is_filled_in(code: str) -> None:
    catalog = read_catalog(code)
    header = f"{catalog.header_comment}\n{dict(catalog.mime_headers)}"
    assert not re.search(r"FULL NAME|EMAIL@ADDRESS|FIRST AUTHOR|PROJECT|ORGANIZATION|YEAR", header), header
    assert catalog.last_translator == "Afterword"


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_translation_has_back_translation(code: str) -> None:
    """By a translator without the English text. CONTRIBUTING.md has the procedure and the doubts."""
    header = " ".join(line.removeprefix("#").strip() for line in read_catalog(code).header_comment.splitlines())
    assert re.search(r"Translated back without sight of the English on \d{4}-\d\d-\d\d\.", header), header
    assert "Not yet read by a native speaker: reviews are welcome" in header


@pytest.mark.parametrize("code", LANGUAGES)
def test_options_of_a_scale_differ(code: str) -> None:
    say = load_language(code).translate
    scale = ("Very dissatisfied", "Dissatisfied", "Neutral", "Satisfied", "Very satisfied", "Yes", "No")
    assert len({say(text) for text in scale}) == len(scale)


@pytest.mark.parametrize("code", LANGUAGES)
def test_language_is_named_in_itself(code: str) -> None:
    native = Locale.parse(code).get_language_name(code)
    assert native
    assert load_language(code).name.lower() == native.lower()
    assert LANGUAGES[code][1].lower() in (Locale.parse(code).get_language_name("en") or "").lower()


@pytest.mark.parametrize("code", LANGUAGES)
def test_only_arabic_and_hebrew_are_rtl(code: str) -> None:
    assert load_language(code).direction == ("rtl" if code in {"ar", "he"} else "ltr")


@pytest.mark.parametrize(
    ("code", "number", "day"),
    [
        ("en", "2,000", "12 May 2026"),
        ("de", "2.000", "12. Mai 2026"),
        ("da", "2.000", "12. maj 2026"),
        ("sv", "2\u00a0000", "12 maj 2026"),
        ("pt", "2\u00a0000", "12 de maio de 2026"),
        ("ar", "2,000", "12 مايو 2026"),
        ("he", "2,000", "12 במאי 2026"),
    ],
)
def test_numbers_and_dates_follow_language(code: str, number: str, day: str) -> None:
    assert (load_language(code).format_number(2000), load_language(code).format_date(DAY)) == (
        number,
        day.replace(" ", "\xa0"),
    )


@pytest.mark.parametrize(("day", "written"), [(date(2026, 6, 1), "1er juin 2026"), (date(2026, 6, 11), "11 juin 2026")])
def test_french_first_of_month_is_1er(day: date, written: str) -> None:
    assert load_language("fr").format_date(day) == written.replace(" ", "\xa0")


@pytest.mark.parametrize(
    ("code", "time", "written"),
    [
        ("en", timedelta(days=90), "90 days"),
        ("en", timedelta(hours=1), "1 day"),
        ("en", timedelta(days=28, hours=1), "29 days"),
        ("en", timedelta(days=365), "365 days"),
        ("de", timedelta(days=90), "90 Tage"),
        ("pl", timedelta(days=91), "91 dni"),
        ("mt", timedelta(days=90), "90 jum"),
        ("ar", timedelta(days=90), "90 يومًا"),
    ],
)
def test_duration_in_days(code: str, time: timedelta, written: str) -> None:
    assert load_language(code).format_days(time) == written.replace(" ", "\xa0")


@pytest.mark.parametrize("code", LANGUAGES)
def test_name_is_isolated_in_rtl_text(code: str) -> None:
    """Without isolation a browser shows "24 Shop (DK)" as "(Shop (DK 24"."""
    isolated = "\u2068{}\u2069" if code in {"ar", "he"} else "{}"
    brand, host = isolated.format("24 Shop (DK)"), isolated.format("shop.example:8443")
    say = load_language(code).translate
    assert brand in say("How likely are you to recommend %(brand)s to a friend?", brand="24 Shop (DK)")
    assert host in say("Continue to %(host)s", host="shop.example:8443")
    assert "\u2068" not in say("You can answer until %(date)s.", date="12")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("fr", "Votre discussion par chat du 12 mai avec l’assistance"),
        ("it", "La Sua chat con l’assistenza in data 12 mai"),
        ("pt", "O seu chat de 12 mai com o atendimento"),
    ],
)
def test_date_belongs_to_conversation(code: str, said: str) -> None:
    assert load_language(code).translate("Your chat with support on %(date)s", date="12 mai") == said


def test_missing_translation_is_english() -> None:
    spoken = Language("da", "Dansk", {"Yes": "Ja"})
    assert (spoken.translate("Yes"), spoken.translate("No"), spoken.translate("Hi %(name)s", name="%s")) == (
        "Ja",
        "No",
        "Hi %s",
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *((code, code) for code in LANGUAGES),
        *((english, code) for code, (_, english) in LANGUAGES.items()),
        *((native, code) for code, (native, _) in LANGUAGES.items()),
        ("da-DK", "da"),
        ("pt-BR", "pt"),
        ("pt_BR", "pt"),
        ("EN-us", "en"),
        (" de ", "de"),
        ("no", "nb"),
        ("nn-NO", "nb"),
        ("iw", "he"),
        ("", None),
        ("ja", None),
        ("dan", None),
        ("*", None),
        ("x" * 10_000, None),
        ("../da", None),
        ("da/../../", None),
        ("Portuguese (Brazil)", "pt"),
        ("Portuguese - Brazil", "pt"),
        ("Portuguese-Brazil", "pt"),
        ("Portuguese, Brazil", "pt"),
        ("portuguese/brazil", "pt"),
        ("Portuguese Brazil", "pt"),
        ("Brazilian Portuguese", "pt"),
        ("Portuguese (pt-BR)", "pt"),
        ("pt-BR (Portuguese)", "pt"),
        ("Português (Brasil)", "pt"),
        ("Português do Brasil", "pt"),
        ("Portugues", "pt"),
        ("English (US)", "en"),
        ("English（UK）", "en"),
        ("English [Australia]", "en"),
        ("American English", "en"),
        ("Irish English", "en"),
        ("Spanish (Latin America)", "es"),
        ("Latin American Spanish", "es"),
        ("Spanish; Castilian", "es"),
        ("Norwegian Bokmål", "nb"),
        ("Norwegian (Bokmal)", "nb"),
        ("Norwegian Nynorsk", "nb"),
        ("Norsk nynorsk", "nb"),
        ("Norsk", "nb"),
        ("nb (Norway)", "nb"),
        ("Dutch (Belgium)", "nl"),
        ("Flemish", "nl"),
        ("Swiss High German", "de"),
        ("Deutsch (Österreich)", "de"),
        ("French (Canada)", "fr"),
        ("Greek, Modern (1453-)", "el"),
        ("العربية (مصر)", "ar"),
        ("Romanian (Moldova)", "ro"),
        ("Chinese (Simplified)", None),
        ("Chinese (Traditional, Hong Kong)", None),
        ("Simplified Chinese", None),
        ("zh-Hans-CN", None),
        ("Serbian", None),
        ("Serbian (Latin)", None),
        ("Serbo-Croatian", None),
        ("Scottish Gaelic", None),
        ("Catalan (Spanish)", None),
        ("no language", None),
        ("(Danish)", None),
        (" ( ", None),
        ("unknown", None),
        ("Portuguese " * 10_000, "pt"),
    ],
)
def test_language_is_found_by_code_region_or_name(text: str, code: str | None) -> None:
    assert find_language(text) == code


NOW = datetime(2026, 5, 12, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.5, "in 1 second"),
        (40, "in 40 seconds"),
        (59, "in 1 minute"),
        (119, "in 2 minutes"),
        (299.8, "in 5 minutes"),
        (359, "in 6 minutes"),
        (350, "in 5 minutes"),
        (3600, "in 60 minutes"),
        (7199, "in 2 hours"),
        (86_400, "in 24 hours"),
        (2 * 86_400, "in 2 days"),
        (7 * 86_400 - 1, "in 7 days"),
        (7 * 86_400 - 60, "in 6 days"),
    ],
)
def test_time_left_is_rounded_down(seconds: float, words: str) -> None:
    assert load_language("en").format_remaining(timedelta(seconds=seconds)) == words


def test_moment_names_utc_and_other_day() -> None:
    english = load_language("en")
    assert english.format_moment(NOW, NOW) == "14:30\u00a0UTC"
    assert english.format_moment(NOW + timedelta(days=1), NOW) == "13\u00a0May\u00a02026, 14:30\u00a0UTC"


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_has_own_words_for_time_left(code: str) -> None:
    """Without words in CLDR, Babel falls back to its root locale: "+5 min"."""
    spoken = load_language(code)
    for time in (timedelta(seconds=40), timedelta(minutes=5), timedelta(hours=3), timedelta(days=6)):
        words = spoken.format_remaining(time)
        assert "+" not in words
        assert code == "en" or words != load_language("en").format_remaining(time)
    at = NOW + timedelta(days=6)
    assert spoken.format_date(at.date()) in spoken.format_moment(at, NOW)
    assert "{" not in spoken.format_moment(at, NOW)
