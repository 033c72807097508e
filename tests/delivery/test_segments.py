"""The size of an SMS by 3GPP TS 23.038 and 23.040."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.delivery.segments import Size, is_gsm7, measure, to_gsm7

ITALIAN = "àèéìòù"
LETTERS_OUTSIDE = "áíóúçêõãřžšąęłőűğışţđþðÀÈç" + "Ωλкאب"


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("", "GSM-7", 0, 1),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("a" * 459, "GSM-7", 459, 3),
        ("€" * 80, "GSM-7", 160, 1),
        ("€" * 81, "GSM-7", 162, 2),
        # 76 of them are 152 septets: the last septet of each segment stays empty.
        ("€" * 152, "GSM-7", 304, 2),
        ("€" * 153, "GSM-7", 306, 3),
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3),
        ("a" * 151 + "€" + "a" * 153, "GSM-7", 306, 2),
        ("æøåÆØÅäöüÄÖÜßñÑéÉ" + ITALIAN, "GSM-7", 23, 1),
        ("https://x.example/s/a_b-c.d~", "GSM-7", 29, 1),
        ("λ" * 70, "UCS-2", 70, 1),
        ("λ" * 71, "UCS-2", 71, 2),
        ("λ" * 134, "UCS-2", 134, 2),
        ("λ" * 135, "UCS-2", 135, 3),
        # One letter turns the whole text into UCS-2.
        ("a" * 70 + "ç", "UCS-2", 71, 2),
        ("🙂" * 35, "UCS-2", 70, 1),
        # 33 pairs are 66 units: the 67th stays empty.
        ("🙂" * 66, "UCS-2", 132, 2),
        ("🙂" * 67, "UCS-2", 134, 3),
    ],
)
def test_segments_are_counted_by_encoding(text: str, encoding: str, units: int, segments: int) -> None:
    assert measure(text) == Size(encoding, units, segments)


def test_size_is_printed_in_words() -> None:
    assert str(measure("a")) == "1 segment (1 characters of GSM-7)"
    assert str(measure("🙂" * 40)) == "2 segments (80 characters of UCS-2)"


def test_alphabet_is_that_of_gsm_7() -> None:
    """128 places, one of them the escape, and ten escaped characters of two septets each."""
    found = [chr(number) for number in range(0x10000) if is_gsm7(chr(number))]
    assert [sum(measure(each).units == septets for each in found) for septets in (1, 2)] == [127, 10]
    assert "".join(each for each in found if measure(each).units == 2) == "\f[\\]^{|}~€"
    assert "".join(each for each in found if each.isalpha() and not each.isascii()) == (
        "ÄÅÆÇÉÑÖØÜßàäåæèéìñòöøùüΓΔΘΛΞΠΣΦΨΩ"
    )


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("“Hello” ‘you’ „da“ «là»", '"Hello" \'you\' "da" "là"'),
        ("Northwind’s help… – 1\u201110 — how was it?", "Northwind's help... - 1-10 - how was it?"),
        ("Évaluer\u00a0: 5\u202f€\u2009!", "Évaluer : 5 €!".replace("€!", "€ !")),
        ("in\u00advisible\u200b\u2060\ufeff\u200e", "invisible"),
        # A letter and its accent as two characters are the same letter.
        (unicodedata.normalize("NFD", "Hjælp os på vej: ü é"), "Hjælp os på vej: ü é"),
        ("Plain, as it is.", "Plain, as it is."),
    ],
)
def test_punctuation_is_replaced(typed: str, sent: str) -> None:
    assert to_gsm7(typed) == sent
    assert measure(to_gsm7(typed)).encoding == "GSM-7"


@pytest.mark.parametrize("letter", LETTERS_OUTSIDE)
def test_letters_are_kept_and_ucs2_texts_keep_their_punctuation(letter: str) -> None:
    typed = f"“{letter}” – …"
    if is_gsm7(letter):
        assert letter in to_gsm7(typed)
    else:
        assert to_gsm7(typed) == typed


@given(st.text())
def test_text_keeps_its_letters_and_never_takes_more_segments(text: str) -> None:
    sent = to_gsm7(text)
    assert sent == text or is_gsm7(sent)
    kept = [each for each in unicodedata.normalize("NFC", text) if each.isalnum()]
    assert [each for each in unicodedata.normalize("NFC", sent) if each.isalnum()] == kept
    assert to_gsm7(sent) == sent


@given(st.text(alphabet=st.sampled_from("aé€{λ🙂")))
def test_no_segment_exceeds_its_size(text: str) -> None:
    size = measure(text)
    one, several = (160, 153) if size.encoding == "GSM-7" else (70, 67)
    assert size.units <= (one if size.segments == 1 else size.segments * several)
    assert size.segments == 1 or size.units > one
