"""The content of the survey page in its states."""

import re
from dataclasses import replace
from datetime import date

import pytest
from markupsafe import escape

from service.preview.states import SCORES
from service.texts.catalog import load_language
from service.web import page_texts, pages
from service.web.page_context import Closed
from tests.web.outline import HOSTILE, Outline, checked, html_of, text_of
from tests.web.states import CONTEXT, CSAT, NPS, THUMBS, WITH_ALL, WITH_NPS, WITH_THUMBS, show

pytestmark = pytest.mark.usefixtures("page_context")


def test_form_shows_question_and_conversation() -> None:
    words = text_of(pages.form_page(CONTEXT))
    assert "How satisfied are you with the help you got? Your chat with support on 12 May 2026" in words
    assert "1 Very dissatisfied 2 Dissatisfied 3 Neutral 4 Satisfied 5 Very satisfied" in words
    assert "not saved yet" not in words
    assert "How likely are you to recommend Northwind to a friend?" in text_of(pages.form_page(WITH_NPS))
    assert re.search(r"Did we solve your problem\?.* Yes .* No ", text_of(pages.form_page(WITH_THUMBS)))


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        ("WidgetChat", "Your chat with support on 12 May 2026"),
        ("Email", "Your e-mail conversation with support on 12 May 2026"),
        ("PstnPhone", "Your call with support on 12 May 2026"),
        ("WhatsApp", "Your messages with support on 12 May 2026"),
        ("CarrierPigeon", "Your conversation with support on 12 May 2026"),
        (None, "Your conversation with support on 12 May 2026"),
    ],
)
def test_context_line_names_channel(channel: str | None, words: str) -> None:
    assert words in text_of(pages.form_page(replace(CONTEXT, channel=channel)))


def test_context_line_works_without_date() -> None:
    undated = pages.form_page(replace(CONTEXT, channel="PstnPhone", closed_on=None))
    assert ">Your call with support</p>" in html_of(undated)
    assert "on 1 June 2026" in text_of(pages.form_page(replace(CONTEXT, closed_on=date(2026, 6, 1))))


def test_preselected_score_is_shown_as_unsaved() -> None:
    response = pages.form_page(CONTEXT, chosen={CSAT: 4}, preselected=True)
    assert checked(response) == [("rating", "4")]
    assert re.search(r"5 Very satisfied *Not saved yet\. Confirm rating", text_of(response))


def test_score_of_zero_counts() -> None:
    response = pages.form_page(WITH_THUMBS, chosen={THUMBS: 0}, preselected=True)
    assert checked(response) == [("rating", "0")]
    assert "Not saved yet." in text_of(response)
    saved = pages.saved_page(WITH_NPS, {NPS: 0}, has_comment=False)
    assert "Your answer “0” is saved." in text_of(saved)
    assert '<input type="hidden" name="rating" value="0">' in html_of(saved)


def test_errors_are_in_summary_and_at_field() -> None:
    response = show("all-error")
    outline = Outline(html_of(response))
    summary = next(attrs for attrs in outline.of("div") if attrs.get("class") == "problem")
    assert summary == {"class": "problem", "role": "alert", "tabindex": "-1", "autofocus": None}
    assert [link["href"] for link in outline.of("a")][:2] == ["#rating", "#comment"]
    assert "<title>Error: Rate your support – Northwind</title>" in html_of(response)
    words = text_of(response)
    assert "Error: Answer at least one question" in words
    assert "Error: Your comment must be 2,000 characters or fewer" in words
    assert checked(response) == []


def test_failure_keeps_typed_text() -> None:
    response = pages.form_page(CONTEXT, chosen={CSAT: 2}, comment="\n too slow", failed=True)
    assert "Your answer is not saved. Please try again." in text_of(response)
    assert checked(response) == [("rating", "2")]
    assert ">\n\n too slow</textarea>" in html_of(response)
    assert pages.form_page(CONTEXT, failed=True, status=429).status_code == 429


def test_saved_page_repeats_rating_for_later_comment() -> None:
    response = pages.saved_page(CONTEXT, {CSAT: 4}, has_comment=False)
    assert '<input type="hidden" name="rating" value="4">' in html_of(response)
    words = text_of(response)
    assert "Your answer “Satisfied” is saved." in words
    assert "Anything you would like to add? (optional)" in words
    assert "Change your answer" in words


