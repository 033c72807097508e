"""The first steps after `make run`, in a real browser without JavaScript: close a conversation and rate it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.integration.conftest import NewSurvey

COMMENT = "Rigtig god hjælp – tusind tak! 🙂"


@pytest.fixture
def window(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(15_000)
    yield context
    context.close()


def test_conversation_is_closed_and_rated_in_a_browser(new_survey: NewSurvey, window: BrowserContext) -> None:
    story = new_survey(channel="WidgetChat", language="da")
    inbox = window.new_page()
    inbox.goto(f"{story.dixa.url}/conversations/{story.id}")
    inbox.get_by_role("button", name="Close conversation").click()
    # The page reloads itself.
    link = inbox.get_by_role("region", name="Messages").get_by_role("link")
    with window.expect_page() as opened:
        link.click()
    survey = opened.value
    expect(survey.get_by_role("heading", level=1)).to_have_text("Hvor tilfreds er du med den hjælp, du fik?")
    survey.goto(f"{survey.url}?lang=en")
    expect(survey.get_by_role("heading", level=1)).to_have_text("How satisfied are you with the help you got?")
    survey.get_by_role("radio", name="4 Satisfied", exact=True).check()
    survey.get_by_role("textbox").first.fill(COMMENT)
    survey.get_by_role("button", name="Send feedback").click()
    expect(survey.get_by_role("heading", level=1)).to_have_text("Thank you for your feedback")
    ratings = inbox.get_by_role("region", name="Survey")
    expect(ratings).to_contain_text("CSAT 4 of 5", timeout=15_000)
    expect(ratings).to_contain_text(COMMENT)
    assert [(each.value, each.comment) for each in story.results] == [(4, COMMENT)]
    assert window.cookies() == []
