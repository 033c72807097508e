"""`[survey.brand]`: its keys and their errors."""

from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.loader import SettingsError, read_settings
from config.settings import Settings
from service.records.terms_codec import dump_terms, load_terms
from service.surveys.brand import Brand, OwnBrand
from service.surveys.definition import Survey
from service.surveys.theme import (
    DARK,
    DEFAULT_THEME,
    LIGHT,
    MAX_LOGO_BYTES,
    Logo,
    is_readable,
    make_theme,
    nearest_readable,
)
from service.surveys.toml.loader import load_surveys
from service.surveys.urls import MAX_LINK_BYTES
from tests.config.test_settings import GOOD
from tests.surveys.test_theme import PNG, SVG
from tests.surveys.test_toml_errors import mistakes

PICTURE = SVG.format('<circle cx="9" cy="9" r="9" fill="#9d174d"/>')
USUAL = Brand(
    "Holding",
    make_theme("#1d4ed8", "#ffd166", Logo("data:image/png;base64,AAAA", adapts=False)),
    "https://holding.example/help",
    "https://holding.example/privacy",
)
WRITTEN = """
[[survey]]
name = "tidewater"
[survey.brand]
name = " Tidewater & Søn "
accent = "9D174D"
accent_dark = "#ff9ecb"
logo = "{logo}"
support_url = "mailto:hello@tidewater.example"
privacy_url = "https://tidewater.example/privacy?lang=da"
"""


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def uri(kind: str, content: str | bytes) -> str:
    return f"data:{kind};base64,{b64encode(content if isinstance(content, bytes) else content.encode()).decode()}"


def settings_with(tmp_path: Path, brand: str, **environ: str) -> Settings:
    file = write(tmp_path / "surveys.toml", f'[[survey]]\nname = "tidewater"\n[survey.brand]\n{brand}')
    return read_settings({**GOOD, "SURVEYS_FILE": file, **environ})


def test_every_key_of_a_brand_is_read(tmp_path: Path) -> None:
    (survey,) = load_surveys(WRITTEN.format(logo=write(tmp_path / "logo.svg", PICTURE)))
    assert survey.brand == OwnBrand(
        name="Tidewater & Søn",
        accent="#9d174d",
        accent_dark="#ff9ecb",
        logo=Logo(uri("image/svg+xml", PICTURE), adapts=False),
        support_url="mailto:hello@tidewater.example",
        privacy_url="https://tidewater.example/privacy?lang=da",
    )
    brand = survey.brand.with_defaults(USUAL)
    assert (brand.theme.light.accent, brand.theme.dark.accent) == ("#9d174d", "#ff9ecb")
    assert (brand.name, brand.theme.logo) == ("Tidewater & Søn", survey.brand.logo)
    assert (brand.support_url, brand.privacy_url) == (survey.brand.support_url, survey.brand.privacy_url)


def test_missing_keys_come_from_the_environment() -> None:
    assert load_surveys("[[survey]]\n[survey.brand]")[0].brand.with_defaults(USUAL) == USUAL
    assert Survey().brand.with_defaults(Brand("Support")) == Brand("Support")


@pytest.mark.parametrize(
    ("key", "value"),
    [("name", "Tidewater"), ("support_url", "https://t.example"), ("privacy_url", "https://t.example/p")],
)
def test_each_key_overrides_only_its_variable(key: str, value: str) -> None:
    own = load_surveys(f'[[survey]]\n[survey.brand]\n{key} = "{value}"')[0].brand
    assert own.with_defaults(USUAL) == replace(USUAL, **{key: value})  # type: ignore[arg-type]


def test_a_survey_accent_does_not_use_the_dark_accent_of_the_environment() -> None:
    theme = OwnBrand(accent="#9d174d").with_defaults(USUAL).theme
    assert (theme.light.accent, theme.dark.accent) == ("#9d174d", nearest_readable("#9d174d", DARK))
    theme = OwnBrand(accent_dark="#ff9ecb").with_defaults(USUAL).theme
    assert (theme.light.accent, theme.dark.accent) == ("#1d4ed8", "#ff9ecb")
    assert OwnBrand(accent="#0b5d56").with_defaults(USUAL).theme == replace(DEFAULT_THEME, logo=USUAL.theme.logo)