def test_saved_page_with_comment_has_no_comment_field() -> None:
    response = pages.saved_page(CONTEXT, {CSAT: 4}, has_comment=True)
    assert "Your comment is saved too. You can close this page." in text_of(response)
    assert "<textarea" not in html_of(response)
    assert page_texts.ADD_COMMENT not in html_of(response)


def test_saved_page_lists_answers_of_several_questions() -> None:
    partly = pages.saved_page(WITH_ALL, {NPS: 9}, has_comment=False)
    assert "Your answer “9” is saved." in text_of(partly)
    assert re.findall(r'<input type="hidden"[^>]*>', html_of(partly)) == [
        '<input type="hidden" name="rating_nps" value="9">'
    ]
    assert {*re.findall(r"<input type=radio name=(\w+)", html_of(partly))} == {"rating", "rating_thumbs"}
    fully = pages.saved_page(WITH_ALL, SCORES, has_comment=False)
    assert html_of(fully).count('<input type="hidden"') == 3
    assert "Did we solve your problem? Yes" in text_of(fully)


def test_change_page_does_not_show_comment() -> None:
    response = pages.change_page(WITH_ALL, {CSAT: 4, NPS: 9}, has_comment=True)
    assert checked(response) == [("rating", "4"), ("rating_nps", "9")]
    assert ">\n</textarea>" in html_of(response)
    assert page_texts.COMMENT_KEPT in html_of(response)
    assert page_texts.COMMENT_KEPT not in html_of(pages.change_page(CONTEXT, {CSAT: 4}, has_comment=False))


def test_recorded_and_closed_pages_have_no_form() -> None:
    for spoken in (pages.recorded_page(CONTEXT, {CSAT: 4}), pages.late_page(CONTEXT, {CSAT: 4}, is_changed=True)):
        assert "Your answer “Satisfied” is recorded. It can no longer be changed." in text_of(spoken)
        assert "<form" not in html_of(spoken)
    for reason in Closed:
        response = pages.closed_page(CONTEXT, reason)
        assert page_texts.CLOSED_WHY[reason] in text_of(response)
        assert "<form" not in html_of(response)
        assert f'<a href="{CONTEXT.support_url}">Contact our support team</a>' in html_of(response)
    assert "Contact" not in text_of(pages.closed_page(replace(CONTEXT, support_url=None), Closed.EXPIRED))


def test_late_comment_is_quoted_verbatim() -> None:
    html = html_of(pages.late_page(CONTEXT, {CSAT: 4}, comment=f"\n {HOSTILE}\nmore"))
    assert f'<blockquote dir="auto">\n {escape(HOSTILE)}\nmore</blockquote>' in html
    assert "white-space:pre-wrap" in html
    assert "<svg" not in html
    without = text_of(pages.late_page(replace(CONTEXT, support_url=None), {CSAT: 4}, comment="x"))
    assert "please contact us the way you did before" in without


@pytest.mark.parametrize("code", ["ar", "he", "en"])
def test_brand_beginning_with_digit_is_isolated(code: str) -> None:
    brand = "24 Shop (DK)"
    isolated = brand if code == "en" else f"\u2068{brand}\u2069"
    html = html_of(pages.form_page(replace(WITH_NPS, brand=brand, language=load_language(code))))
    assert f"<header><bdi>{brand}</bdi></header>" in html
    assert f" – {isolated}</title>" in html
    body = html.partition("<main>")[2]
    assert body.count(brand) == body.count(isolated) == 2


def test_forced_colours_keep_brand_dot() -> None:
    assert re.search(r"header::before\{[^}]*forced-color-adjust:none\}", html_of(pages.form_page(CONTEXT)))


def test_privacy_notice_is_ours_or_own() -> None:
    assert '<a href="/privacy?lang=en">Privacy notice</a>' in html_of(pages.form_page(CONTEXT))
    linked = pages.form_page(replace(CONTEXT, privacy_url="https://northwind.example/privacy?a=1&b=2"))
    assert '<a href="https://northwind.example/privacy?a=1&amp;b=2">Privacy notice</a>' in html_of(linked)
