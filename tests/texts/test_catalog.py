"""The catalogs are complete, match the texts in the code, and keep all placeholders."""

import re

import pytest
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from service.surveys.language_codes import LANGUAGES
from service.texts.catalog import CATALOGS, Language, load_language
from tests.processes import ROOT

TEMPLATE = CATALOGS / "messages.pot"

PLACE = re.compile(r"%\(\w+\)s")


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
    """Single words may be the same in two languages, but no whole sentence."""
    same = {str(each.id) for each in read_catalog(code) if each.id and each.string == each.id}
    assert same <= {"Neutral", "No", "Error:"}


@pytest.mark.parametrize("code", LANGUAGES)
def test_translation_is_clean(code: str) -> None:
    """A translation has no space at an end and no straight quotes, and ends with a full stop like the English text."""
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
    assert load_language(code).direction == Locale.parse(code).text_direction


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
    ("code", "text"),
    [
        ("fr", "Votre discussion par chat du 12 mai avec l’assistance"),
        ("it", "La Sua chat con l’assistenza in data 12 mai"),
        ("pt", "O seu chat de 12 mai com o atendimento"),
    ],
)
def test_date_belongs_to_conversation(code: str, text: str) -> None:
    assert load_language(code).translate("Your chat with support on %(date)s", date="12 mai") == text


def test_missing_translation_is_english() -> None:
    spoken = Language("da", "Dansk", {"Yes": "Ja"})
    assert (spoken.translate("Yes"), spoken.translate("No"), spoken.translate("Hi %(name)s", name="%s")) == (
        "Ja",
        "No",
        "Hi %s",
    )


def test_a_text_needs_no_data_of_babel() -> None:
    """They are large, and a worker without e-mails does without."""
    language = Language("he", "", {})
    assert "Shop" in language.translate("From %(brand)s", brand="Shop")
    assert "_locale" not in vars(language)
    assert language.format_number(2000) == "2,000"
    assert "_locale" in vars(language)