def test_empty_values_remove_the_logo_and_the_links() -> None:
    (survey,) = load_surveys('[[survey]]\n[survey.brand]\nlogo = ""\nsupport_url = ""\nprivacy_url = ""')
    for terms in (survey, load_terms(dump_terms(survey))):
        brand = terms.brand.with_defaults(USUAL)
        assert (brand.theme.logo, brand.support_url, brand.privacy_url) == (None, None, None)


@given(st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}"))
def test_an_accent_is_readable_in_both_schemes_or_refused(colour: str) -> None:
    text = f'[[survey]]\n[survey.brand]\naccent = "{colour}"'
    if not is_readable(colour, LIGHT):
        assert nearest_readable(colour, LIGHT) in mistakes(text)[0]
        return
    theme = load_surveys(text)[0].brand.with_defaults(USUAL).theme
    assert theme.light.accent == colour
    assert is_readable(theme.dark.accent, DARK)


@pytest.mark.parametrize(
    ("line", "key", "problem"),
    [
        ('name = ""', "brand.name", "Empty. Write it, or leave the key out"),
        ('name = "  "', "brand.name", "Empty. Write it, or leave the key out"),
        ("name = 5", "brand.name", "Not a text. Write it in quotes"),
        (f'name = "{"x" * 61}"', "brand.name", "Has more than 60 characters"),
        ('name = "a\\nb"', "brand.name", "ones that can't be shown"),
        ('name = "a\\u202eb"', "brand.name", "ones that can't be shown"),
        ('accent = "red"', "brand.accent", "Is not a colour. Write it as #rrggbb"),
        ('accent = ""', "brand.accent", "Empty."),
        ("accent = 0x9d174d", "brand.accent", "Not a text."),
        ('accent = "#ffd700"', "brand.accent", "Has too little contrast with the page's light ground"),
        ('accent_dark = "#123"', "brand.accent_dark", "Is not a colour."),
        ('accent_dark = "#101010"', "brand.accent_dark", "The nearest readable colour is #"),
        ('logo = "no-such-logo.svg"', "brand.logo", "Can't be read (FileNotFoundError). Name an SVG or PNG file"),
        ('logo = "."', "brand.logo", "Can't be read (IsADirectoryError)"),
        ('logo = "a\\u0000b"', "brand.logo", "Can't be read (ValueError)"),
        ("logo = true", "brand.logo", "Not a text."),
        ('support_url = "help@shop.example"', "brand.support_url", "mailto:somebody@example.com"),
        ('support_url = "javascript:alert(1)"', "brand.support_url", "mailto:somebody@example.com"),
        ('support_url = "https://"', "brand.support_url", "Is not a URL."),
        ('privacy_url = "tidewater.example"', "brand.privacy_url", "Is not a URL. Write it whole, with http://"),
        ('privacy_url = "mailto:a@b.example"', "brand.privacy_url", "Is not a URL."),
        ('privacy_url = "https://a b"', "brand.privacy_url", "Has white space in it."),
        ('privacy_url = "https://a:port"', "brand.privacy_url", "host or port"),
        (f'privacy_url = "https://a.example/{"p" * 200}"', "brand.privacy_url", "at most 200 are taken"),
        (f'support_url = "mailto:{"p" * 200}@a.example"', "brand.support_url", "at most 200 are taken"),
        ('colour = "#9d174d"', "brand.colour", "No such key. See the list of keys"),
        ('acent = "#9d174d"', "brand.acent", 'Did you mean "accent"?'),
    ],
)
def test_an_error_names_survey_key_and_fix(line: str, key: str, problem: str) -> None:
    (found,) = mistakes(f'[[survey]]\nname = "tidewater"\n[survey.brand]\n{line}')
    assert found.startswith(f'survey "tidewater": {key}: ')
    assert problem in found


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (PNG.ljust(MAX_LOGO_BYTES + 1, b"\0"), "Has 3,001 bytes, and at most 3,000 are allowed"),
        ("GIF89a", "Is neither a PNG nor an SVG file"),
    ],
)
def test_a_logo_and_brand_logo_have_the_same_checks(tmp_path: Path, content: str | bytes, problem: str) -> None:
    file = write(tmp_path / "logo", content)
    (found,) = mistakes(f'[[survey]]\n[survey.brand]\nlogo = "{file}"')
    assert found.startswith(f"survey 1: brand.logo: {problem}")
    with pytest.raises(SettingsError) as caught:
        read_settings({**GOOD, "BRAND_LOGO": file})
    assert f"  BRAND_LOGO: {problem[0].lower()}{problem[1:]}" in str(caught.value)


