"""A support lead's questions about results, answered by clicking through the window without JavaScript."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, HttpCredentials, Locator, Page, expect

from service.records.due_archive import DueArchive
from service.records.names import Names
from service.records.records import Records
from tests.browser.conftest import PHONE
from tests.processes import Afterword, RedisServer, patient
from tests.web.operator.filled_window import fill
from tests.web.operator.test_reports import NAMES, answered, delivered, skipped
from tests.web.operator.window_client import LOGINS, PASSWORDS

ROWS = [
    *answered(60, 5, queue_id="q-1", agent_id="a-1"),
    *answered(36, 1, queue_id="q-2", agent_id="a-2", has_comment=True, conversation_id=48201),
    *answered(4, 5, queue_id="q-2", agent_id="a-2", is_suspect=True),
    *delivered(60, queue_id="q-1", agent_id="a-1"),
    *delivered(140, queue_id="q-2", agent_id="a-2"),
    *skipped(100, "asked_recently", 'cooldown = "30d"', queue_id="q-1"),
]


@pytest.fixture(name="url", scope="module")
def serve_window(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    redis_url, folder = redis_server.new_database(), tmp_path_factory.mktemp("window")
    archive_url = f"sqlite:///{folder}/archive.db"
    archive = fill(archive_url, ({**row, "survey_id": f"{number}"} for number, row in enumerate(ROWS)))
    client = patient(redis_url)
    records = Records(client, lease=timedelta(minutes=1), keep=timedelta(days=90))
    Names.beside(records).store(NAMES)
    DueArchive.beside(records).restart(archive)
    given = {"REDIS_URL": redis_url, "OPERATOR_LOGINS": LOGINS, "ARCHIVE_URL": archive_url}
    web = Afterword(folder, given | {"DIXA_APP_URL": "https://northwind.dixa.com"})
    web.start("web")
    yield web.url
    web.stop()
    client.close()


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """Open a phone-sized window without JavaScript, logged in as one who may only look."""
    login: HttpCredentials = {"username": "ben", "password": PASSWORDS["ben"]}
    with browser.new_context(
        viewport=PHONE, java_script_enabled=False, http_credentials=login, base_url=url
    ) as context:
        page = context.new_page()
        page.goto("/operator")
        yield page


def open_view(page: Page, name: str) -> Locator:
    page.get_by_role("navigation").get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    return page.get_by_role("main")


def test_are_we_asking(page: Page) -> None:
    main = open_view(page, "Funnel")
    expect(main.locator(".funnel li").nth(0)).to_contain_text("Closed 400")
    expect(main.locator(".funnel li").nth(1)).to_contain_text("Asked 300 75 % of closed")
    cause = main.locator(".causes li").filter(has_text="This customer was asked less than cooldown ago.")
    cause.get_by_text("What to change").click()
    expect(cause).to_contain_text("Shorten cooldown.")
    expect(cause.get_by_role("cell", name='cooldown = "30d"')).to_be_visible()


def test_which_queue_is_unhappy_and_is_that_difference_real(page: Page) -> None:
    open_view(page, "Results")
    row = page.get_by_role("table", name="Results by").get_by_role("row").filter(has=page.get_by_role("rowheader"))
    expect(row.nth(0)).to_contain_text("Returns")
    expect(row.nth(0)).to_contain_text("Lower than the others by")
    expect(row.nth(1)).to_contain_text("Orders")
    row.nth(0).get_by_role("link", name="Returns").click()
    expect(page.get_by_role("link", name="Remove the filter Queue: Returns")).to_be_visible()


def test_who_answers_least(page: Page) -> None:
    open_view(page, "Results")
    page.get_by_label("By", exact=True).select_option(label="Agent")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="Response rate").click()
    row = page.get_by_role("table", name="Results by").get_by_role("row").filter(has=page.get_by_role("rowheader"))
    expect(row.nth(0)).to_contain_text("Jonas")
    expect(row.nth(0)).to_contain_text("20 %")
    # The URL is the table: whoever gets it sees the same.
    assert "by=agent" in page.url
    assert "sort=response" in page.url


def test_are_machines_clicking(page: Page) -> None:
    main = open_view(page, "Funnel")
    figure = main.locator(".figure").filter(has=page.get_by_text("Suspected machines", exact=True))
    expect(figure).to_contain_text("4 of 100 answers")
    figure.get_by_role("link", name="Look at them").click()
    expect(main).to_contain_text("4 answers, newest first")
    expect(main.get_by_text("maybe a machine")).to_have_count(4)


def test_how_long_do_answers_take_to_reach_dixa(page: Page) -> None:
    main = open_view(page, "Funnel")
    expect(main.locator(".figure").filter(has_text="From the answer to Dixa")).to_contain_text("6 min")


def test_low_scores_with_a_comment_lead_to_dixa(page: Page) -> None:
    main = open_view(page, "Answers")
    main.get_by_role("link", name="Low").click()
    main.get_by_role("link", name="With a comment").click()
    expect(main).to_contain_text("36 answers, newest first")
    link = main.get_by_role("link", name="48201 in Dixa").first
    expect(link).to_have_attribute("href", "https://northwind.dixa.com/conversation/48201")
