"""The cells of the answers, and the logo's picture."""

from service.delivery.email.parts import AnswerCell, make_answers, make_picture
from service.surveys.ratings import RatingType
from tests.delivery.logos import PNG_THEME

LINK = "https://survey.example/s/token"
CSAT, NPS, THUMBS = RatingType.CSAT, RatingType.NPS, RatingType.THUMBS


def test_short_answers_are_filled_to_twelve_letters() -> None:
    """A letter is 0.55 em wide, and a space at most 5 em."""
    assert make_answers(THUMBS, {1: "Yes", 0: "No"}, LINK) == [
        AnswerCell(f"{LINK}?r=1", "Yes", 1, 495),
        AnswerCell(f"{LINK}?r=0", "No", 2, 275),
    ]


def test_answers_are_filled_to_the_longest_one() -> None:
    longest = "l" * 20
    assert make_answers(CSAT, {1: longest, 2: "short"}, LINK) == [
        AnswerCell(f"{LINK}?r=1", f"1\u00a0\u00a0{longest}", 0, 0),
        AnswerCell(f"{LINK}?r=2", "2\u00a0\u00a0short", 2, 412),
    ]


def test_numbers_are_not_filled() -> None:
    assert make_answers(NPS, {0: "0", 10: "10"}, LINK) == [
        AnswerCell(f"{LINK}?r=0", "0"),
        AnswerCell(f"{LINK}?r=10", "10"),
    ]


def test_the_repr_of_a_picture_has_no_content() -> None:
    assert repr(make_picture(PNG_THEME)) == "Picture(width=90, height=32)"
