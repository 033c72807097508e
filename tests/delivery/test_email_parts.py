"""The cells of the options, and the logo's picture."""

from service.delivery.email.parts import OptionCell, make_options, make_picture
from service.surveys.ratings import RatingType
from tests.delivery.logos import PNG_THEME

LINK = "https://survey.example/s/token"
CSAT, NPS, THUMBS = RatingType.CSAT, RatingType.NPS, RatingType.THUMBS


def test_short_options_are_filled_to_twelve_letters() -> None:
    """A letter is 0.55 em wide, and a space at most 5 em."""
    assert make_options(THUMBS, {1: "Yes", 0: "No"}, LINK) == [
        OptionCell(f"{LINK}?r=1", "Yes", 1, 495),
        OptionCell(f"{LINK}?r=0", "No", 2, 275),
    ]


def test_options_are_filled_to_the_longest_one() -> None:
    longest = "l" * 20
    assert make_options(CSAT, {1: longest, 2: "short"}, LINK) == [
        OptionCell(f"{LINK}?r=1", f"1\u00a0\u00a0{longest}", 0, 0),
        OptionCell(f"{LINK}?r=2", "2\u00a0\u00a0short", 2, 412),
    ]


def test_numbers_are_not_filled() -> None:
    assert make_options(NPS, {0: "0", 10: "10"}, LINK) == [
        OptionCell(f"{LINK}?r=0", "0"),
        OptionCell(f"{LINK}?r=10", "10"),
    ]


def test_the_repr_of_a_picture_has_no_content() -> None:
    assert repr(make_picture(PNG_THEME)) == "Picture(width=90, height=32)"
