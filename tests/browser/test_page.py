"""A customer uses the survey page in a browser without JavaScript, by touch or by keyboard."""

from typing import Any

from playwright.sync_api import Page

from service.web import forms
from tests.browser.conftest import Site
from tests.web.states import CSAT


def focused(page: Page) -> Any:
    return page.locator(":focus")


def test_survey_is_answered_by_keyboard(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/s/token")
    page.keyboard.press("Tab")
    assert focused(page).get_attribute("name") == "rating"
    page.keyboard.press("Space")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    assert page.get_by_label("4 Satisfied", exact=True).is_checked()
    page.keyboard.press("Tab")
    page.keyboard.type("Quick and kind")
    page.keyboard.press("Tab")
    assert focused(page).inner_text() == "Send feedback"
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Thank you for your feedback").wait_for()
    assert page.get_by_text("Your answer “Satisfied” is saved.").is_visible()
    assert site.posted == [forms.AnswerForm({CSAT: 4}, "Quick and kind", is_suspect=False)]


def test_confirm_saves_the_rating_and_a_comment_can_be_added(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/s/token?r=4")
    assert site.posted == []
    page.get_by_role("button", name="Confirm rating").click()
    page.get_by_label("Anything you would like to add?").fill("Thanks\nagain")
    page.get_by_role("button", name="Add comment").click()
    page.get_by_text("Your comment is saved too.").wait_for()
    assert [(each.scores, each.comment) for each in site.posted] == [({CSAT: 4}, ""), ({CSAT: 4}, "Thanks\nagain")]


def test_confirm_saves_the_changed_choice(page: Page, site: Site) -> None:
    """The notice mentions no score, so it is correct for every choice."""
    page.goto(f"{site.url}/s/token?r=4")
    page.get_by_label("2 Dissatisfied").check()
    assert page.get_by_text("Not saved yet.").is_visible()
    page.get_by_role("button", name="Confirm rating").click()
    page.get_by_text("Your answer “Dissatisfied” is saved.").wait_for()
    assert site.posted[-1].scores == {CSAT: 2}


def test_enter_key_saves_the_changed_choice(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/s/token?r=4")
    page.get_by_label("2 Dissatisfied").check()
    page.keyboard.press("Enter")
    page.get_by_text("Your answer “Dissatisfied” is saved.").wait_for()
    assert site.posted[-1].scores == {CSAT: 2}


def test_preselected_page_has_one_primary_button(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/s/token?r=4")
    primary = page.locator("main button:not(.second)")
    assert [each.inner_text() for each in primary.all()] == ["Confirm rating"]
    page.get_by_label("What is the main reason").fill("Quick")
    page.get_by_role("button", name="Send feedback").click()
    page.get_by_text("Your comment is saved too.").wait_for()
    assert site.posted == [forms.AnswerForm({CSAT: 4}, "Quick", is_suspect=False)]


def test_empty_form_focuses_the_error_and_keeps_the_comment(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/s/token#elsewhere")
    page.get_by_label("What is the main reason").fill("\nA first line was empty")
    page.get_by_role("button", name="Send feedback").click()
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert focused(page).get_attribute("role") == "alert"
    assert page.title() == "Error: Rate your support – Northwind"
    assert page.get_by_label("What is the main reason").input_value() == "\nA first line was empty"
    assert page.get_by_role("group", name="How satisfied").get_attribute("aria-describedby") == "about rating-error"
    alert.get_by_role("link", name="Choose how satisfied you are").click()
    assert focused(page).get_attribute("id") == "rating"


def test_honeypot_is_invisible_and_not_in_the_tab_order(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/s/token")
    box = page.locator("[name=website]").bounding_box()
    assert box
    assert box["y"] + box["height"] <= 0
    stops = []
    for _ in range(3):
        page.keyboard.press("Tab")
        stops.append(focused(page).get_attribute("name"))
    assert stops == ["rating", "comment", None]


def test_language_is_chosen_by_keyboard(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/states/recorded")
    page.get_by_text("English", exact=True).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused(page).get_attribute("lang") == "cs"
    page.keyboard.press("Enter")
    page.wait_for_url("**/states/recorded?lang=cs")
    assert page.locator("html").get_attribute("lang") == "cs"


def test_change_of_language_keeps_the_answer(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/s/token")
    page.get_by_label("2 Dissatisfied").check()
    page.locator("textarea").fill("\nToo slow")
    page.get_by_text("English", exact=True).click()
    page.get_by_role("button", name="Dansk").click()
    page.locator("html[lang=da]").wait_for()
    assert page.locator("[value='2']").is_checked()
    assert page.locator("textarea").input_value() == "\nToo slow"
    assert site.posted == []


def test_open_details_have_the_full_width_of_the_footer(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/s/token")
    for name in ("Privacy", "English"):
        summary = page.get_by_text(name, exact=True)
        summary.click()
        box = page.locator("details[open]").bounding_box()
        assert box
        assert box["width"] == 0.9 * 360
        summary.click()
