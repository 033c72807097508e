"""A survey's brand in the record of a survey."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.records.terms_codec import dump_terms, load_terms
from service.surveys.brand import OwnBrand
from service.surveys.definition import Survey
from service.surveys.theme import MAX_LOGO_BYTES, Logo
from service.surveys.toml.loader import load_surveys
from tests.surveys.test_brand import PICTURE, WRITTEN, uri, write
from tests.surveys.test_theme import PNG, SVG

ADAPTING = SVG.format("<style>@media(prefers-color-scheme:dark){*{fill:#fff}}</style>")


@pytest.mark.parametrize(
    ("content", "kind", "adapts"), [(PICTURE, "svg+xml", False), (ADAPTING, "svg+xml", True), (PNG, "png", False)]
)
def test_a_record_contains_the_logo(tmp_path: Path, content: str | bytes, kind: str, *, adapts: bool) -> None:
    """The file may change or vanish before the customer opens the page."""
    file = tmp_path / "logo"
    (survey,) = load_surveys(WRITTEN.format(logo=write(file, content)))
    file.unlink()
    kept = load_terms(dump_terms(survey))
    assert kept == survey
    assert kept.brand.logo == Logo(uri(f"image/{kind}", content), adapts=adapts)


def test_a_record_contains_only_set_values() -> None:
    assert "brand" not in dump_terms(Survey())
    assert dump_terms(Survey(brand=OwnBrand(name="Tidewater")))["brand"] == {"name": "Tidewater"}


def test_the_largest_logo_adds_four_thousand_bytes_to_a_record(tmp_path: Path) -> None:
    file = write(tmp_path / "logo.png", PNG.ljust(MAX_LOGO_BYTES, b"\0"))
    (survey,) = load_surveys(f'[[survey]]\n[survey.brand]\nlogo = "{file}"')
    assert 4000 < len(json.dumps(dump_terms(survey)["brand"])) < 4100


def test_unknown_keys_of_a_record_are_ignored() -> None:
    terms = dump_terms(Survey(brand=OwnBrand(name="Tidewater")))
    terms["brand"]["motto"] = "a"
    assert load_terms(terms).brand == OwnBrand(name="Tidewater")


def test_a_record_may_have_a_colour_that_the_file_may_not() -> None:
    """Contrast is checked when the file is read, not when a record is."""
    faint = OwnBrand(accent="#eeeeee")
    assert load_terms(dump_terms(Survey(brand=faint))).brand == faint


colours = st.none() | st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
texts = st.none() | st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=60)


@given(
    st.builds(
        OwnBrand,
        name=texts,
        accent=colours,
        accent_dark=colours,
        logo=st.none()
        | st.binary(max_size=99).map(lambda content: Logo(uri("image/png", PNG + content), adapts=False))
        | st.just(Logo("", adapts=False)),
        support_url=texts | st.just(""),
        privacy_url=texts | st.just(""),
    )
)
def test_a_brand_survives_the_terms_codec(own: OwnBrand) -> None:
    assert load_terms(dump_terms(Survey(brand=own))).brand == own