def test_a_logo_path_is_relative_to_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pictures").mkdir()
    write(tmp_path / "pictures" / "logo.svg", PICTURE)
    file = write(tmp_path / "pictures" / "surveys.toml", WRITTEN.format(logo="pictures/logo.svg"))
    monkeypatch.chdir(tmp_path)
    settings = read_settings({**GOOD, "SURVEYS_FILE": file, "BRAND_LOGO": "pictures/logo.svg"})
    assert settings.brand_of(settings.surveys[0]).theme.logo == settings.theme.logo
    assert settings.theme.logo


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ('[[survey]]\nbrand = "Tidewater"', "survey 1: brand: Not a table. Write [survey.brand], in single brackets"),
        ('[[survey]]\n[[survey.brand]]\nname = "a"', "survey 1: brand: Not a table. Write [survey.brand]"),
        ('[[survey]]\n[brand]\nname = "a"', "brand: No such key. Write it as [survey.brand]."),
        ('[[survey]]\n[survey.match.brand]\nname = "a"', "match.brand: No such key. Write it as [survey.brand]."),
        ('[[survey]]\naccent = "#9d174d"', '"accent" of [survey.brand]? Write it below that line.'),
        ('[[survey]]\nsuport_url = "https://a.example"', '"support_url" of [survey.brand]? Write it below that line.'),
        ('[[survey]]\n[survey.brand]\nrating = "Csat"', '"rating" of [[survey]]? Write it above [survey.brand].'),
    ],
)
def test_an_error_names_the_right_place_of_a_misplaced_key(text: str, fix: str) -> None:
    (found,) = mistakes(text)
    assert fix in found


def test_all_mistakes_of_file_and_environment_are_reported_together(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_with(tmp_path, 'name = ""\naccent = "red"\nlogo = "x"', BRAND_ACCENT="red", PRIVACY_URL="x")
    lines = str(caught.value).splitlines()[1:]
    assert [line.split(": ")[0] for line in lines] == [
        "  SURVEYS_FILE",
        *["  SURVEYS_FILE"] * 2,
        "  BRAND_ACCENT",
        "  PRIVACY_URL",
    ]
    assert [line.split(": ")[3] for line in lines[:3]] == ["brand.name", "brand.accent", "brand.logo"]


def test_the_length_of_a_link_in_a_variable_is_limited_too() -> None:
    address = "https://a.example/".ljust(MAX_LINK_BYTES, "p")
    assert read_settings({**GOOD, "SUPPORT_URL": address, "PRIVACY_URL": address}).privacy_url == address
    with pytest.raises(SettingsError) as caught:
        read_settings({**GOOD, "SUPPORT_URL": f"{address}p", "PRIVACY_URL": f"{address[:-1]}é"})
    assert [line.split(", ")[0] for line in str(caught.value).splitlines()[1:]] == [
        "  SUPPORT_URL: has 201 bytes",
        "  PRIVACY_URL: has 201 bytes",
    ]


@pytest.mark.parametrize(
    ("brand", "warned"),
    [
        ('name = "Tidewater"', True),
        ('name = "Tidewater"\nlogo = ""', False),
        ('name = "Holding"', False),
        ('accent = "#9d174d"', False),
    ],
)
def test_brand_name_with_the_logo_of_the_environment_is_a_warning(tmp_path: Path, brand: str, *, warned: bool) -> None:
    """A logo replaces the name on the page."""
    logo = write(tmp_path / "logo.png", PNG)
    warnings = settings_with(tmp_path, brand, BRAND_NAME="Holding", BRAND_LOGO=logo).warnings
    warning = (
        'survey "tidewater": its brand "Tidewater" has no logo, so it gets that of BRAND_LOGO.'
        " Write a `logo` in its [survey.brand]"
    )
    assert [each.startswith(warning) for each in warnings] == ([True] if warned else [])
    assert settings_with(tmp_path, brand, BRAND_NAME="Holding").warnings == ()
