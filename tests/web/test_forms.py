"""The parsing of the customer's form, and its errors."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from service.surveys.ratings import RatingType
from service.web import page_texts
from service.web.forms import AnswerForm, FormError, load_answer_form

CSAT, NPS, THUMBS = RatingType.CSAT, RatingType.NPS, RatingType.THUMBS
ALL = (CSAT, NPS, THUMBS)
RATINGS = st.permutations(list(RatingType)).flatmap(
    lambda ratings: st.integers(1, 3).map(lambda count: tuple(ratings[:count]))
)


def load(*pairs: tuple[str, str], ratings: tuple[RatingType, ...] = (CSAT,)) -> AnswerForm:
    return load_answer_form(MultiDict(pairs), ratings)


def refuse(*pairs: tuple[str, str], ratings: tuple[RatingType, ...] = (CSAT,)) -> FormError:
    with pytest.raises(FormError) as caught:
        load(*pairs, ratings=ratings)
    return caught.value


@pytest.mark.parametrize("rating", list(RatingType))
def test_every_score_of_every_type_is_accepted(rating: RatingType) -> None:
    for score in rating.scores:
        assert load(("rating", str(score)), ratings=(rating,)).scores == {rating: score}


HOSTILE_SCORES = (
    *("", " ", "0", "6", "-1", "+4", "04", "4.0", "4,0", "4e0", "0x4", "4_0", " 4", "4 ", "4\n", "4\x00"),
    *("４", "٤", "४", "④", "four", "Satisfied", "true", "null", "[4]", "1e999", "4;5", "4\u200b", "9" * 5000),
)


@pytest.mark.parametrize("value", HOSTILE_SCORES, ids=ascii)
def test_only_plain_digits_are_a_score(value: str) -> None:
    error = refuse(("rating", value), ("comment", "Kind"))
    assert error.errors == {"rating": page_texts.NOT_CHOSEN[CSAT]}
    assert error.typed == AnswerForm({}, "Kind", is_suspect=False)


@pytest.mark.parametrize("rating", list(RatingType))
def test_missing_rating_has_error_of_its_type(rating: RatingType) -> None:
    assert refuse(ratings=(rating,)).errors == {"rating": page_texts.NOT_CHOSEN[rating]}
    assert len(set(page_texts.NOT_CHOSEN.values())) == len(RatingType)


def test_rating_sent_twice_needs_equal_values() -> None:
    assert load(("rating", "4"), ("rating", "4")).scores == {CSAT: 4}
    assert "rating" in refuse(("rating", "4"), ("rating", "5")).errors
    assert "rating" in refuse(("rating", "4"), ("rating", "")).errors


def test_one_answer_of_several_questions_is_enough() -> None:
    assert load(("rating_nps", "10"), ratings=ALL).scores == {NPS: 10}
    assert load(("rating", "1"), ("rating_thumbs", "0"), ratings=ALL).scores == {CSAT: 1, THUMBS: 0}
    assert load(("rating", "0"), ("rating_csat", "5"), ratings=(NPS, CSAT)).scores == {NPS: 0, CSAT: 5}


def test_no_answer_of_several_questions_is_an_error() -> None:
    error = refuse(("comment", "Hm"), ratings=ALL)
    assert error.errors == {"rating": page_texts.NOTHING_CHOSEN}
    assert error.typed.comment == "Hm"


def test_bad_score_is_an_error_and_other_scores_stay() -> None:
    error = refuse(("rating", "4"), ("rating_nps", "11"), ("comment", "x" * 2001), ratings=ALL)
    assert list(error.errors.items()) == [
        ("rating_nps", page_texts.NOT_CHOSEN[NPS]),
        ("comment", page_texts.COMMENT_TOO_LONG),
    ]
    assert error.typed == AnswerForm({CSAT: 4}, "x" * 2001, is_suspect=False)


def test_fields_of_other_rating_types_are_ignored() -> None:
    form = load(("rating", "4"), ("rating_nps", "9"), ("rating_csat", "1"), ("utm_source", "x"))
    assert form.scores == {CSAT: 4}


def test_filled_honeypot_makes_answer_suspect() -> None:
    assert load(("rating", "4"), ("website", "http://spam.example")) == AnswerForm({CSAT: 4}, "", is_suspect=True)
    assert not load(("rating", "4"), ("website", "")).is_suspect
    assert refuse(("website", "x")).typed.is_suspect


BLANK = (
    *("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u180e", "\u061c", "\u202e", "\u2066"),
    *("\u00a0", "\u2003", "\u3000", "\u2028", "\u0085", "\ufe0f", "\ufe00", "\U000e0100", "\u180b", "\u034f"),
    *("\u3164", "\u115f", "\u1160", "\uffa0", "\u2800", "\u17b4", "\U000e0041", "\U000e0001", "\ufff9", "\U0001d159"),
)
"""Format characters, spaces, variation selectors and fillers are invisible in every font."""


@pytest.mark.parametrize("blank", BLANK, ids=ascii)
def test_invisible_comment_is_empty(blank: str) -> None:
    for typed in (blank, blank * 50, f" {blank}\r\n{blank}\t", "".join(BLANK)):
        assert load(("rating", "4"), ("comment", typed)).comment == ""
    assert load(("rating", "4"), ("comment", f"{blank}.{blank}")).comment.strip("\u0085").strip(blank) == "."


def test_button_of_form_is_read() -> None:
    form = load(("rating", "4"), ("add", "1"), ("more", "change"), ("forget", "1"))
    assert (form.is_addition, form.more_time, form.removes_comment) == (True, "change", True)
    assert refuse(("more", "1"), ("forget", "")).typed == AnswerForm({}, "", is_suspect=False, more_time="1")


COMMENTS = (
    ("Thank you, Marta!", "Thank you, Marta!"),
    ("  kept as typed \n", "  kept as typed \n"),
    ("one\r\ntwo\rthree\nfour", "one\ntwo\nthree\nfour"),
    ("", ""),
    (" \r\n\t\u00a0\u2003 ", ""),
    ("\x00\x1f", ""),
    ("a\x00b\x07c\x1bd\te", "abcd\te"),
    ("half \ud83d of a pair", "half  of a pair"),
    ("👩‍👩‍👧 שלום نص", "👩‍👩‍👧 שלום نص"),
    ("<script>alert(1)</script>", "<script>alert(1)</script>"),
)


@pytest.mark.parametrize(("typed", "kept"), COMMENTS, ids=ascii)
def test_comment_is_verbatim_without_unsendable_characters(typed: str, kept: str) -> None:
    assert load(("rating", "4"), ("comment", typed)).comment == kept


@pytest.mark.parametrize("character", ["x", "é", "👍", "\r\n"])
def test_comment_has_at_most_2000_characters(character: str) -> None:
    end = "." if character == "\r\n" else ""
    count = 2000 - len(end)
    assert len(load(("rating", "4"), ("comment", character * count + end)).comment) == 2000
    error = refuse(("rating", "4"), ("comment", character * (count + 1) + end))
    assert error.errors == {"comment": page_texts.COMMENT_TOO_LONG}
    assert error.typed.scores == {CSAT: 4}
    assert len(error.typed.comment) == 2001


FIELDS = st.sampled_from(["rating", "rating_csat", "rating_nps", "rating_thumbs", "comment", "website", "_schema"])
VALUES = st.one_of(st.integers(-1, 12).map(str), st.text(alphabet=st.characters(codec=None)))


@given(st.lists(st.tuples(FIELDS | st.text(), VALUES)), RATINGS)
def test_any_form_is_an_answer_or_form_error(pairs: list[tuple[str, str]], ratings: tuple[RatingType, ...]) -> None:
    try:
        form = load(*pairs, ratings=ratings)
    except FormError as error:
        form = error.typed
    else:
        assert form.scores
        assert len(form.comment) <= 2000
    assert set(form.scores) <= set(ratings)
    assert all(score in rating.scores for rating, score in form.scores.items())
    assert json.loads(json.dumps(form.comment, ensure_ascii=False).encode()) == form.comment


@given(RATINGS, st.data())
def test_page_and_form_have_same_options(ratings: tuple[RatingType, ...], data: st.DataObject) -> None:
    names = ("rating", *(f"rating_{rating.name.lower()}" for rating in ratings[1:]))
    scores = {rating: data.draw(st.sampled_from(rating.scores)) for rating in ratings}
    pairs = [(name, str(score)) for name, score in zip(names, scores.values(), strict=True)]
    assert load(*pairs, ratings=ratings).scores == scores
