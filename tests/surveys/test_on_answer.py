"""`[[survey.on_answer]]`: its keys, errors, and its copy in a record."""

import pytest

from service.records.terms_codec import dump_terms, load_terms
from service.surveys.definition import Survey
from service.surveys.on_answer import OnAnswer
from service.surveys.ratings import RatingType
from service.surveys.toml.loader import SurveysFileError, load_surveys

CSAT, NPS = RatingType.CSAT, RatingType.NPS


def after(text: str, survey: str = "") -> tuple[OnAnswer, ...]:
    (found,) = load_surveys(f"[[survey]]\n{survey}\n{text}")
    return found.on_answer


def test_a_survey_has_no_actions_by_default() -> None:
    (survey,) = load_surveys("[[survey]]")
    assert (survey.on_answer, survey.reclose) == ((), False)
    assert survey == Survey()


def test_every_action_is_read() -> None:
    text = """
[[survey.on_answer]]
scores = [1, 2, 1]
note = true
tag = "unhappy"
slack = true
webhook = true
comment = true
[[survey.on_answer]]
rating = "Nps"
scores = [9, 10]
thank_you = "https://reviews.example/x?y=1"
redirect = true
"""
    low, high = after(text.replace("scores = [1", 'rating = "Csat"\nscores = [1'), 'rating = ["Csat", "Nps"]')
    assert low == OnAnswer((1, 2), CSAT, note=True, tag="unhappy", slack=True, webhook=True, comment=True)
    assert high == OnAnswer((9, 10), NPS, thank_you="https://reviews.example/x?y=1", redirect=True)
    assert high.thank_you_host == "reviews.example"


def test_the_rating_defaults_to_the_only_one_of_the_survey() -> None:
    (found,) = after("[[survey.on_answer]]\nscores = [0]\nnote = true", 'rating = "Nps"')
    assert found.rating is NPS
    assert found.matches({NPS: 0})
    assert not found.matches({NPS: 1})
    assert not found.matches({CSAT: 1})


def test_actions_survive_the_terms_codec() -> None:
    survey = Survey(
        on_answer=(OnAnswer((1,), CSAT, tag="ü", slack=True), OnAnswer((5,), CSAT, thank_you="https://a.example"))
    )
    assert load_terms(dump_terms(survey)) == survey


def test_unknown_keys_of_a_record_are_ignored() -> None:
    terms = dump_terms(Survey(on_answer=(OnAnswer((1,), CSAT, note=True),)))
    terms["on_answer"][0]["later"] = 1
    assert load_terms(terms).on_answer == (OnAnswer((1,), CSAT, note=True),)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("note = true", "survey 1: on_answer 1: scores: Write for which scores: [1, 2]."),
        (
            "scores = []\nnote = true",
            "survey 1: on_answer 1: scores: Not a list of scores. Write it in brackets: [1, 2].",
        ),
        (
            "scores = 1\nnote = true",
            "survey 1: on_answer 1: scores: Not a list of scores. Write it in brackets: [1, 2].",
        ),
        (
            "scores = [true]\nnote = true",
            "survey 1: on_answer 1: scores: Not a list of scores. Write it in brackets: [1, 2].",
        ),
        ("scores = [0]\nnote = true", "survey 1: on_answer 1: scores: Csat has the scores 1 to 5."),
        ('scores = [1]\nrating = "Nps"\nnote = true', "survey 1: on_answer 1: rating: This survey doesn't ask Nps."),
        (
            'scores = [1]\nrating = "Stars"\nnote = true',
            'survey 1: on_answer 1: rating: Not a rating. Write "Csat", "Nps" or "ThumbsUpOrDown".',
        ),
        (
            "scores = [1]",
            "survey 1: on_answer 1: Nothing is to be done. Name at least one of: note, tag, slack, webhook, thank_you.",
        ),
        ('scores = [1]\nnote = "yes"', "survey 1: on_answer 1: note: Not a boolean. Write true or false."),
        ("scores = [1]\nnote = true\nredirect = true", "survey 1: on_answer 1: redirect: Write where to: thank_you."),
        (
            "scores = [1]\ncolour = true",
            "survey 1: on_answer 1: colour: No such key. See the list of keys in docs/surveys.md.",
        ),
        *(
            (
                f"scores = [1]\nthank_you = '{url}'",
                "survey 1: on_answer 1: thank_you: Not a page. Write it whole, with https:// in front.",
            )
            for url in (
                "reviews.example",
                "http://reviews.example",
                "javascript:alert(1)",
                "https://",
                "https://me@reviews.example",
                "https://reviews.example:port",
                "https://reviews.example/a b",
                "https://reviews.exämple",
            )
        ),
    ],
)
def test_an_error_names_key_and_fix(text: str, line: str) -> None:
    with pytest.raises(SurveysFileError) as caught:
        after(f"[[survey.on_answer]]\n{text}")
    assert str(caught.value).strip() == line


def test_a_survey_of_several_ratings_needs_the_rating() -> None:
    with pytest.raises(SurveysFileError, match="Write whose scores these are"):
        after("[[survey.on_answer]]\nscores = [1]\nnote = true", 'rating = ["Csat", "Nps"]')
