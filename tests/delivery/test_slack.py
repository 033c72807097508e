"""The texts of alerts. The tests of the follow-up journey send them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from service.delivery.slack import write_alert, write_comment, write_correction
from service.surveys.definition import Survey
from service.surveys.model import Answer, AnswerProgress, Close, OfferProgress, Record
from service.surveys.ports import FollowUpContext
from service.surveys.ratings import RatingType
from service.surveys.states import AnswerState, OfferState

CSAT, NPS, THUMBS = RatingType
NOW = datetime(2026, 11, 20, tzinfo=UTC)
FACTS = "conversation 48213, survey shop, agent agent-1"


def context_of(
    scores: Mapping[RatingType, int], comment: str = "", *, shows_comment: bool = True, **given: Any
) -> FollowUpContext:
    is_suspect, before = given.pop("is_suspect", False), given.pop("before", {})
    answer = AnswerProgress(
        AnswerState.SUBMITTED,
        Answer(scores, comment, "en", NOW),
        comment_sha1="5d41" if comment else "",
        is_suspect=is_suspect,
    )
    facts: dict[str, Any] = {"close": Close(48213, NOW, agent_id="agent-1"), "terms": Survey(name="shop")} | given
    record = Record("48213", 48213, NOW, offer=OfferProgress(OfferState.DELIVERED), answer=answer, **facts)
    return FollowUpContext(record, shows_comment=shows_comment, before=before)


def test_an_alert_has_the_scores_the_facts_and_the_quoted_comment() -> None:
    text = write_alert(context_of({CSAT: 1, NPS: 3, THUMBS: 0}, "Too slow.\nAgain!"))
    assert text == (
        "Satisfaction: Very dissatisfied (1 of 5), Would recommend: 3 of 10, Problem solved: No.\n"
        f"{FACTS}\nComment:\n> Too slow.\n> Again!"
    )


def test_an_alert_without_facts_has_the_conversation() -> None:
    assert write_alert(context_of({NPS: 3}, close=None, terms=None)).splitlines()[1:] == ["conversation 48213"]
    assert "agent" not in write_alert(context_of({NPS: 3}, close=Close(48213, NOW)))


def test_an_alert_hints_at_a_comment_that_it_may_not_show() -> None:
    text = write_alert(context_of({NPS: 3}, "secret", shows_comment=False))
    assert text.splitlines()[1:] == ["There is a comment: see the rating in Dixa.", FACTS]


def test_an_alert_names_a_suspect_answer() -> None:
    text = write_alert(context_of({NPS: 3}, is_suspect=True))
    assert text.splitlines()[1:] == ["This answer is suspect: a machine may have sent it.", FACTS]


def test_a_later_comment_is_quoted_or_hinted_at() -> None:
    shown = write_comment(context_of({NPS: 3}, "Too slow"))
    assert shown == f"A comment was added.\n{FACTS}\nComment:\n> Too slow"
    hidden = write_comment(context_of({NPS: 3}, "Too slow", shows_comment=False))
    assert hidden == f"A comment was added: see the rating in Dixa.\n{FACTS}"


def test_a_correction_has_both_scores() -> None:
    text = write_correction(context_of({CSAT: 5}, before={CSAT: 1}))
    assert text.splitlines()[0] == (
        "The customer changed the answer. Now: Satisfaction: Very satisfied (5 of 5). "
        "The alert said: Satisfaction: Very dissatisfied (1 of 5)."
    )


def test_mentions_and_links_of_a_comment_are_escaped() -> None:
    text = write_alert(context_of({NPS: 3}, "<!channel> @all [x](https://x.example) a & b"))
    assert text.endswith("> &lt;!channel&gt; @\u200ball [x]\u200b(https://x.example) a &amp; b")


@pytest.mark.parametrize("extra", [0, 1])
def test_a_text_of_more_than_4000_characters_is_cut(extra: int) -> None:
    ahead = len(write_alert(context_of({NPS: 3}, "x"))) - 1
    text = write_alert(context_of({NPS: 3}, "x" * (4000 - ahead + extra)))
    assert len(text) == 4000
    assert text.endswith("x…\nThe comment is longer: see the rating in Dixa.") is bool(extra)


def test_a_text_is_never_cut_inside_an_escape() -> None:
    for length in range(3880, 3900):
        text = write_alert(context_of({NPS: 3}, "x" * length + "&" * 100))
        assert text.partition("…")[0].rstrip("x").endswith(("&amp;", "> "))
