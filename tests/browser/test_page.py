"""The survey page as a customer uses it: in a browser, JavaScript off, with a finger or with the keyboard alone."""

from typing import Any

from playwright.sync_api import Page

from service.web import forms
from tests.browser.conftest import Site
from tests.web.states import CSAT


def focused(page: Page) -> Any:
    return page.locator(":focus")


def test_the_keyboard_alone_is_enough(page: Page, site: Site) -> None:
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


def test_one_tap_on_confirm_saves_and_a_comment_can_follow(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/s/token?r=4")
    assert site.posted == []
    page.get_by_role("button", name="Confirm rating").click()
    page.get_by_label("Anything you would like to add?").fill("Thanks\nagain")
    page.get_by_role("button", name="Add comment").click()
    page.get_by_text("Your comment is saved too.").wait_for()
    assert [(each.scores, each.comment) for each in site.posted] == [({CSAT: 4}, ""), ({CSAT: 4}, "Thanks\nagain")]


def test_another_choice_than_the_links_is_what_confirm_saves(page: Page, site: Site) -> None:
    """The notice names no choice, so it stays true without a rule that hides it."""
    page.goto(f"{site.url}/s/token?r=4")
    page.get_by_label("2 Dissatisfied").check()
    assert page.get_by_text("Not saved yet.").is_visible()
    page.get_by_role("button", name="Confirm rating").click()
    page.get_by_text("Your answer “Dissatisfied” is saved.").wait_for()
    assert site.posted[-1].scores == {CSAT: 2}


def test_enter_confirms_what_is_chosen(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/s/token?r=4")
    page.get_by_label("2 Dissatisfied").check()
    page.keyboard.press("Enter")
    page.get_by_text("Your answer “Dissatisfied” is saved.").wait_for()
    assert site.posted[-1].scores == {CSAT: 2}


def test_a_preselected_page_has_one_primary_button(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/s/token?r=4")
    primary = page.locator("main button:not(.second)")
    assert [each.inner_text() for each in primary.all()] == ["Confirm rating"]
    page.get_by_label("What is the main reason").fill("Quick")
    page.get_by_role("button", name="Send feedback").click()
    page.get_by_text("Your comment is saved too.").wait_for()
    assert site.posted == [forms.AnswerForm({CSAT: 4}, "Quick", is_suspect=False)]


def test_an_empty_form_comes_back_with_the_problem_focused_and_the_comment_kept(page: Page, site: Site) -> None:
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


def test_the_honeypot_is_out_of_sight_and_out_of_the_tab_order(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/s/token")
    box = page.locator("[name=website]").bounding_box()
    assert box
    assert box["y"] + box["height"] <= 0
    stops = []
    for _ in range(3):
        page.keyboard.press("Tab")
        stops.append(focused(page).get_attribute("name"))
    assert stops == ["rating", "comment", None]


def test_a_language_is_chosen_with_the_keyboard_alone(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/states/recorded")
    page.get_by_text("English", exact=True).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused(page).get_attribute("lang") == "cs"
    page.keyboard.press("Enter")
    page.wait_for_url("**/states/recorded?lang=cs")
    assert page.locator("html").get_attribute("lang") == "cs"


def test_another_language_keeps_what_was_typed(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/s/token")
    page.get_by_label("2 Dissatisfied").check()
    page.locator("textarea").fill("\nToo slow")
    page.get_by_text("English", exact=True).click()
    page.get_by_role("button", name="Dansk").click()
    page.locator("html[lang=da]").wait_for()
    assert page.locator("[value='2']").is_checked()
    assert page.locator("textarea").input_value() == "\nToo slow"
    assert site.posted == []


def test_what_is_open_in_the_footer_has_its_whole_width(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/s/token")
    for name in ("Privacy", "English"):
        summary = page.get_by_text(name, exact=True)
        summary.click()
        box = page.locator("details[open]").bounding_box()
        assert box
        assert box["width"] == 0.9 * 360
        summary.click()
